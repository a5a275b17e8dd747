// The hub's HTTP interface, as the page uses it: the session's cookie proves who asks.

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

interface Options {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

async function ask(method: string, path: string, { body, headers, signal }: Options = {}): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
  throw new Problem(response.status, problem.code ?? "failed", problem.detail ?? response.statusText);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask("GET", path, signal ? { signal } : {})).json()) as T;
}

export async function getText(path: string): Promise<string> {
  return (await ask("GET", path)).text();
}

export async function send<T>(method: "POST" | "PATCH", path: string, options: Options): Promise<T> {
  return (await (await ask(method, path, options)).json()) as T;
}

/** A list as the hub pages it. */
export interface Page<T> {
  readonly items: T[];
  readonly next: string | null;
}
