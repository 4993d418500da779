// What a weight is called.
import { store } from "../../lib/store.svelte.ts";
import { MESSAGES, type Key } from "../../lib/messages.ts";

export const WEIGHTS = ["cases", "workload", "households", "area"] as const;

/** The weight's name in the reader's language; a column of the city's own as it is. */
export function wordOf(weight: string): string {
  const key = `w_${weight}`;
  return key in MESSAGES ? store.t(key as Key) : weight.replaceAll("_", " ");
}
