// What the whole city's value is, from the values of its zones: to put one zone beside it.
import type { Heat, Zones } from "./types.ts";

/**
 * Additive measures: the mean of a zone. Shares: of all cases behind them. Rates: of all cases over all ground or all
 * households. Null for a median (it does not follow from the parts) and where something is hidden.
 */
export function cityValue(heat: Heat, zones: Zones | null): number | null {
  if (!heat.codes.length || heat.suppressed.some(Boolean)) return null;
  const sum = (values: readonly (number | null)[]): number => values.reduce<number>((all, v) => all + (v ?? 0), 0);
  if (heat.unit === "cases") return sum(heat.values) / heat.codes.length;
  if (heat.unit === "share") {
    const n = sum(heat.n);
    return n ? sum(heat.values.map((v, i) => (v ?? 0) * (heat.n[i] ?? 0))) / n : null;
  }
  const size = heat.unit === "cases/km²" ? sum(zones?.area_m2 ?? []) / 1e6 : heat.unit === "cases/1000 households" ? sum(zones?.households ?? []) / 1e3 : 0;
  return size > 0 ? sum(heat.n) / size : null;
}
