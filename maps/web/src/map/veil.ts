// The dark veil over ground that changes hands: thin far out, where much ground is in sight, and denser near by. Map and legend
// are drawn with the same numbers.

export const VEIL = "#0b1620";
export const VEIL_LINE = "#f2c14e";
/** Zoom and opacity, in between in proportion. */
export const VEIL_STOPS = [[10, 0.22], [13, 0.45]] as const;
export const VEIL_LINED_FROM = 12.5; // its border would be all there is to see farther out

/** How dark the veil is at a zoom, 0 to 1. */
export function veilAt(zoom: number): number {
  const [[far, thin], [near, dense]] = VEIL_STOPS;
  const share = Math.min(1, Math.max(0, (zoom - far) / (near - far)));
  return thin + share * (dense - thin);
}
