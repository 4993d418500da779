// The middle of a drawn line, as the screen shows it.
import type { LonLat, Pointer } from "../../map/editormap.ts";

/** Half way along a line on the screen; `screen` tells where a place is in pixels. Null for a line without a point. */
export function midway(line: readonly LonLat[], screen: (at: LonLat) => [number, number]): Pointer | null {
  const points = line.map((p) => screen(p));
  const far = points.map(([x, y], i) => (i ? Math.hypot(x - (points[i - 1]?.[0] ?? 0), y - (points[i - 1]?.[1] ?? 0)) : 0));
  let left = far.reduce((a, b) => a + b, 0) / 2;
  for (let i = 1; i < points.length; i++) {
    const long = far[i] as number;
    if (left <= long) {
      const f = long ? left / long : 0;
      const [a, b] = [line[i - 1] as LonLat, line[i] as LonLat];
      const at: LonLat = [a[0] + (b[0] - a[0]) * f, a[1] + (b[1] - a[1]) * f];
      const [x, y] = screen(at);
      return { at, x, y, shift: false, alt: false };
    }
    left -= long;
  }
  return null;
}
