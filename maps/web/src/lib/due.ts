// How late a case is.
import type { CaseRow } from "./types.ts";

const DAY_MS = 86_400_000;

/** Whole days past due (at least 1 when late at all) at an instant, of a case that was open then; 0: not late. */
export function lateDays(one: Pick<CaseRow, "due_at" | "closed_at" | "status">, asof: string | null): number {
  if (!one.due_at || one.status === "void") return 0;
  const until = one.closed_at ?? asof;
  if (!until) return 0;
  const over = Date.parse(until) - Date.parse(one.due_at);
  return over > 0 ? Math.max(1, Math.floor(over / DAY_MS)) : 0;
}
