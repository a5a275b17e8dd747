// Where the reader is now, and going elsewhere.

import { Value, useValue } from "../store";
import { href, parse, type Room, type Route } from "./address";
import { goWhereWanted } from "./wanted";

export { href, type Room, type Route } from "./address";

goWhereWanted();
let at = location.hash;
export const route = new Value<Route>(parse(at));
addEventListener("hashchange", arrive);

function arrive(): void {
  if (location.hash === at) return;
  at = location.hash;
  route.set(parse(at));
}

/** Be there at once, so that the next key starts from there; `replace` leaves no step to go back to, as while somebody types a filter. */
export function go(to: Partial<Route> & { room: Room }, replace = false): void {
  const hash = href(to);
  if (hash === location.hash) return;
  if (replace) history.replaceState(null, "", hash);
  else location.hash = hash;
  arrive();
}

export function useRoute(): Route {
  return useValue(route);
}
