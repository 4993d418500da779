// The map without a framework: it is told what to show and reports what the reader does.
import {
  type ExpressionSpecification, type GeoJSONSource, type LayerSpecification, type MapGeoJSONFeature, type MapLayerMouseEvent, Map as MapLibre, type PointLike,
  type SourceSpecification,
} from "maplibre-gl";
import "./worker.ts";
import type { FeatureCollection } from "geojson";
import type { Bbox } from "../lib/types.ts";
import { OUTLINES_PER_TILE, zoomOf } from "./density.ts";
import { Sight } from "./sight.ts";
import * as style from "./style.ts";


export interface MapEvents {
  hover(code: string | null, x: number, y: number): void;
  facility(properties: Record<string, unknown> | null, x: number, y: number): void;
  select(code: string | null, more: boolean): void; // more: beside what is chosen already
  moved(camera: [zoom: number, lat: number, lon: number], byReader: boolean): void;
  idle(): void;
}

const LONG_PRESS_MS = 500;
const STATES_A_FRAME = 10_000; // colours told in one go: about 40 ms; fewer would draw the map more often than that saves
const NEAR_ZOOM = 15; // streets are named and a single case can be found

export type ZoneGeometry =
  | { kind: "tiles"; key: string; url: string; layer: string }
  | { kind: "shapes"; key: string; shapes: FeatureCollection };

export interface Label {
  name: string;
  text: string;
  lon: number;
  lat: number;
  order: number; // smaller wins where labels collide
  from: number; // the zoom from which it is shown
}

const tiles = (path: string): string => new URL(path, location.origin).href.replaceAll("%7B", "{").replaceAll("%7D", "}");

/** Room for the legend, which lies over the map: beside it on a desk, above it on a phone. */
function margins(container: HTMLElement): { left: number; right: number; top: number; bottom: number } {
  return container.clientWidth > 560
    ? { left: Math.min(190, container.clientWidth * 0.15), right: 52, top: 18, bottom: 18 }
    : { left: 16, right: 16, top: 76, bottom: 16 };
}

export class CityMap {
  readonly map: MapLibre;
  private readonly events: MapEvents;
  private readonly reducedMotion: boolean;
  private ready: Promise<void>;
  private zoneKey = "";
  private sourceLayer: string | null = null;
  private painted = new Map<string, string>();
  private home: Bbox | null; // fitted again while the page lays itself out, until the reader moves the map
  private lost: boolean; // nobody said yet where the city is
  private painting = 0; // the latest turn of colours
  private linesFrom = 0;
  private readonly bbox: Bbox | null; // of the city
  private hovered: string | null = null;
  private chosen = new Set<string>();
  private pressed: ReturnType<typeof setTimeout> | undefined; // a finger that stays chooses one more
  private pressedAt = -1e9; // when a long press last held or ended
  private pressing = false; // a long press holds

  constructor(container: HTMLElement, events: MapEvents, bbox: Bbox | null, camera: [number, number, number] | null) {
    this.events = events;
    this.home = camera ? null : bbox;
    this.bbox = bbox;
    this.lost = !camera && !bbox;
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const start = camera
      ? { zoom: camera[0], center: [camera[2], camera[1]] as [number, number] }
      : bbox
        ? { bounds: bbox, fitBoundsOptions: { padding: margins(container) } }
        : { zoom: 3, center: [104, 35] as [number, number] };
    this.map = new MapLibre({
      container, style: style.EMPTY_STYLE, ...start, maxZoom: 18.5, attributionControl: false, dragRotate: false,
      pitchWithRotate: false, touchPitch: false, fadeDuration: 0, localIdeographFontFamily: style.FONTS,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.ready = new Promise((done) => this.map.once("load", () => done()));
    this.listen();
  }

  private listen(): void {
    const { map, events } = this;
    map.on("idle", () => events.idle());
    map.on("resize", () => this.home && map.fitBounds(this.home, { padding: margins(map.getContainer()), animate: false }));
    for (const deed of ["mousedown", "touchstart", "wheel", "dragstart"] as const) map.on(deed, () => (this.home = null));
    map.getCanvas().addEventListener("keydown", () => (this.home = null));
    map.on("moveend", () => {
      const { lat, lng } = map.getCenter();
      events.moved([map.getZoom(), lat, lng], this.home === null);
    });
    map.on("mousemove", (e) => {
      const facility = this.at(e.point, "facilities")[0];
      events.facility(facility ? facility.properties : null, e.point.x, e.point.y);
      const code = facility ? null : this.codeAt(e.point);
      map.getCanvas().style.cursor = code ? "pointer" : "";
      events.hover(code, e.point.x, e.point.y);
    });
    map.on("mouseout", () => {
      events.hover(null, 0, 0);
      events.facility(null, 0, 0);
    });
    map.on("click", (e: MapLayerMouseEvent) => {
      const facility = this.at(e.point, "facilities")[0];
      if (facility) events.facility(facility.properties, e.point.x, e.point.y);
      else if (performance.now() - this.pressedAt > 700) {
        const { ctrlKey, metaKey, shiftKey } = e.originalEvent;
        events.select(this.codeAt(e.point), ctrlKey || metaKey || shiftKey);
      }
    });
    map.on("touchstart", (e) => {
      clearTimeout(this.pressed);
      if (e.points.length === 1) this.pressed = setTimeout(() => this.pressedLong(e.point), LONG_PRESS_MS);
    });
    for (const deed of ["touchend", "touchmove", "touchcancel"] as const) map.on(deed, () => this.letGo());
    map.on("contextmenu", (e) => e.preventDefault());
  }

  private letGo(): void {
    clearTimeout(this.pressed);
    if (this.pressing) this.pressedAt = performance.now(); // the click that follows is not another wish
    this.pressing = false;
  }

  private pressedLong(point: { x: number; y: number }): void {
    const code = this.codeAt([point.x, point.y]);
    if (code === null) return;
    this.pressing = true;
    this.events.select(code, true);
  }

  private at(point: PointLike, layer: string): MapGeoJSONFeature[] {
    return this.map.getLayer(layer) ? this.map.queryRenderedFeatures(point, { layers: [layer] }) : [];
  }

  private codeAt(point: PointLike): string | null {
    const found = this.at(point, style.ZONE_LAYER)[0];
    return found ? String(found.properties["code"]) : null;
  }

  private feature(code: string): { source: string; sourceLayer?: string; id: string } {
    return this.sourceLayer ? { source: style.ZONES, sourceLayer: this.sourceLayer, id: code } : { source: style.ZONES, id: code };
  }

  private drop(source: string, layers: string[]): void {
    for (const id of layers) if (this.map.getLayer(id)) this.map.removeLayer(id);
    if (this.map.getSource(source)) this.map.removeSource(source);
  }

  private add(layer: LayerSpecification, floor: style.Floor): void {
    this.map.addLayer(layer, style.ceiling(floor));
  }

  /** Geometry of the zones. The same key again changes nothing. */
  async setZones(geometry: ZoneGeometry | null): Promise<void> {
    await this.ready;
    const key = geometry?.key ?? "";
    if (key === this.zoneKey) return;
    const source = this.map.getSource<GeoJSONSource>(style.ZONES);
    const sameKind = geometry?.kind === "shapes" && this.zoneKey.startsWith("shapes");
    this.zoneKey = key;
    if (sameKind && source) {
      source.setData(geometry.shapes);
      return;
    }
    this.painted.clear();
    this.linesFrom = 0;
    this.hovered = null;
    this.chosen.clear();
    this.drop(style.ZONES, ["zones-mark", "zones-case", "zones-line", style.ZONE_LAYER]);
    if (!geometry) return;
    this.sourceLayer = geometry.kind === "tiles" ? geometry.layer : null;
    const specification: SourceSpecification =
      geometry.kind === "tiles"
        ? { type: "vector", tiles: [tiles(geometry.url)], maxzoom: 14, promoteId: "code" }
        : { type: "geojson", data: geometry.shapes, promoteId: "code", tolerance: 0.2 };
    this.map.addSource(style.ZONES, specification);
    // the mark of the chosen zone lies over the roads, its colour below them
    for (const layer of style.zoneLayers(this.sourceLayer)) this.add(layer, layer.id === "zones-mark" || layer.id === "zones-case" ? "marks" : "zones");
  }

  /**
   * Values travel apart from geometry: each zone's colour becomes its feature state, joined by code. Thousands go frame by
   * frame: a hand is answered in between.
   */
  async paint(codes: readonly string[], fills: readonly string[]): Promise<void> {
    await this.ready;
    if (!this.map.getLayer(style.ZONE_LAYER)) return;
    const turn = (this.painting += 1);
    this.thin(codes.length);
    const next = new Map(codes.map((code, i) => [code, fills[i] as string]));
    const gone = [...this.painted.keys()].filter((code) => !next.has(code));
    for (const code of gone) {
      this.map.removeFeatureState(this.feature(code), "fill");
      this.painted.delete(code);
    }
    const changed = [...next].filter(([code, fill]) => this.painted.get(code) !== fill);
    for (let i = 0; i < changed.length; i += STATES_A_FRAME) {
      if (i > 0) await new Promise(requestAnimationFrame);
      if (turn !== this.painting || !this.map.getLayer(style.ZONE_LAYER)) return; // newer colours are on their way
      for (const [code, fill] of changed.slice(i, i + STATES_A_FRAME)) {
        this.map.setFeatureState(this.feature(code), { fill });
        this.painted.set(code, fill);
      }
    }
  }

  /** Outlines of very many zones are drawn from the zoom on where they are lines. */
  private thin(zones: number): void {
    const from = this.bbox ? zoomOf(zones, this.bbox, OUTLINES_PER_TILE) : 0;
    if (from === this.linesFrom) return;
    this.linesFrom = from;
    this.map.setPaintProperty("zones-line", "line-opacity", style.linesFrom(from));
  }

  async hover(code: string | null): Promise<void> {
    await this.ready;
    if (this.hovered === code || !this.map.getSource(style.ZONES)) return;
    if (this.hovered !== null) this.map.setFeatureState(this.feature(this.hovered), { hover: false });
    if (code !== null) this.map.setFeatureState(this.feature(code), { hover: true });
    this.hovered = code;
    this.marks();
  }

  /** Mark the chosen zones, and only these. */
  async choose(codes: readonly string[]): Promise<void> {
    await this.ready;
    if (!this.map.getSource(style.ZONES)) return;
    const next = new Set(codes);
    for (const code of this.chosen) if (!next.has(code)) this.map.setFeatureState(this.feature(code), { selected: false });
    for (const code of next) if (!this.chosen.has(code)) this.map.setFeatureState(this.feature(code), { selected: true });
    this.chosen = next;
    this.marks();
  }

  /** The layers of marks are drawn while there is something to mark. */
  private marks(): void {
    const seen = { "zones-case": this.chosen.size > 0, "zones-mark": this.chosen.size > 0 || this.hovered !== null };
    for (const [layer, yes] of Object.entries(seen)) {
      if (this.map.getLayer(layer)) this.map.setPaintProperty(layer, "line-opacity", yes ? 1 : 0);
    }
  }

  /** Lines of the coarser levels, the coarsest thickest. */
  async setOutlines(levels: readonly string[]): Promise<void> {
    await this.ready;
    const wanted = new Set(levels.map((level) => `outline-${level}`));
    for (const { id } of this.map.getStyle().layers) if (id.startsWith("outline-") && !wanted.has(id)) this.drop(id, [id]);
    levels.forEach((level, i) => {
      const id = `outline-${level}`;
      if (this.map.getSource(id)) return;
      const url = tiles(`/tiles/boundaries/{z}/{x}/{y}.mvt?level=${encodeURIComponent(level)}`);
      this.map.addSource(id, { type: "vector", tiles: [url], maxzoom: 14 });
      this.add(style.outlineLayer(level, levels.length - i), "outlines");
    });
  }

  /** Our own roads, rails and waters as a quiet ground. */
  async setWays(): Promise<void> {
    await this.ready;
    if (this.map.getSource("ways")) return;
    this.map.addSource("ways", { type: "vector", tiles: [tiles("/tiles/ways/{z}/{x}/{y}.mvt")], maxzoom: 14, minzoom: 8 });
    for (const layer of style.WAY_LAYERS) this.add(layer, "ways");
    this.add(style.WAY_NAMES, "names");
  }

  /** A ground below everything, where the operator has configured one; its code is only fetched then. */
  async setBasemap(key: string | null, file: boolean): Promise<void> {
    await this.ready;
    if (!key && !file) return;
    const basemap = await import("./basemap.ts");
    if (file) await basemap.pmtiles(this.map, "/basemap.pmtiles");
    else if (key) basemap.tianditu(this.map, key);
  }

  get sight(): Sight {
    return Sight.of(this.map);
  }

  async setLabels(labels: readonly Label[]): Promise<void> {
    await this.ready;
    const data: FeatureCollection = {
      type: "FeatureCollection",
      features: labels.map(({ lon, lat, ...properties }) => ({
        type: "Feature", properties, geometry: { type: "Point", coordinates: [lon, lat] },
      })),
    };
    const source = this.map.getSource<GeoJSONSource>("labels");
    if (source) source.setData(data);
    else {
      this.map.addSource("labels", { type: "geojson", data });
      this.add(style.LABELS, "names");
    }
  }

  /** The places of single cases, for staff. */
  async setPoints(points: readonly [number, number][]): Promise<void> {
    await this.ready;
    const source = this.map.getSource<GeoJSONSource>("points");
    if (!source && !points.length) return;
    const data: FeatureCollection = {
      type: "FeatureCollection",
      features: points.map((coordinates) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [...coordinates] } })),
    };
    if (source) source.setData(data);
    else {
      this.map.addSource("points", { type: "geojson", data });
      this.add(style.POINTS, "facilities");
    }
  }

  /** One spot, ringed and brought into sight; null takes the ring away. */
  async setPlace(place: { lon: number; lat: number } | null, coveredPx: number): Promise<void> {
    await this.ready;
    const source = this.map.getSource<GeoJSONSource>("place");
    if (!source && !place) return;
    const data: FeatureCollection = {
      type: "FeatureCollection",
      features: place ? [{ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [place.lon, place.lat] } }] : [],
    };
    if (source) source.setData(data);
    else {
      this.map.addSource("place", { type: "geojson", data });
      this.add(style.PLACE, "facilities");
    }
    if (!place) return;
    this.home = null;
    const zoom = Math.max(this.map.getZoom(), NEAR_ZOOM);
    this.map.easeTo({ center: [place.lon, place.lat], zoom, offset: [0, -coveredPx / 2], animate: !this.reducedMotion, duration: 500 });
  }

  async setFacilities(kinds: readonly string[], colour: (kind: string) => string): Promise<void> {
    await this.ready;
    if (!kinds.length) return this.drop("facilities", ["facilities"]);
    if (!this.map.getSource("facilities")) {
      this.map.addSource("facilities", { type: "vector", tiles: [tiles("/tiles/facilities/{z}/{x}/{y}.mvt")], maxzoom: 14 });
      this.add(style.FACILITIES, "facilities");
    }
    this.map.setFilter("facilities", ["in", ["get", "kind"], ["literal", [...kinds]]]);
    const arms = kinds.flatMap((kind) => [kind, colour(kind)]);
    const expression = ["match", ["get", "kind"], ...arms, "#555555"] as unknown as ExpressionSpecification;
    this.map.setPaintProperty("facilities", "circle-color", expression);
  }

  fit(bbox: Bbox, maxZoom = 16): void {
    this.home = null;
    this.map.fitBounds(bbox, { padding: margins(this.map.getContainer()), maxZoom, animate: !this.reducedMotion, duration: 500 });
  }

  /** Where the city is, when no layer of it says so: around the zones that have cases. */
  settle(boxes: readonly Bbox[]): void {
    if (!this.lost || !boxes.length) return;
    this.lost = false;
    this.home = boxes.reduce(([w, s, e, n], b) => [Math.min(w, b[0]), Math.min(s, b[1]), Math.max(e, b[2]), Math.max(n, b[3])]);
    this.map.fitBounds(this.home, { padding: margins(this.map.getContainer()), animate: false });
  }

  /** Bring a zone into sight only when it is not: the map does not jump about under the reader. */
  reveal(bbox: Bbox, coveredPx: number): void {
    if (this.home && !coveredPx) return; // the whole city is in sight
    const box = this.map.getContainer();
    const [left, bottom] = [this.map.project([bbox[0], bbox[1]]).x, this.map.project([bbox[0], bbox[1]]).y];
    const [right, top] = [this.map.project([bbox[2], bbox[3]]).x, this.map.project([bbox[2], bbox[3]]).y];
    if (left >= 0 && top >= 0 && right <= box.clientWidth && bottom <= box.clientHeight - coveredPx) return;
    this.home = null;
    const padding = { ...margins(box) };
    padding.bottom += coveredPx;
    const small = right - left < 16 && bottom - top < 16;
    const camera = this.map.cameraForBounds(bbox, { padding, maxZoom: this.map.getZoom() + (small ? 2 : 0) });
    if (camera) this.map.easeTo({ ...camera, animate: !this.reducedMotion, duration: 500 });
  }

  zoom(by: number): void {
    this.home = null;
    this.map.zoomTo(this.map.getZoom() + by, { animate: !this.reducedMotion, duration: 250 });
  }

  describe(title: string): void {
    this.map.getCanvas().setAttribute("aria-label", title);
  }

  /** The picture as it stands, for paper. */
  picture(): string {
    this.map.redraw();
    return this.map.getCanvas().toDataURL("image/png");
  }

  resize(): void {
    this.map.resize();
  }

  destroy(): void {
    this.map.remove();
  }
}
