// Grids as rows: out of the service's table, and as they stand with what is painted and not yet answered.
import { type Batch, NEW } from "./batching.ts";
import type { GridRow, Table } from "./types.ts";

/** The table of grids row by row. */
export function rowsOf(table: Table): GridRow[] {
  return table.codes.map((code, g) => ({
    code, name: table.names[g] ?? code, units: table.units[g] ?? 0,
    loads: Object.fromEntries(Object.entries(table.loads).map(([name, loads]) => [name, loads[g] ?? 0])),
    deviation: table.deviation[g] ?? null, area_m2: table.area_m2[g] ?? 0, perimeter_m: table.perimeter_m[g] ?? 0,
    compactness: table.compactness[g] ?? 0, parts: table.parts[g] ?? 1, contiguous: (table.parts[g] ?? 1) <= 1, areas: table.areas[g] ?? 1,
    crossing: table.crossing[g] ?? false, cut_edges: table.cut_edges[g] ?? 0, posts: table.posts[g] ?? 1, locked: table.locked[g] ?? false,
  }));
}

interface Weighed {
  readonly area_m2: ArrayLike<number>;
  readonly loads: Readonly<Record<string, ArrayLike<number>>>;
}
interface Sum {
  units: number;
  area: number;
  loads: Record<string, number>;
}

/** What strokes take from grids and give to others. */
function sums(painted: readonly Batch[], ground: Weighed): Map<string, Sum> {
  const change = new Map<string, Sum>();
  const add = (code: string | null, u: number, sign: number): void => {
    if (code === null) return;
    let sum = change.get(code);
    if (!sum) change.set(code, (sum = { units: 0, area: 0, loads: {} }));
    sum.units += sign;
    sum.area += sign * (ground.area_m2[u] as number);
    for (const [name, loads] of Object.entries(ground.loads)) sum.loads[name] = (sum.loads[name] ?? 0) + sign * (loads[u] as number);
  };
  for (const batch of painted) {
    for (const [u, before] of batch.before()) {
      add(before, u, -1);
      add(batch.targets().get(u) ?? null, u, 1);
    }
  }
  return change;
}

/** The rows that the service told, with strokes on top; a grid without a unit is left out, but for the one to be made. */
export function withPaint(
  told: ReadonlyMap<string, GridRow>, painted: readonly Batch[], ground: Weighed, judged: { weight: string; loadPerPost: number },
  nameOf: (code: string) => string,
): GridRow[] {
  const rows = new Map(told);
  for (const [code, sum] of sums(painted, ground)) {
    const row = rows.get(code) ?? blank(code, nameOf(code));
    const loads = Object.fromEntries(Object.keys(ground.loads).map((name) => [name, (row.loads[name] ?? 0) + (sum.loads[name] ?? 0)]));
    const fair = judged.loadPerPost * row.posts;
    const deviation = fair > 0 ? (loads[judged.weight] ?? 0) / fair - 1 : null;
    rows.set(code, { ...row, units: row.units + sum.units, area_m2: row.area_m2 + sum.area, loads, deviation });
  }
  return [...rows.values()].filter((row) => row.units > 0 || row.code === NEW);
}

function blank(code: string, name: string): GridRow {
  return {
    code, name, units: 0, loads: {}, deviation: null, area_m2: 0, perimeter_m: 0, compactness: 0,
    parts: 1, contiguous: true, areas: 1, crossing: false, cut_edges: 0, posts: 1, locked: false,
  };
}
