// From which zoom on things of a city can be drawn one by one: so that no tile holds more of them than it draws well.
import type { Bbox } from "../lib/types.ts";

export const OUTLINES_PER_TILE = 1_000; // outlines that are still lines and not a grey

/** The zoom from which so many things of a city lie at most `perTile` to a tile; 0 where there are few. */
export function zoomOf(things: number, bbox: Bbox, perTile: number): number {
  const mercator = (lat: number): number => Math.asinh(Math.tan((lat * Math.PI) / 180)) / (2 * Math.PI);
  const area = Math.max(1e-12, ((bbox[2] - bbox[0]) / 360) * (mercator(bbox[3]) - mercator(bbox[1])));
  if (things <= 2 * perTile) return 0;
  return Math.max(0, Math.min(15, Math.ceil(Math.log2(things / area / perTile) / 2)));
}

