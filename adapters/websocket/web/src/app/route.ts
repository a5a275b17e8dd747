// Where the reader is now, and going elsewhere.

import { Value, useValue } from "../store";
import { href, parse, type Room, type Route } from "./address";

export { href, type Room, type Route } from "./address";

export const route = new Value<Route>(parse(location.hash));
addEventListener("hashchange", () => route.set(parse(location.hash)));

/** Go there; `replace` leaves no step to go back to, as while somebody types a filter. */
export function go(to: Partial<Route> & { room: Room }, replace = false): void {
  const hash = href(to);
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, "", hash);
    route.set(parse(hash));
  } else {
    location.hash = hash;
  }
}

export function useRoute(): Route {
  return useValue(route);
}
