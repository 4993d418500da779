// The planner's hand: which tool, which grid, which units; gestures of pointer and keyboard become acts on the draft.
import { store } from "../../lib/store.svelte.ts";
import { count } from "../../lib/i18n.ts";
import type { EditorMap, LonLat, Pointer } from "../../map/editormap.ts";
import { OPEN_FILL } from "../../map/editorstyle.ts";
import ramps from "$ramps";
import { FILLS, OPEN, step } from "./colouring.ts";
import { type Draft, NEW } from "./draft.svelte.ts";
import { thinned } from "./hits.ts";
import type { Violation } from "./types.ts";

export const TOOLS = ["select", "paint", "rect", "lasso", "area", "split", "cut"] as const;
export type Tool = (typeof TOOLS)[number];
export const BRUSHES_PX = [0, 14, 30, 60] as const;
const SAME_PLACE_PX = 5;
const TWICE_MS = 350;
const NEAR_PX = [6, 14, 30];

export type Colouring = "grids" | "load";

export class Workbench {
  readonly draft: Draft;
  map: EditorMap | null = null;
  tool = $state<Tool>("select");
  brush = $state(1); // index into BRUSHES_PX
  colouring = $state<Colouring>("grids");
  active = $state<string | null>(null); // the grid that is looked at and painted with; NEW: one to be made
  erasing = $state(false); // painting leaves units open
  picked = $state.raw<ReadonlySet<number>>(new Set());
  hovered = $state<string | null>(null);
  line = $state.raw<LonLat[]>([]); // corners of what is being drawn
  at = $state.raw<Pointer | null>(null); // of the pointer, for brush and rubber band
  crosshair = $state(false); // the keyboard draws at the middle of the map
  facts = $state(""); // for ears: what is under the hand, what was done
  private down: Pointer | null = null;
  private freehand = false;
  private last = { x: 0, y: 0, at: 0 };
  private order = new Map<string, number>(); // where "next" goes on, by kind

  constructor(draft: Draft) {
    this.draft = draft;
    draft.onnew = (code) => {
      if (this.active === NEW) this.active = code;
    };
  }

  // ── colours ────────────────────────────────────────────────────────────────────────────────────────────────────
  private steps = new Map<number, number>();

  /** Which units changed their step against the band since the last look, for the second colouring. */
  restep(): number[] | null {
    const tolerance = this.draft.score?.tolerance ?? 0.1;
    const changed = new Set<number>();
    const next = new Map<number, number>();
    for (const row of this.draft.rows) {
      const g = this.draft.numberOf(row.code);
      const s = step(row.deviation, tolerance);
      next.set(g, s);
      if (this.steps.get(g) !== s) changed.add(g);
    }
    this.steps = next;
    if (!changed.size) return [];
    const units: number[] = [];
    this.draft.grid.forEach((g, u) => changed.has(g) && units.push(u));
    return units;
  }

  fillOfNumber(g: number): string {
    if (g < 0) return OPEN_FILL;
    if (this.colouring === "load") return ramps.balance[4 + (this.steps.get(g) ?? 0)] ?? OPEN_FILL;
    const c = this.draft.colours[g] ?? OPEN;
    return c === OPEN ? OPEN_FILL : (FILLS[c] as string);
  }
  fill = (unit: number): string => this.fillOfNumber(this.draft.grid[unit] as number);

  // ── what the reader hears ──────────────────────────────────────────────────────────────────────────────────────
  say(text: string): void {
    this.facts = this.facts === text ? `${text}\u200b` : text; // the same words again are said again
  }

  describeGrid(code: string | null): string {
    const row = this.draft.row(code);
    if (!row) return this.draft.nameOf(code);
    const load = count(store.lang, Math.round(row.loads[this.draft.weight] ?? 0));
    return store.t("edGridFacts", { grid: row.name, load, off: percent(row.deviation), units: row.units, state: row.locked ? store.t("edLockedShort") : "" });
  }

  describeUnit(unit: number): string {
    const { codes, area, area_names, loads } = this.draft.ground;
    const load = count(store.lang, Math.round(loads[this.draft.weight]?.[unit] ?? 0));
    return store.t("edUnitFacts", { unit: codes[unit] ?? "", area: area_names[area[unit] as number] ?? "", load, grid: this.draft.nameOf(this.draft.codeOf(unit)) });
  }

  // ── choosing ───────────────────────────────────────────────────────────────────────────────────────────────────
  setTool(tool: Tool): void {
    if (!this.draft.editable && tool !== "select") return;
    this.tool = tool;
    this.line = [];
    this.down = null;
    this.map?.setDrawing(tool !== "select");
    this.say(store.t(`tool_${tool}`));
  }

  activate(code: string | null, reveal = false): void {
    this.active = code;
    this.erasing = false;
    if (code !== null && code !== NEW) {
      this.say(this.describeGrid(code));
      if (reveal) this.show(this.draft.unitsOf(code));
    }
  }

  pick(units: Iterable<number>, how: "only" | "add" | "remove"): void {
    const next = how === "only" ? new Set<number>() : new Set(this.picked);
    for (const u of units) {
      if (how === "remove") next.delete(u);
      else next.add(u);
    }
    this.picked = next;
    if (next.size !== 1) this.say(store.t("edPickedN", { n: next.size }));
  }

  show(units: readonly number[], maxZoom = 16.5): void {
    const box = this.draft.boxOf(units);
    if (box) this.map?.fit(box, maxZoom);
  }

  unitAt(p: Pointer): number | null {
    if (!this.map) return null;
    const id = this.map.unitIdAt(p.x, p.y);
    if (id !== null) return this.draft.ground.placeOf(id) ?? null;
    if (this.map.map.getZoom() >= this.map.unitsFrom) return null; // beside the city
    const { lon, lat } = this.draft.ground;
    for (const px of NEAR_PX) {
      const near = this.draft.hits.inCircle(p.at[0], p.at[1], this.map.degrees(px));
      if (near.length) return near.reduce((a, b) => (far(a) < far(b) ? a : b));
    }
    function far(u: number): number {
      return Math.hypot((lon[u] as number) - p.at[0], (lat[u] as number) - p.at[1]);
    }
    return null;
  }

  // ── pointer ────────────────────────────────────────────────────────────────────────────────────────────────────
  pointerDown(p: Pointer): void {
    this.crosshair = false;
    this.down = p;
    this.freehand = false;
    if (this.tool === "select") this.click(p);
    else if (this.tool === "area") this.takeArea(p);
    else if (this.tool === "paint") {
      if (p.alt) return this.pipette(p);
      this.paintAt(p);
    } else if (this.tool === "rect") this.line = [p.at];
    else if (this.tool === "lasso") this.line = [p.at];
    else this.corner(p);
  }

  pointerMove(p: Pointer): void {
    const from = this.down;
    if (!from) return;
    if (this.tool === "paint" && !p.alt) {
      this.paintAlong(from, p);
      this.down = p;
    } else if (this.tool === "lasso" || this.tool === "split" || this.tool === "cut") {
      const end = this.line.at(-1);
      const [x, y] = end ? (this.map?.screen(end) ?? [0, 0]) : [0, 0];
      if (Math.hypot(p.x - x, p.y - y) > SAME_PLACE_PX) {
        this.freehand = true;
        this.line = [...this.line, p.at];
      }
    }
  }

  pointerUp(p: Pointer): void {
    const from = this.down;
    this.down = null;
    if (!from) return;
    if (this.tool === "paint") void this.draft.commit();
    else if (this.tool === "rect") this.takeRect(this.line[0] ?? from.at, p);
    else if (this.tool === "lasso") this.takeLasso(p);
    else if ((this.tool === "split" || this.tool === "cut") && this.freehand) void this.finishLine();
  }

  cancel(): void {
    this.down = null;
    this.line = [];
    if (this.tool === "paint") void this.draft.commit();
  }

  private click(p: Pointer): void {
    const unit = this.unitAt(p);
    if (unit === null) return;
    if (p.shift) this.pick([unit], this.picked.has(unit) ? "remove" : "add");
    else {
      this.pick([unit], "only");
      this.activate(this.draft.codeOf(unit));
      this.say(this.describeUnit(unit));
    }
  }

  private pipette(p: Pointer): void {
    const unit = this.unitAt(p);
    this.down = null;
    if (unit !== null) this.activate(this.draft.codeOf(unit));
  }

  private takeArea(p: Pointer): void {
    const unit = this.unitAt(p);
    if (unit === null) return;
    this.pick(this.draft.unitsOfArea(unit), p.alt ? "remove" : p.shift ? "add" : "only");
    this.say(store.t("edPickedArea", { area: this.draft.ground.area_names[this.draft.ground.area[unit] as number] ?? "", n: this.picked.size }));
  }

  private takeRect(from: LonLat, p: Pointer): void {
    const to = p.at;
    this.line = [];
    const [w, e] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
    const [s, n] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])];
    this.pick(this.draft.hits.inBox(w, s, e, n), p.alt ? "remove" : p.shift ? "add" : "only");
  }

  private takeLasso(p: Pointer): void {
    const lasso = this.line;
    this.line = [];
    this.pick(this.draft.hits.inLasso(lasso), p.alt ? "remove" : p.shift ? "add" : "only");
  }

  private paintAlong(from: Pointer, to: Pointer): void {
    const radius = BRUSHES_PX[this.brush] ?? 0;
    const far = Math.hypot(to.x - from.x, to.y - from.y);
    const steps = Math.max(1, Math.ceil(far / Math.max(6, radius * 0.7)));
    for (let i = 1; i <= steps; i++) {
      const f = i / steps;
      const mix = (a: number, b: number): number => a + (b - a) * f;
      this.paintAt({ ...to, x: mix(from.x, to.x), y: mix(from.y, to.y), at: [mix(from.at[0], to.at[0]), mix(from.at[1], to.at[1])] });
    }
  }

  get target(): string | null {
    return this.erasing ? null : this.active;
  }

  private paintAt(p: Pointer): void {
    if (!this.erasing && this.active === null) {
      this.pipette(p); // the first touch takes the colour
      if (this.active === null) this.draft.tell("info", store.t("edChooseGrid"));
      else this.down = p;
      return;
    }
    const radius = BRUSHES_PX[this.brush] ?? 0;
    const units = radius ? this.draft.hits.inCircle(p.at[0], p.at[1], this.map?.degrees(radius) ?? 0) : [];
    const under = this.unitAt(p);
    if (under !== null && !units.includes(under)) units.push(under);
    if (units.length) this.draft.paint(units, this.target);
  }

  private corner(p: Pointer): void {
    const twice = Date.now() - this.last.at < TWICE_MS && Math.hypot(p.x - this.last.x, p.y - this.last.y) < SAME_PLACE_PX;
    this.last = { x: p.x, y: p.y, at: Date.now() };
    if (twice && this.line.length > 1) {
      this.down = null;
      void this.finishLine();
    } else this.line = [...this.line, p.at];
  }

  async finishLine(): Promise<void> {
    const line = thinned(this.line, this.map?.degrees(2) ?? 0);
    this.line = [];
    this.down = null;
    if (line.length < 2) return;
    if (this.tool === "split") await this.splitAlong(line);
    else if (this.tool === "cut") await this.cutAlong(line);
  }

  private async splitAlong(line: LonLat[]): Promise<void> {
    const grid = this.active;
    if (!grid || grid === NEW) return this.draft.tell("info", store.t("edChooseGridToSplit"));
    if (await this.draft.act("split", { grid, line }, store.t("edSplitDone", { grid: this.draft.nameOf(grid) }))) this.say(store.t("edSplitDone", { grid: this.draft.nameOf(grid) }));
  }

  private async cutAlong(line: LonLat[]): Promise<void> {
    const middle = this.middleOf(line);
    const only = this.picked.size === 1 ? [...this.picked][0] : undefined;
    const unit = only ?? (middle ? this.unitAt(middle) : null);
    if (unit === null || unit === undefined) return this.draft.tell("info", store.t("edNoUnitThere"));
    const code = this.draft.ground.codes[unit] ?? "";
    if (await this.draft.cut(unit, line)) {
      this.picked = new Set();
      this.say(store.t("edCutDone", { unit: code }));
    }
  }

  /** Half way along a drawn line, on the screen. */
  private middleOf(line: readonly LonLat[]): Pointer | null {
    if (!this.map) return null;
    const points = line.map((p): [number, number] => this.map?.screen(p) ?? [0, 0]);
    const far = points.map(([x, y], i) => (i ? Math.hypot(x - (points[i - 1]?.[0] ?? 0), y - (points[i - 1]?.[1] ?? 0)) : 0));
    let left = far.reduce((a, b) => a + b, 0) / 2;
    for (let i = 1; i < points.length; i++) {
      const long = far[i] as number;
      if (left <= long) {
        const f = long ? left / long : 0;
        const [a, b] = [line[i - 1] as LonLat, line[i] as LonLat];
        const at: LonLat = [a[0] + (b[0] - a[0]) * f, a[1] + (b[1] - a[1]) * f];
        const [x, y] = this.map.screen(at);
        return { at, x, y, shift: false, alt: false };
      }
      left -= long;
    }
    return null;
  }

  // ── acts on what is picked ─────────────────────────────────────────────────────────────────────────────────────
  async assign(target: string | null): Promise<void> {
    const units = [...this.picked];
    if (!units.length) return this.draft.tell("info", store.t("edPickFirst"));
    const n = this.draft.paint(units, target);
    if (!n) return;
    this.picked = new Set();
    if (target !== null) this.active = target;
    await this.draft.commit();
    this.say(store.t("edAssigned", { n, grid: this.draft.nameOf(this.active) }));
  }

  // ── finding what is wrong ──────────────────────────────────────────────────────────────────────────────────────
  private next<T>(kind: string, all: readonly T[]): T | null {
    if (!all.length) return null;
    const i = (this.order.get(kind) ?? -1) + 1;
    this.order.set(kind, i % all.length);
    return all[i % all.length] ?? null;
  }

  /** Zoom to open ground, one piece after the other. */
  findOpen(): void {
    const open = this.draft.unitsOf(null);
    if (!open.length) return this.draft.tell("info", store.t("edNoneOpen"));
    this.picked = new Set(open);
    this.show(open);
    this.say(store.t("edOpenN", { n: open.length }));
  }

  findBroken(): void {
    const code = this.next("broken", this.draft.rows.filter((row) => !row.contiguous).map((row) => row.code));
    if (code === null) return this.draft.tell("info", store.t("edNoneBroken"));
    this.activate(code, true);
  }

  findViolation(): void {
    if (!this.draft.looked) return this.draft.tell("info", store.t("edLooking"));
    const one = this.next("rule", this.draft.violations);
    if (!one) return this.draft.tell("info", store.t("edNoneViolated"));
    this.showViolation(one);
  }

  showViolation(one: Violation): void {
    this.say(store.lang === "zh" ? one.zh : one.en);
    if (one.grid !== null && this.draft.has(one.grid)) return this.activate(one.grid, true);
    if (one.code === "incomplete") return this.findOpen();
    const named = new Set(one.units);
    const units = this.draft.ground.codes.flatMap((code, u) => (named.has(code) ? [u] : []));
    this.picked = new Set(units);
    this.show(units);
  }

  // ── keyboard on the map ────────────────────────────────────────────────────────────────────────────────────────
  /** The tool at the middle of the map: what a click or a corner would do there. */
  press(shift: boolean): void {
    if (!this.map) return;
    this.crosshair = true;
    const p = { ...this.map.centre, shift };
    if (this.tool === "select") this.click(p);
    else if (this.tool === "area") this.takeArea(p);
    else if (this.tool === "paint") {
      this.paintAt(p);
      this.down = null;
      void this.draft.commit();
      this.say(this.describeGrid(this.active));
    } else if (this.tool === "rect" && this.line.length === 1) this.takeRect(this.line[0] as LonLat, p);
    else {
      this.line = [...this.line, p.at];
      this.say(store.t("edCorner", { n: this.line.length }));
    }
  }

  finish(): void {
    if (this.tool === "lasso" && this.map) this.takeLasso(this.map.centre);
    else void this.finishLine();
  }

  /** After the keyboard moved the map: what lies at its middle. */
  hearCentre(): void {
    if (!this.crosshair || !this.map) return;
    const unit = this.unitAt(this.map.centre);
    this.say(unit === null ? store.t("edNothingThere") : this.describeUnit(unit));
  }

  escape(): void {
    if (this.line.length || this.down) return this.cancel();
    if (this.picked.size) this.picked = new Set();
    else if (this.tool !== "select") this.setTool("select");
    else this.active = null;
  }
}

export function percent(deviation: number | null, digits = 0): string {
  if (deviation === null) return "—";
  const value = deviation * 100;
  return `${value > 0.5 ? "+" : value < -0.5 ? "−" : "±"}${Math.abs(value).toFixed(digits)}%`;
}
