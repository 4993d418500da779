// The editor's map without a framework: units and grids as tiles, colours as feature state, gestures reported in degrees.
import { type GeoJSONSource, Map as MapLibre, type PointLike, type VectorTileSource } from "maplibre-gl";
import "./worker.ts";
import type { FeatureCollection } from "geojson";
import type { Bbox } from "../lib/types.ts";
import { editorLayers, GRID_NAMES, GRIDS, PICKED_DOTS, UNITS, WIDTHS } from "./editorstyle.ts";
import { OUTLINES_PER_TILE, zoomOf } from "./density.ts";
import { FreshDots } from "./freshdots.ts";
import { Sight } from "./sight.ts";
import * as style from "./style.ts";


export type LonLat = [lon: number, lat: number];
export interface Pointer {
  at: LonLat;
  x: number;
  y: number;
  shift: boolean;
  alt: boolean;
}

export interface EditorEvents {
  down(p: Pointer): void;
  move(p: Pointer): void;
  up(p: Pointer): void;
  cancel(): void;
  hover(p: Pointer | null): void;
  moved(): void;
  idle(): void;
}

/** What the map asks of the plan: colours by unit, places by box. */
export interface Scene {
  ids: ArrayLike<number>; // of units
  inBox(west: number, south: number, east: number, north: number): number[];
  fill(unit: number): string;
  open(unit: number): boolean;
  place(unit: number): LonLat;
  side_m: number; // of a unit of middling size
}

const ALL_AT_ONCE = 25_000; // so many units get their colours once and for all
const MOST_KEPT = 40_000; // colours of units far away are forgotten beyond this
const REFRESH_MS = 450; // after an edit: several in a row ask for tiles once
const STATES_A_FRAME = 10_000; // colours told in one go: about 40 ms; fewer would draw the map more often than that saves
const UNITS_PER_TILE = 2_500; // units that one tile draws well
const tiles = (path: string): string => new URL(path, location.origin).href.replaceAll("%7B", "{").replaceAll("%7D", "}");

/** A colour under a picked unit: mixed with ink. */
function darker(colour: string): string {
  const value = Number.parseInt(colour.slice(1), 16);
  const mixed = [16, 8, 0].map((shift, i) => Math.round(((value >> shift) & 255) * 0.56 + ([11, 22, 32][i] as number) * 0.44));
  return `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

export class EditorMap {
  readonly map: MapLibre;
  readonly unitsFrom: number;
  private readonly outlinesFrom: number;
  private readonly events: EditorEvents;
  private readonly scene: Scene;
  private readonly grids: string; // address of the grids' tiles
  private readonly painted = new Map<number, string>(); // unit index → what it was told
  private picked = new Set<number>();
  private active: string | null = null;
  private hovered: string | null = null;
  private readonly gridFills = new Map<string, string>();
  private fresh: FreshDots | null = null; // null: units are drawn at every zoom
  private named = false; // names are shown
  private painting = 0; // the latest turn of colours
  private ready: Promise<void>;
  private drawing = false; // a tool other than moving the map is in hand
  private stroke: number | null = null; // pointer that draws
  private refresh = 0;
  private readonly wide = new Set<string>();
  readonly reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;

  constructor(container: HTMLElement, events: EditorEvents, scene: Scene, bbox: Bbox, plan: { id: number; ground: string; draft: boolean; grids: number }) {
    this.events = events;
    this.scene = scene;
    this.unitsFrom = zoomOf(scene.ids.length, bbox, UNITS_PER_TILE);
    this.outlinesFrom = zoomOf(plan.grids, bbox, OUTLINES_PER_TILE);
    this.map = new MapLibre({
      container, style: style.EMPTY_STYLE, bounds: bbox, fitBoundsOptions: { padding: { top: 96, left: 30, right: 50, bottom: 56 } }, maxZoom: 18.9, attributionControl: false, dragRotate: false,
      pitchWithRotate: false, touchPitch: false, fadeDuration: 0, localIdeographFontFamily: style.FONTS, boxZoom: false, doubleClickZoom: false,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.grids = plan.draft ? `/tiles/grids/{z}/{x}/{y}.mvt?plan=${plan.id}` : `/tiles/plans/${plan.id}/grids/{z}/{x}/{y}.mvt`;
    this.ready = new Promise((done) => this.map.once("load", () => done(this.build(plan.ground))));
    this.listen(container);
  }

  private build(ground: string): void {
    const { map } = this;
    map.addSource(UNITS, { type: "vector", tiles: [tiles(`/tiles/units/{z}/{x}/{y}.mvt?state=${ground}`)], minzoom: Math.floor(this.unitsFrom), maxzoom: 15 });
    map.addSource(GRIDS, { type: "vector", tiles: [tiles(this.grids)], maxzoom: 15, promoteId: "code" });
    for (const layer of editorLayers(this.unitsFrom, this.outlinesFrom)) map.addLayer(layer, style.ceiling(layer.id.endsWith("fill") ? "zones" : "marks"));
    map.addSource("grid-names", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer(GRID_NAMES, style.ceiling("names"));
    map.addSource("picked-dots", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer({ ...PICKED_DOTS, ...(this.unitsFrom > 0 ? { maxzoom: this.unitsFrom } : {}) } as typeof PICKED_DOTS, style.ceiling("marks"));
    if (this.unitsFrom === 0) map.setLayoutProperty("picked-dots", "visibility", "none");
    else this.fresh = new FreshDots(map, this.scene.place, { side_m: this.scene.side_m, lat: map.getCenter().lat }, this.unitsFrom, style.ceiling("marks"));
    this.recolour(null);
  }

  // ── pointers ───────────────────────────────────────────────────────────────────────────────────────────────────
  private listen(container: HTMLElement): void {
    const { map, events } = this;
    map.on("idle", () => events.idle());
    map.on("moveend", () => {
      this.paintView();
      events.moved();
    });
    const box = map.getCanvasContainer();
    const pointer = (e: PointerEvent): Pointer => {
      const at = container.getBoundingClientRect();
      const [x, y] = [e.clientX - at.left, e.clientY - at.top];
      const { lng, lat } = map.unproject([x, y]);
      return { at: [lng, lat], x, y, shift: e.shiftKey, alt: e.altKey };
    };
    const pointers = new Set<number>();
    box.addEventListener("pointerdown", (e) => {
      pointers.add(e.pointerId);
      if (pointers.size > 1 && this.stroke !== null) { // a second finger: the map is meant, not the plan
        this.stroke = null;
        return events.cancel();
      }
      if (!this.drawing || e.button !== 0 || pointers.size > 1) return;
      this.stroke = e.pointerId;
      box.setPointerCapture(e.pointerId);
      events.down(pointer(e));
    });
    box.addEventListener("pointermove", (e) => {
      const p = pointer(e);
      if (this.stroke === e.pointerId) for (const step of e.getCoalescedEvents?.() ?? []) events.move(pointer(step));
      if (this.stroke === e.pointerId) events.move(p);
      events.hover(p);
    });
    const end = (e: PointerEvent, done: boolean): void => {
      pointers.delete(e.pointerId);
      if (this.stroke !== e.pointerId) return;
      this.stroke = null;
      if (done) events.up(pointer(e));
      else events.cancel();
    };
    box.addEventListener("pointerup", (e) => end(e, true));
    box.addEventListener("pointercancel", (e) => end(e, false));
    box.addEventListener("pointerleave", () => events.hover(null));
    map.on("click", (e) => {
      if (this.drawing) return;
      const p: Pointer = { at: [e.lngLat.lng, e.lngLat.lat], x: e.point.x, y: e.point.y, shift: e.originalEvent.shiftKey, alt: e.originalEvent.altKey };
      events.down(p);
      events.up(p);
    });
  }

  /** With a drawing tool in hand a drag draws; with none it moves the map. */
  setDrawing(yes: boolean): void {
    this.drawing = yes;
    if (yes) this.map.dragPan.disable();
    else this.map.dragPan.enable();
    this.map.getCanvas().style.cursor = yes ? "crosshair" : "";
  }

  /** While a key is held the map moves whatever tool is in hand. */
  holdPan(yes: boolean): void {
    if (!this.drawing) return;
    if (yes) this.map.dragPan.enable();
    else this.map.dragPan.disable();
  }

  /** The unit drawn at a point of the screen; null where units are not drawn or nothing lies. */
  unitIdAt(x: number, y: number): number | null {
    if (!this.map.getLayer("units-fill") || this.map.getZoom() < this.unitsFrom) return null;
    const found = this.map.queryRenderedFeatures([x, y] as PointLike, { layers: ["units-fill"] })[0];
    return typeof found?.id === "number" ? found.id : null;
  }

  /** How many degrees of latitude a length on the screen is, here. */
  degrees(px: number): number {
    const { x, y } = this.map.project(this.map.getCenter());
    return Math.abs(this.map.unproject([x, y + px]).lat - this.map.unproject([x, y]).lat);
  }

  get sight(): Sight {
    return Sight.of(this.map);
  }

  get centre(): Pointer {
    const { lng, lat } = this.map.getCenter();
    const box = this.map.getContainer();
    return { at: [lng, lat], x: box.clientWidth / 2, y: box.clientHeight / 2, shift: false, alt: false };
  }

  screen(at: LonLat): [number, number] {
    const { x, y } = this.map.project(at);
    return [x, y];
  }

  // ── colours ────────────────────────────────────────────────────────────────────────────────────────────────────
  private get small(): boolean {
    return this.scene.ids.length <= ALL_AT_ONCE;
  }

  /** These units changed colour; null: all did. */
  recolour(units: readonly number[] | null): void {
    if (!this.map.getSource(UNITS)) return;
    if (units === null) this.painted.clear();
    if (units === null) this.fresh?.clear();
    if (units === null) this.map.removeFeatureState({ source: UNITS, sourceLayer: "units" });
    if (this.small && units === null) for (let u = 0; u < this.scene.ids.length; u++) this.tell(u);
    else if (units === null) this.paintView();
    else for (const u of units) if (this.small || this.painted.has(u)) this.tell(u);
    for (const u of units === null ? this.picked : []) this.tell(u);
  }

  /** These units changed hands. Where only grids are drawn each is a dot until the grids' tiles are here. */
  moved(units: readonly number[]): void {
    if (this.map.getZoom() < this.unitsFrom) this.fresh?.put(units, this.scene.fill);
  }

  /** In a large city only what is in sight has a colour: a tile looks through all states that there are. */
  private paintView(): void {
    if (this.small || !this.map.getSource(UNITS) || this.map.getZoom() < this.unitsFrom - 0.5) return;
    const { west: w, south: s, east: e, north: n } = this.sight;
    const [dx, dy] = [(e - w) * 0.3, (n - s) * 0.3];
    const wanted = this.scene.inBox(w - dx, s - dy, e + dx, n + dy);
    if (this.painted.size + wanted.length > MOST_KEPT) this.forget(new Set(wanted));
    for (const u of wanted) this.tell(u);
  }

  private forget(but: ReadonlySet<number>): void {
    for (const u of this.painted.keys()) {
      if (but.has(u) || this.picked.has(u)) continue;
      this.map.removeFeatureState({ source: UNITS, sourceLayer: "units", id: this.scene.ids[u] as number });
      this.painted.delete(u);
    }
  }

  private tell(u: number): void {
    const [open, picked] = [this.scene.open(u), this.picked.has(u)];
    const fill = picked ? darker(this.scene.fill(u)) : this.scene.fill(u);
    if (open) this.widen("units-open", true);
    const word = `${fill}${open ? "o" : ""}${picked ? "p" : ""}`;
    if (this.painted.get(u) === word) return;
    this.painted.set(u, word);
    this.map.setFeatureState({ source: UNITS, sourceLayer: "units", id: this.scene.ids[u] as number }, { fill, open, picked });
  }

  async pick(units: ReadonlySet<number>): Promise<void> {
    await this.ready;
    const before = this.picked;
    this.picked = new Set(units);
    this.widen("units-picked-line", units.size > 0);
    for (const u of before) if (!units.has(u)) this.tell(u);
    for (const u of units) if (!before.has(u)) this.tell(u);
    if (this.unitsFrom > 0) {
      const features = [...units].map((u) => ({ type: "Feature" as const, properties: {}, geometry: { type: "Point" as const, coordinates: this.scene.place(u) } }));
      this.map.getSource<GeoJSONSource>("picked-dots")?.setData({ type: "FeatureCollection", features });
    }
  }

  /** Colours of the grids themselves, where units are too small to be drawn. Thousands go frame by frame: a hand is answered in between. */
  async paintGrids(fills: ReadonlyMap<string, string>): Promise<void> {
    await this.ready;
    if (this.unitsFrom === 0) return;
    const turn = (this.painting += 1);
    const changed = [...fills].filter(([code, fill]) => this.gridFills.get(code) !== fill);
    for (let i = 0; i < changed.length; i += STATES_A_FRAME) {
      if (i > 0) await new Promise(requestAnimationFrame);
      if (turn !== this.painting || !this.map.getSource(GRIDS)) return; // newer colours are on their way
      for (const [code, fill] of changed.slice(i, i + STATES_A_FRAME)) {
        this.map.setFeatureState({ source: GRIDS, sourceLayer: "grids", id: code }, { fill });
        this.gridFills.set(code, fill);
      }
    }
  }

  async mark(which: "active" | "hover", code: string | null): Promise<void> {
    await this.ready;
    const before = which === "active" ? this.active : this.hovered;
    if (before === code) return;
    const at = (id: string): { source: string; sourceLayer: string; id: string } => ({ source: GRIDS, sourceLayer: "grids", id });
    if (before !== null) this.map.setFeatureState(at(before), { [which]: false });
    if (code !== null) this.map.setFeatureState(at(code), { [which]: true });
    if (which === "active") this.active = code;
    else this.hovered = code;
    this.widen("grids-active", this.active !== null || this.hovered !== null);
  }

  /** A layer of marks is drawn only while there is something to mark. */
  private widen(layer: keyof typeof WIDTHS, yes: boolean): void {
    if (this.wide.has(layer) === yes || !this.map.getLayer(layer)) return;
    if (yes) this.wide.add(layer);
    else this.wide.delete(layer);
    this.map.setPaintProperty(layer, "line-width", yes ? WIDTHS[layer] : 0);
  }

  async setNames(names: readonly { name: string; text: string; lon: number; lat: number; order: number; from: number }[]): Promise<void> {
    await this.ready;
    if (!names.length && !this.named) return;
    this.named = names.length > 0;
    const data: FeatureCollection = {
      type: "FeatureCollection",
      features: names.map(({ lon, lat, ...properties }) => ({ type: "Feature", properties, geometry: { type: "Point", coordinates: [lon, lat] } })),
    };
    this.map.getSource<GeoJSONSource>("grid-names")?.setData(data);
  }

  /** The outlines changed: their tiles are asked for again, soon, and once for several edits in a row. */
  reoutline(): void {
    clearTimeout(this.refresh);
    this.refresh = window.setTimeout(() => {
      if (!this.map.getSource(GRIDS)) return;
      this.map.refreshTiles(GRIDS);
      this.fresh?.asked();
    }, REFRESH_MS);
  }

  /** Other units (one was cut): other tiles. */
  reground(ground: string): void {
    this.map.getSource<VectorTileSource>(UNITS)?.setTiles([tiles(`/tiles/units/{z}/{x}/{y}.mvt?state=${ground}`)]);
  }

  async setAreas(level: string): Promise<void> {
    await this.ready;
    const id = `outline-${level}`;
    if (this.map.getSource(id)) return;
    this.map.addSource(id, { type: "vector", tiles: [tiles(`/tiles/boundaries/{z}/{x}/{y}.mvt?level=${encodeURIComponent(level)}`)], maxzoom: 14 });
    this.map.addLayer({
      id, type: "line", source: id, "source-layer": "boundaries", layout: { "line-join": "round" },
      paint: { "line-color": "#7a1f5c", "line-opacity": 0.75, "line-dasharray": [3, 2], "line-width": ["interpolate", ["linear"], ["zoom"], 10, 0.6, 16, 2] },
    }, style.ceiling("outlines"));
  }

  async setWays(): Promise<void> {
    await this.ready;
    if (this.map.getSource("ways")) return;
    this.map.addSource("ways", { type: "vector", tiles: [tiles("/tiles/ways/{z}/{x}/{y}.mvt")], maxzoom: 14, minzoom: 8 });
    for (const layer of style.WAY_LAYERS) this.map.addLayer(layer, style.ceiling("ways"));
  }

  fit(bbox: Bbox, maxZoom = 16): void {
    this.map.fitBounds(bbox, { padding: 70, maxZoom, animate: !this.reducedMotion, duration: 400 });
  }
  pan(x: number, y: number): void {
    this.map.panBy([x, y], { animate: false });
  }
  zoom(by: number): void {
    this.map.zoomTo(this.map.getZoom() + by, { animate: !this.reducedMotion, duration: 200 });
  }
  describe(title: string): void {
    this.map.getCanvas().setAttribute("aria-label", title);
  }
  destroy(): void {
    clearTimeout(this.refresh);
    this.map.remove();
  }
}
