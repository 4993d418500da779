// How far a grid is from its fair load, as people read it.

/** "+12%", "−3%", "±0%"; a dash where nothing weighs anything. */
export function percent(deviation: number | null, digits = 0): string {
  if (deviation === null) return "—";
  const value = deviation * 100;
  return `${value > 0.5 ? "+" : value < -0.5 ? "−" : "±"}${Math.abs(value).toFixed(digits)}%`;
}
