// A plan to look at: its grids in colours, the ground that changes hands above them. Two of them move together.
import { type GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import "./worker.ts";
import type { FeatureCollection } from "geojson";
import type { Bbox } from "../lib/types.ts";
import * as style from "./style.ts";
import { VEIL, VEIL_LINE, VEIL_LINED_FROM, VEIL_STOPS } from "./veil.ts";


export class PlanMap {
  readonly map: MapLibre;
  private ready: Promise<void>;
  private following = false;
  private whole: Bbox | null; // what is fitted to every size of the map, until a person moves it

  constructor(container: HTMLElement, bbox: Bbox, plan: { id: number; draft: boolean; tiles?: string }, title: string) {
    this.map = new MapLibre({
      container, style: style.EMPTY_STYLE, bounds: bbox, fitBoundsOptions: { padding: 16 }, maxZoom: 18, attributionControl: false, dragRotate: false,
      pitchWithRotate: false, touchPitch: false, fadeDuration: 0, localIdeographFontFamily: style.FONTS,
    });
    this.whole = bbox;
    this.map.on("movestart", (event) => {
      if (event.originalEvent) this.whole = null;
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.getCanvas().setAttribute("aria-label", title);
    this.ready = new Promise((done) => this.map.once("load", () => done(this.build(plan))));
  }

  private build(plan: { id: number; draft: boolean; tiles?: string }): void {
    const path = plan.tiles ?? (plan.draft ? `/tiles/grids/{z}/{x}/{y}.mvt?plan=${plan.id}` : `/tiles/plans/${plan.id}/grids/{z}/{x}/{y}.mvt`);
    const { map } = this;
    map.addSource("grids", { type: "vector", tiles: [new URL(path, location.origin).href.replaceAll("%7B", "{").replaceAll("%7D", "}")], maxzoom: 14, promoteId: "code" });
    const from = { source: "grids", "source-layer": "grids" };
    map.addLayer({
      id: "fill", type: "fill", ...from,
      paint: { "fill-color": ["to-color", ["coalesce", ["feature-state", "fill"], style.GROUND], style.GROUND], "fill-opacity": 0.85, "fill-antialias": false },
    }, style.ceiling("zones"));
    map.addLayer({
      id: "line", type: "line", ...from, layout: { "line-join": "round" },
      paint: { "line-color": "#1b2a38", "line-opacity": 0.8, "line-width": ["interpolate", ["linear"], ["zoom"], 10, 0.5, 15, 2] },
    }, style.ceiling("marks"));
    map.addSource("changed", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer({ id: "changed", type: "fill", source: "changed", paint: { "fill-color": VEIL, "fill-antialias": false, "fill-opacity": ["interpolate", ["linear"], ["zoom"], ...VEIL_STOPS.flat()] } }, style.ceiling("outlines"));
    map.addLayer({ id: "changed-line", type: "line", source: "changed", minzoom: VEIL_LINED_FROM, paint: { "line-color": VEIL_LINE, "line-width": 1.4 } }, style.ceiling("marks"));
  }

  async paint(fills: ReadonlyMap<string, string>): Promise<void> {
    await this.ready;
    for (const [code, fill] of fills) this.map.setFeatureState({ source: "grids", sourceLayer: "grids", id: code }, { fill });
  }

  async setChanged(changed: FeatureCollection | null, shown: boolean): Promise<void> {
    await this.ready;
    if (changed) this.map.getSource<GeoJSONSource>("changed")?.setData(changed);
    for (const id of ["changed", "changed-line"]) this.map.setLayoutProperty(id, "visibility", shown ? "visible" : "none");
  }

  async setWays(): Promise<void> {
    await this.ready;
    this.map.addSource("ways", { type: "vector", tiles: [new URL("/tiles/ways/", location.origin).href + "{z}/{x}/{y}.mvt"], maxzoom: 14, minzoom: 8 });
    for (const layer of style.WAY_LAYERS) this.map.addLayer(layer, style.ceiling("ways"));
  }

  /** The borders of a plan that was approved, dashed below those of this one: seen where they are no borders any more. */
  async setBefore(plan: number): Promise<void> {
    await this.ready;
    this.map.addSource("before", { type: "vector", tiles: [new URL(`/tiles/plans/${plan}/grids/`, location.origin).href + "{z}/{x}/{y}.mvt"], maxzoom: 14 });
    this.map.addLayer({
      id: "before", type: "line", source: "before", "source-layer": "grids",
      paint: { "line-color": "#b3261e", "line-opacity": 0.75, "line-dasharray": [3, 2], "line-width": ["interpolate", ["linear"], ["zoom"], 10, 0.6, 15, 1.8] },
    }, "line");
  }

  /** Tells the code of the grid that is clicked; null beside all. */
  async onPick(listener: (code: string | null) => void): Promise<void> {
    await this.ready;
    this.map.on("click", (event) => {
      const code: unknown = this.map.queryRenderedFeatures(event.point, { layers: ["fill"] })[0]?.properties["code"];
      listener(typeof code === "string" ? code : null);
    });
    this.map.on("mousemove", "fill", () => (this.map.getCanvas().style.cursor = "pointer"));
    this.map.on("mouseleave", "fill", () => (this.map.getCanvas().style.cursor = ""));
  }

  /** Outlines one grid. */
  async setPicked(code: string | null): Promise<void> {
    await this.ready;
    if (!this.map.getLayer("picked")) {
      const line = { "line-color": "#0b1620", "line-width": 4 };
      this.map.addLayer({ id: "picked", type: "line", source: "grids", "source-layer": "grids", layout: { "line-join": "round" }, paint: line }, style.ceiling("marks"));
    }
    this.map.setFilter("picked", ["==", ["get", "code"], code ?? ""]);
  }

  /** Whether a box is in sight, wholly. */
  shows(box: Bbox): boolean {
    const seen = this.map.getBounds();
    return seen.contains([box[0], box[1]]) && seen.contains([box[2], box[3]]);
  }

  /** Moves with another map, and moves it. */
  together(other: PlanMap): void {
    const lead = (from: PlanMap, to: PlanMap): void => {
      from.map.on("move", () => {
        if (from.following) return;
        to.whole = from.whole;
        to.following = true;
        to.map.jumpTo({ center: from.map.getCenter(), zoom: from.map.getZoom() });
        to.following = false;
      });
    };
    lead(this, other);
    lead(other, this);
  }

  fit(bbox: Bbox): void {
    this.whole = null;
    this.map.fitBounds(bbox, { padding: 40, maxZoom: 15.5, animate: false });
  }
  resize(): void {
    this.map.resize();
    if (this.whole) this.map.fitBounds(this.whole, { padding: 16, animate: false });
  }
  destroy(): void {
    this.map.remove();
  }
}
