// Where the reader is: the fragment of the address, so that every view and every filter is a link.
//
// `#/queue?view=mine&q=deploy`, `#/approvals/A142?view=open`, `#/activity?actor=ana`, `#/leases`, `#/remote`.

export type Room = "queue" | "activity" | "leases" | "remote";

export interface Route {
  readonly room: Room;
  /** The approval that is shown, on its own or beside the list. */
  readonly approval: string | null;
  readonly query: Readonly<Record<string, string>>;
}

const ROOMS: readonly Room[] = ["queue", "activity", "leases", "remote"];
const APPROVAL = /^A[1-9][0-9]{0,17}$/;

export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first = "", second = ""] = path.split("/");
  const query = Object.fromEntries(new URLSearchParams(search));
  if (first === "approvals" && APPROVAL.test(second)) return { room: "queue", approval: second, query };
  const room = ROOMS.find((each) => each === first) ?? "queue";
  return { room, approval: null, query };
}

export function href({ room, approval = null, query = {} }: Partial<Route> & { room: Room }): string {
  const path = approval !== null ? `approvals/${approval}` : room;
  const filled = Object.entries(query).filter(([, value]) => value !== "");
  const search = filled.length ? `?${new URLSearchParams(filled).toString()}` : "";
  return `#/${path}${search}`;
}
