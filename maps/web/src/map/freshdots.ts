// Far out only grids are drawn, and their shape comes with the next tiles. Until then each unit that changed hands is a dot
// in its new colour: an edit shows at once at any zoom.
import type { CircleLayerSpecification, ExpressionSpecification, GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import type { LonLat } from "./editormap.ts";

const ID = "fresh-dots";
const MOST = 5_000; // dots; of a larger act the tiles tell soon enough
const LEAST_PX = 1.6; // of a radius: still seen
const M_PER_PX = 156_543 / 2; // at the equator at zoom 0, tiles of 512 pixels

/** About as large as a unit is drawn; never too small to be seen. */
function radius(side_m: number, lat: number): ExpressionSpecification {
  const stops: number[] = [];
  for (let zoom = 6; zoom <= 18; zoom++) {
    stops.push(zoom, Math.max(LEAST_PX, (side_m / 2 / (M_PER_PX * Math.cos((lat * Math.PI) / 180))) * 2 ** zoom));
  }
  return ["interpolate", ["exponential", 2], ["zoom"], ...stops] as unknown as ExpressionSpecification;
}

export class FreshDots {
  private readonly map: MapLibre;
  private readonly place: (unit: number) => LonLat;
  private readonly dots = new Map<number, { fill: string; round: number }>();
  private round = 0;
  private drawing = 0;

  /** `below`: the zoom under which units are not drawn themselves; `ceiling`: the layer that lies above the dots. */
  constructor(map: MapLibre, place: (unit: number) => LonLat, unit: { side_m: number; lat: number }, below: number, ceiling: string) {
    this.map = map;
    this.place = place;
    map.addSource(ID, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const layer: CircleLayerSpecification = {
      id: ID, type: "circle", source: ID, maxzoom: below,
      paint: { "circle-radius": radius(unit.side_m, unit.lat), "circle-color": ["get", "fill"], "circle-stroke-color": "#1b2a38", "circle-stroke-width": 0.4 },
    };
    map.addLayer(layer, ceiling);
  }

  get size(): number {
    return this.dots.size;
  }

  /** These units have another colour than the tiles say. */
  put(units: readonly number[], fill: (unit: number) => string): void {
    for (const u of units) {
      if (this.dots.size >= MOST && !this.dots.has(u)) break;
      this.dots.set(u, { fill: fill(u), round: this.round });
    }
    this.draw();
  }

  /** Tiles are asked for anew: what they will tell needs no dot once they are there. */
  asked(): void {
    const before = this.round;
    this.round += 1;
    this.map.once("idle", () => {
      for (const [u, dot] of this.dots) if (dot.round <= before) this.dots.delete(u);
      this.draw();
    });
  }

  clear(): void {
    this.dots.clear();
    this.draw();
  }

  private draw(): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => {
      const features = [...this.dots].map(([u, { fill }]) => ({ type: "Feature" as const, properties: { fill }, geometry: { type: "Point" as const, coordinates: this.place(u) } }));
      this.map.getSource<GeoJSONSource>(ID)?.setData({ type: "FeatureCollection", features });
    });
  }
}
