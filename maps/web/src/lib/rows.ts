// The zones of a heat map as rows, the highest first, with their ranks and how sure these are.
import type { Heat, Indicators } from "./types.ts";

export interface Row {
  code: string;
  name: string;
  parent: string | null;
  value: number | null;
  n: number | null;
  suppressed: boolean;
  rank: number | null; // 1 = highest
  ranks: readonly [low: number, high: number] | null; // that it may hold; for staff
  group: number | null; // of zones that chance alone may have put in this order
}

export function rowsOf(heat: Heat, nameOf: (code: string) => string, parentOf: (code: string) => string | null): Row[] {
  return heat.codes.map((code, i) => ({
    code, name: nameOf(code), parent: parentOf(code),
    value: heat.values[i] ?? null, n: heat.n[i] ?? null, suppressed: heat.suppressed[i] ?? false, rank: null, ranks: null, group: null,
  }));
}

/** The ranks each row may hold, and whom it cannot be told apart from. */
export function tellRanges(rows: readonly Row[], sure: Indicators): void {
  const spot = new Map(sure.codes.map((code, i) => [code, i]));
  for (const row of rows) {
    const i = spot.get(row.code);
    if (i === undefined) continue;
    const [low, high] = [sure.rank_low[i], sure.rank_high[i]];
    row.ranks = typeof low === "number" && typeof high === "number" ? [low, high] : null;
    row.group = sure.group[i] ?? null;
  }
}

/** The highest first; equals share a rank. "First with nothing" says nothing, unless little is good. */
export function ranked(rows: Row[], goodIsHigh: boolean): Row[] {
  rows.sort((a, b) => (b.value ?? -1) - (a.value ?? -1) || (a.code < b.code ? -1 : 1));
  let rank = 0;
  rows.forEach((row, i) => {
    if (row.value === null || (row.value === 0 && !goodIsHigh)) return;
    if (i === 0 || row.value !== rows[i - 1]?.value) rank = i + 1;
    row.rank = rank;
  });
  return rows;
}
