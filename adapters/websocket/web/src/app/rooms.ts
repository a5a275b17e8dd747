// The rooms of the page, in the order of their keys.

import { Activity, KeyRound, ListChecks, SquareTerminal, type LucideIcon } from "lucide-react";

import type { Room } from "./route";

export const ROOMS: readonly { readonly room: Room; readonly icon: LucideIcon }[] = [
  { room: "queue", icon: ListChecks },
  { room: "activity", icon: Activity },
  { room: "leases", icon: KeyRound },
  { room: "remote", icon: SquareTerminal },
];
