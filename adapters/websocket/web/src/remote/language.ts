// What may be typed here: the hub's verbs and actions, and the ways a line can go on.

import type { Action, Verb } from "../wire/frames";

export interface Language {
  readonly verbs: readonly Verb[];
  readonly actions: readonly Action[];
  /** Ids that a verb may be about, the likeliest first. */
  readonly ids: readonly string[];
}

export interface Suggestion {
  /** What the word under the cursor becomes. */
  readonly word: string;
  readonly hint: string;
}

const ABOUT_APPROVALS = new Set(
  "apply approve comment edit history override receipt reject request-changes resolve retry rollback show stop submit who withdraw".split(
    " ",
  ),
);

/** The words of a line; a quoted one, closed or not, counts as one. */
export function words(line: string): string[] {
  return line.match(/"[^"]*"?|'[^']*'?|\S+/g) ?? [];
}

/** How the line may go on where it ends. */
export function suggest(line: string, { verbs, actions, ids }: Language): Suggestion[] {
  const said = words(line);
  const fresh = line === "" || /\s$/.test(line);
  const prefix = fresh ? "" : (said.at(-1) ?? "");
  const before = fresh ? said : said.slice(0, -1);
  if (before.length === 0) return first(prefix, verbs, actions);
  if (before.includes("because")) return [];
  const action = actionOf(before, actions);
  const found = action ? ofAction(action, before, prefix) : ofVerb(before, verbs, ids);
  return found.filter((each) => each.word.startsWith(prefix) && each.word !== prefix);
}

function first(prefix: string, verbs: readonly Verb[], actions: readonly Action[]): Suggestion[] {
  const all = [
    ...actions.map((each) => ({ word: each.name, hint: each.description || each.title })),
    ...verbs.map((each) => ({ word: each.name, hint: each.summary })),
  ];
  return all.filter((each) => each.word.startsWith(prefix) && each.word !== prefix);
}

function actionOf(said: readonly string[], actions: readonly Action[]): Action | undefined {
  const name = said[0] === "run" || said[0] === "break-glass" ? said[1] : said[0];
  return actions.find((each) => each.name === name);
}

function ofAction(action: Action, before: readonly string[], prefix: string): Suggestion[] {
  const given = before.slice(before.indexOf(action.name) + 1);
  const named = new Set(given.filter((each) => each.includes("=")).map((each) => each.split("=", 1)[0]));
  const placed = given.filter((each) => !each.includes("=")).length;
  const [key, value] = prefix.split("=", 2) as [string, string?];
  const chosen = value === undefined ? undefined : action.params.find((each) => each.name === key);
  if (chosen) return choices(chosen).map((each) => ({ word: `${chosen.name}=${each}`, hint: chosen.description }));
  const open = action.params.filter((each, at) => at >= placed && !named.has(each.name));
  const next = open[0];
  const found = next && !named.size ? choices(next).map((each) => ({ word: each, hint: next.name })) : [];
  return [
    ...found,
    ...open.map((each) => ({ word: `${each.name}=`, hint: each.description || each.type })),
    { word: "because", hint: "why; everybody who decides reads it" },
  ];
}

function choices(param: Action["params"][number]): readonly string[] {
  if (param.type === "boolean") return ["true", "false"];
  return param.enum ?? (param.default === null ? [] : [param.default]);
}

function ofVerb(before: readonly string[], verbs: readonly Verb[], ids: readonly string[]): Suggestion[] {
  const verb = verbs.find((each) => each.name === before[0]);
  if (verb === undefined) return [];
  const about = ABOUT_APPROVALS.has(verb.name) ? ids.filter((each) => !before.includes(each)) : [];
  return [
    ...about.map((each) => ({ word: each, hint: "" })),
    ...verb.clauses.map((each) => ({ word: each, hint: verb.usage })),
    ...(verb.because ? [{ word: "because", hint: "why" }] : []),
  ];
}

/** How the verb or action that the line begins with is typed; of a name half typed, the first that it may become. */
export function usage(line: string, { verbs, actions }: Language): string | null {
  const said = words(line);
  const begun = said[0];
  if (begun === undefined) return null;
  const named = actionOf(said, actions) ?? verbs.find((each) => each.name === begun);
  const like = said.length === 1 ? [...actions, ...verbs].find((each) => each.name.startsWith(begun)) : undefined;
  return (named ?? like)?.usage ?? null;
}

/** The line with its last word replaced. */
export function complete(line: string, { word }: Suggestion): string {
  const kept = /\s$/.test(line) ? line : line.replace(/("[^"]*"?|'[^']*'?|\S+)$/, "");
  return word.endsWith("=") ? kept + word : `${kept + word} `;
}
