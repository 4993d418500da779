// What lies on the planner's bench: the draft and its map, the tool in hand, the grid that is looked at, the units picked.
import ramps from "$ramps";
import { count } from "../../lib/i18n.ts";
import { store } from "../../lib/store.svelte.ts";
import type { EditorMap, LonLat, Pointer } from "../../map/editormap.ts";
import { OPEN_FILL } from "../../map/editorstyle.ts";
import { placeOn } from "./carrying.ts";
import { FILLS, OPEN, step } from "./colouring.ts";
import { type Draft, NEW } from "./draft.svelte.ts";
import { percent } from "./percent.ts";

export const TOOLS = ["select", "paint", "rect", "lasso", "area", "split", "cut"] as const;
export type Tool = (typeof TOOLS)[number];
export const BRUSHES_PX = [0, 14, 30, 60] as const;
const NEAR_PX = [6, 14, 30];

export type Colouring = "grids" | "load";

export class Bench {
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
  protected down: Pointer | null = null; // where the pointer went down

  constructor(draft: Draft) {
    this.draft = draft;
    draft.onnew = (code) => {
      if (this.active === NEW) this.active = code;
    };
    draft.onground = (from) => {
      this.picked = new Set([...this.picked].flatMap((u) => placeOn(draft.ground, from, u) ?? []));
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
}
