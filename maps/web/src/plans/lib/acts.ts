// The words of acts and of broken rules.
import type { Violation } from "./types.ts";

/** A rule that stands in the way of approval. */
export const isWall = (v: Violation): boolean => v.code !== "several-parts";

export function actWord(act: string): "ac_assign" {
  return (`ac_${act}` in WORDS ? `ac_${act}` : "ac_other") as "ac_assign";
}
const WORDS = Object.fromEntries(
  ["assign", "split", "merge", "fix", "lock", "unlock", "posts", "rename", "configure", "undo", "redo", "rebalance", "cut"].map((act) => [`ac_${act}`, true]),
);
