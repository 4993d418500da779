// Which grids are named on the map: those whose ground is wide enough for a name at this zoom, and in sight. Names of all
// 20 000 grids of a city would be written, sent to the map's thread and sorted out there to show thirty.
import type { Sight } from "../../map/sight.ts";

export interface Named {
  code: string;
  area_m2: number;
}

const NAME_PX = 70;
const LEAST_SIDE_M = 30;

/** The zoom at which a name of about 70 pixels fits into so much ground. */
export function namedFrom(area_m2: number, lat: number): number {
  const side_m = Math.max(LEAST_SIDE_M, Math.sqrt(area_m2 || 1));
  return Math.log2((NAME_PX * 156_543 * Math.cos((lat * Math.PI) / 180)) / side_m / 2);
}

/** The middle of each grid's units, weighed by their ground; `at[2 * g]` and `at[2 * g + 1]` in degrees, NaN for a grid without units. */
export function middles(grid: Int32Array, grids: number, places: { lon: Float64Array; lat: Float64Array; area_m2: Float64Array }): Float64Array {
  const at = new Float64Array(2 * grids);
  const ground = new Float64Array(grids);
  for (let u = 0; u < grid.length; u++) {
    const g = grid[u] as number;
    if (g < 0) continue;
    const a = places.area_m2[u] as number;
    ground[g] = (ground[g] as number) + a;
    at[2 * g] = (at[2 * g] as number) + a * (places.lon[u] as number);
    at[2 * g + 1] = (at[2 * g + 1] as number) + a * (places.lat[u] as number);
  }
  for (let g = 0; g < grids; g++) {
    at[2 * g] = (at[2 * g] as number) / (ground[g] as number);
    at[2 * g + 1] = (at[2 * g + 1] as number) / (ground[g] as number);
  }
  return at;
}

/** Rows that are named in this sight, with the zoom from which they are. */
export function namedIn<T extends Named>(rows: readonly T[], lat: number, sight: Sight, middleOf: (row: T) => readonly [number, number]): { row: T; from: number; lon: number; lat: number }[] {
  const found: { row: T; from: number; lon: number; lat: number }[] = [];
  for (const row of rows) {
    const from = namedFrom(row.area_m2, lat);
    if (!sight.near(from)) continue;
    const [x, y] = middleOf(row);
    if (sight.holds(x, y, from)) found.push({ row, from, lon: x, lat: y });
  }
  return found;
}

/** The median; 0 of nothing. */
export function middling(values: Float64Array): number {
  return values.slice().sort()[values.length >> 1] ?? 0;
}
