// Classes, colours and legend rows; the limits come from the service (maps/classify.py), lower-inclusive.

export const NO_DATA = -1;
export const HIDDEN = -2;

/** The class of a value: 0 …, or NO_DATA, or HIDDEN (a count too small to be shown). */
export function classOf(value: number | null | undefined, suppressed: boolean, limits: number[]): number {
  if (suppressed) return HIDDEN;
  if (value === null || value === undefined || !Number.isFinite(value) || !limits.length) return NO_DATA;
  let found = 0;
  for (let i = 1; i < limits.length; i++) if (value >= (limits[i] as number)) found = i;
  return found;
}

/** `count` colours evenly along a ramp, as maps/classify.py does it. */
export function colours(ramp: readonly string[], count: number): string[] {
  const parts = ramp.map((c) => [1, 3, 5].map((i) => Number.parseInt(c.slice(i, i + 2), 16)));
  return Array.from({ length: count }, (_, i) => {
    const at = count > 1 ? (i * (parts.length - 1)) / (count - 1) : (parts.length - 1) / 2;
    const low = Math.min(Math.floor(at), parts.length - 2);
    const mix = [0, 1, 2].map((c) => {
      const [a, b] = [parts[low]?.[c] ?? 0, parts[low + 1]?.[c] ?? 0];
      return Math.floor(a + (b - a) * (at - low) + 0.5);
    });
    return `#${mix.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
  });
}

export interface LegendRow {
  label: string;
  low: string; // the lower limit alone, where there is little room
  zones: number; // how many zones are in the class
}

/**
 * Words for each class: whole numbers read "5 – 19", others "1.5 – 2"; the last has no upper limit; a first class that
 * holds nothing but zero reads "0".
 */
export function legendRows(
  limits: number[], classes: number[], values: (number | null)[], whole: boolean, say: (v: number) => string,
): LegendRow[] {
  return limits.map((low, i) => {
    const next = limits[i + 1];
    const members = values.filter((_, k) => classes[k] === i);
    const last = next === undefined ? undefined : whole ? next - 1 : next;
    const highest = members.reduce<number>((most, v) => Math.max(most, v ?? most), low);
    const alone = low === 0 && members.every((v) => v === 0);
    const label = alone ? say(0) : last === undefined ? (limits.length > 1 && highest !== low ? `≥ ${say(low)}` : say(low)) : last > low ? `${say(low)} – ${say(last)}` : say(low);
    return { label, low: say(low), zones: members.length };
  });
}

/** Wilson's 95 % interval of a share (Wilson 1927): honest for few cases and near 0 or 1. */
export function wilson(share: number, n: number): [number, number] {
  const z = 1.959964;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
