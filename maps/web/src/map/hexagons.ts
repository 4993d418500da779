// Hexagons (H3) are drawn from their codes: the cells that have cases, no geometry over the wire.
import type { FeatureCollection, Polygon } from "geojson";
import { cellToBoundary, cellToLatLng } from "h3-js";
import type { Bbox, Zones } from "../lib/types.ts";

export function shapes(codes: readonly string[]): FeatureCollection<Polygon> {
  return {
    type: "FeatureCollection",
    features: codes.map((code) => ({
      type: "Feature", properties: { code }, geometry: { type: "Polygon", coordinates: [cellToBoundary(code, true)] },
    })),
  };
}

function box(code: string): Bbox {
  const ring = cellToBoundary(code, true);
  const [lon, lat] = [ring.map((p) => p[0] as number), ring.map((p) => p[1] as number)];
  return [Math.min(...lon), Math.min(...lat), Math.max(...lon), Math.max(...lat)];
}

/** The same table that the service gives for other zones. */
export function zonesOf(codes: readonly string[], name: (code: string) => string): Zones {
  const centres = codes.map((code) => cellToLatLng(code));
  return {
    by: "hexagon", plan: null, codes: [...codes], names: codes.map(name), parents: codes.map(() => null), area_m2: codes.map(() => null),
    households: null, lon: centres.map((c) => c[1]), lat: centres.map((c) => c[0]), bbox: codes.map(box),
  };
}
