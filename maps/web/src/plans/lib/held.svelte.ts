// A plan as the page holds it: columns that the map reads, what components show, and what was painted on top.
import { store } from "../../lib/store.svelte.ts";
import { Batch, NEW } from "./batching.ts";
import { Beside, colouring, OPEN } from "./colouring.ts";
import { withPaint } from "./gridrows.ts";
import type { Ground } from "./ground.ts";
import type { Hits } from "./hits.ts";
import type { Act, Check, Comment, GridRow, PlanRow, Standing, Table, Violation } from "./types.ts";

export type Saved = "saved" | "saving" | "unsent";

/** What the reader is told beside the map. */
export interface Notice {
  kind: "info" | "refused" | "others" | "done";
  text: string;
  at: number;
}

/** A stroke that meets what somebody else did meanwhile to the same units. */
export interface Conflict {
  who: string;
  at: string;
  acts: Act[];
  units: number[]; // indices, of both
  keep(): void;
  drop(): void;
}

export class Held {
  readonly id: number;
  ground!: Ground;
  hits!: Hits;
  grid: Int32Array = new Int32Array(); // unit index → number of its grid, −1 open
  colours: Uint8Array = new Uint8Array(); // of each grid number
  codes: string[] = []; // by number; "" once gone
  protected number = new Map<string, number>();
  protected beside!: Beside;
  protected base = new Map<string, GridRow>(); // as the service told

  // ── what components read ──
  ready = $state(false);
  steps = $state(0); // of opening, out of STEPS
  looked = $state(false); // the rules were looked at since the plan was opened
  tick = $state(0);
  name = $state("");
  state = $state<PlanRow["state"]>("draft");
  nesting = $state<Table["nesting"]>("strict");
  revision = $state(0);
  rows = $state.raw<GridRow[]>([]);
  score = $state.raw<Standing | null>(null);
  violations = $state.raw<Violation[]>([]);
  advice = $state.raw<Violation[]>([]);
  excepted = $state.raw<Violation[]>([]);
  rules = $state.raw<Check["rules"]>({});
  exceptions = $state.raw<Check["exceptions"]>([]);
  comments = $state.raw<Comment[]>([]);
  log = $state.raw<Act[]>([]);
  canUndo = $state(false);
  canRedo = $state(false);
  saved = $state<Saved>("saved");
  busy = $state<string | null>(null); // an act under way, by its word
  notice = $state.raw<Notice | null>(null);
  conflict = $state.raw<Conflict | null>(null);
  weight = $state("");
  narrow = $state(false); // a phone: looking, not editing

  onunits: (units: readonly number[] | null) => void = () => undefined; // null: all
  onrevision: () => void = () => undefined;
  onlost: (failure: unknown) => void = () => undefined;
  onnew: (code: string) => void = () => undefined;
  onground: (from: Ground) => void = () => undefined; // read anew: places mean other units, perhaps

  protected pending = new Batch();
  protected inflight: Batch | null = null;
  protected unsettled = new Set<number>(); // numbers of grids painted since colours and sums were worked out
  protected settling = 0;
  protected closed = false;

  constructor(id: number) {
    this.id = id;
  }

  get path(): string {
    return `/api/plans/${this.id}`;
  }

  get editable(): boolean {
    return !this.narrow && this.state === "draft" && ["planner", "admin"].includes(store.who?.role ?? "public");
  }

  protected get lang(): "zh" | "en" {
    return store.lang;
  }

  // ── grids by number ───────────────────────────────────────────────────────────────────────────────────────────────
  numberOf(code: string | null): number {
    if (code === null) return -1;
    let g = this.number.get(code);
    if (g === undefined) {
      g = this.codes.length;
      this.codes.push(code);
      this.number.set(code, g);
      if (this.colours.length < this.codes.length) {
        const wider = new Uint8Array(this.codes.length + 64).fill(OPEN);
        wider.set(this.colours);
        this.colours = wider;
      }
    }
    return g;
  }

  has(code: string): boolean {
    return this.number.has(code);
  }

  codeOf(unit: number): string | null {
    const g = this.grid[unit] as number;
    return g < 0 ? null : (this.codes[g] ?? null);
  }

  row(code: string | null): GridRow | null {
    return code === null ? null : (this.rows.find((row) => row.code === code) ?? null);
  }

  colourOf(code: string): number {
    return this.colours[this.number.get(code) ?? -1] ?? OPEN;
  }

  nameOf(code: string | null): string {
    if (code === null) return store.t("edOpen");
    return code === NEW ? store.t("edNewGrid") : (this.base.get(code)?.name ?? code);
  }

  // ── units of a grid ───────────────────────────────────────────────────────────────────────────────────────────────
  /** The units of a grid (null: the open ones), by index. */
  unitsOf(code: string | null): number[] {
    const g = code === null ? -1 : (this.number.get(code) ?? -2);
    const found: number[] = [];
    for (let u = 0; u < this.grid.length; u++) if (this.grid[u] === g) found.push(u);
    return found;
  }

  unitsOfArea(unit: number): number[] {
    const area = this.ground.area[unit];
    const found: number[] = [];
    this.ground.area.forEach((a, u) => a === area && found.push(u));
    return found;
  }

  neighboursOf(code: string): string[] {
    return [...(this.beside.around.get(this.number.get(code) ?? -1) ?? [])].map((g) => this.codes[g] ?? "").filter(Boolean);
  }

  /** West, south, east, north of some units' points. */
  boxOf(units: readonly number[]): [number, number, number, number] | null {
    if (!units.length) return null;
    const { lon, lat } = this.ground;
    const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const u of units) {
      const [x, y] = [lon[u] as number, lat[u] as number];
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
    }
    const room = 0.0015;
    return [box[0] - room, box[1] - room, box[2] + room, box[3] + room];
  }

  // ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────────
  protected put(unit: number, g: number): void {
    this.grid[unit] = g;
  }

  protected recolour(touched: ReadonlySet<number>, units: readonly number[]): void {
    const looked = this.beside.update(this.grid, touched);
    const before = this.colours;
    this.colours = colouring(this.beside.around, Math.max(before.length, this.codes.length), before, looked);
    const other = new Set([...looked].filter((g) => this.colours[g] !== before[g]));
    if (!other.size) return this.onunits(units);
    const all = new Set(units);
    for (let u = 0; u < this.grid.length; u++) if (other.has(this.grid[u] as number)) all.add(u);
    this.onunits([...all]);
  }

  /** Rows as they stand with what is painted and not yet answered. */
  protected show(): void {
    const painted = this.inflight ? [this.inflight, this.pending] : [this.pending];
    const judged = { weight: this.weight, loadPerPost: this.score?.load_per_post ?? 0 };
    this.rows = withPaint(this.base, painted, this.ground, judged, (code) => this.nameOf(code));
    this.tick += 1;
  }

  tell(kind: Notice["kind"], text: string): void {
    this.notice = { kind, text, at: Date.now() };
  }
}
