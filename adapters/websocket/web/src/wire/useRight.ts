import { useQuery } from "@tanstack/react-query";

import { get } from "./http";

/** Whether the reader has a right; false until the hub has said so. The hub asks for it all the same. */
export function useRight(right: string): boolean {
  const known = useQuery({ queryKey: ["me"], queryFn: () => get<{ rights: string[] }>("/v1/me") });
  return known.data?.rights.includes(right) ?? false;
}
