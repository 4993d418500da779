// A small map of what a file holds, over the outlines that are loaded: does it lie where it should? Free of any framework.
import { Map as MapLibre } from "maplibre-gl";
import "./worker.ts";
import type { Geometry } from "geojson";
import type { Bbox } from "../lib/types.ts";
import * as style from "./style.ts";

const FILE = "#c2410c"; // what comes from the file; the ground is grey

const around = (a: Bbox | null, b: Bbox | null): Bbox =>
  a && b ? [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])] : (a ?? b ?? [70, 15, 140, 55]);

export class EvidenceMap {
  readonly map: MapLibre;

  constructor(container: HTMLElement, sample: readonly Geometry[], bbox: Bbox | null, city: Bbox | null, level: string | null, title: string) {
    this.map = new MapLibre({
      container, style: style.EMPTY_STYLE, bounds: around(bbox, city), fitBoundsOptions: { padding: 22 }, maxZoom: 17, attributionControl: false,
      dragRotate: false, pitchWithRotate: false, touchPitch: false, fadeDuration: 0, localIdeographFontFamily: style.FONTS,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.scrollZoom.disable(); // the page scrolls
    this.map.getCanvas().setAttribute("aria-label", title);
    this.map.once("load", () => this.build(sample, level));
  }

  private build(sample: readonly Geometry[], level: string | null): void {
    const { map } = this;
    if (level) {
      const url = new URL(`/tiles/boundaries/{z}/{x}/{y}.mvt?level=${encodeURIComponent(level)}`, location.origin).href.replaceAll("%7B", "{").replaceAll("%7D", "}");
      map.addSource("known", { type: "vector", tiles: [url], maxzoom: 14 });
      map.addLayer({ id: "known", type: "fill", source: "known", "source-layer": "boundaries", paint: { "fill-color": "#dbe4ea" } });
      map.addLayer({ id: "known-line", type: "line", source: "known", "source-layer": "boundaries", paint: { "line-color": "#5b6b78", "line-width": 1 } });
    }
    const features = sample.map((geometry) => ({ type: "Feature" as const, properties: {}, geometry }));
    map.addSource("file", { type: "geojson", data: { type: "FeatureCollection", features }, tolerance: 0.1 });
    const kind = (name: string): ["==", ["geometry-type"], string] => ["==", ["geometry-type"], name];
    map.addLayer({ id: "areas", type: "fill", source: "file", filter: kind("Polygon"), paint: { "fill-color": FILE, "fill-opacity": 0.14 } });
    map.addLayer({ id: "lines", type: "line", source: "file", filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": FILE, "line-width": 1.4 } });
    map.addLayer({ id: "dots", type: "circle", source: "file", filter: kind("Point"), paint: { "circle-radius": 3.2, "circle-color": FILE, "circle-opacity": 0.75, "circle-stroke-color": "#fff", "circle-stroke-width": 0.7 } });
  }

  destroy(): void {
    this.map.remove();
  }
}
