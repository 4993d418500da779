// One open plan: what the service says of it, what was painted on top and not yet answered, and how both come together.
import { store } from "../../lib/store.svelte.ts";
import { type Move, OneAtATime, Batch, type Target } from "./batching.ts";
import { Beside, colouring, OPEN } from "./colouring.ts";
import { Ground } from "./ground.ts";
import { ask, freshKey, type Method, Problem } from "../../lib/api.ts";
import { Hits } from "./hits.ts";
import type { Opened } from "./opened.ts";
import { openPlan } from "./opening.ts";
import type { Act, Check, Comment, Edited, GridRow, News, PlanRow, Standing, Table, Violation } from "./types.ts";

export const NEW = "new";
const POLL_MS = 2500;
const CHECK_MS = 1200;
const SETTLE_MS = 120;
const SYNC_MOST = 5;
export const STEPS = 4; // of opening: asked, the columns, the grids, drawn

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

export class Draft {
  readonly id: number;
  // ── columns that the map reads; changed in place, `tick` tells ──
  ground!: Ground;
  hits!: Hits;
  grid: Int32Array = new Int32Array(); // unit index → number of its grid, −1 open
  colours: Uint8Array = new Uint8Array(); // of each grid number
  codes: string[] = []; // by number; "" once gone
  private number = new Map<string, number>();
  private beside!: Beside;
  private base = new Map<string, GridRow>(); // as the service told

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

  private pending = new Batch();
  private inflight: Batch | null = null;
  private sendingKey: string | null = null;
  private unsettled = new Set<number>(); // numbers of grids painted since colours and sums were worked out
  private settling = 0;
  private flusher = new OneAtATime(() => this.flush());
  private timer = 0;
  private checker = 0;
  private closed = false;

  constructor(id: number) {
    this.id = id;
  }

  get path(): string {
    return `/api/plans/${this.id}`;
  }
  get editable(): boolean {
    return !this.narrow && this.state === "draft" && ["planner", "admin"].includes(store.who?.role ?? "public");
  }
  private get lang(): "zh" | "en" {
    return store.lang;
  }

  // ── opening and following ──────────────────────────────────────────────────────────────────────────────────────
  async open(): Promise<void> {
    await this.load();
    const poll = async (): Promise<void> => {
      if (this.closed) return;
      if (document.visibilityState === "visible" && this.saved === "saved" && !this.busy && !this.conflict) {
        await this.follow().catch(() => undefined); // the next look may find the service again
      }
      this.timer = window.setTimeout(() => void poll(), POLL_MS);
    };
    this.timer = window.setTimeout(() => void poll(), POLL_MS);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.checker);
    clearTimeout(this.settling);
  }

  private async load(): Promise<void> {
    this.steps = 1;
    const step = <T>(found: T): T => {
      this.steps += 1;
      return found;
    };
    for (let i = 0; ; i++) {
      const [found, table] = await Promise.all([
        openPlan(this.path, this.lang).then(step),
        ask<Table>("GET", `${this.path}/grids`, this.lang).then(step),
      ]);
      if (this.closed) return;
      if ((!found || table.revision !== found.revision) && i < SYNC_MOST) continue; // edited in between
      if (!found) throw new Problem(409, "stale-revision", store.t("edStale"), "");
      await nextFrame(); // the bar moves on before the columns are taken over
      this.take(found, table);
      break;
    }
    this.ready = true;
    await Promise.all([this.check(), this.readComments(), this.readLog()]); // what stands beside the map comes after it
  }

  private take(found: Opened, table: Table): void {
    this.ground = new Ground(found.columns);
    this.hits = new Hits(this.ground, found.cells);
    this.beside = new Beside(found.sides, found.pairs);
    this.codes = [...found.grids];
    this.number = new Map(this.codes.map((code, g) => [code, g]));
    this.grid = found.grid;
    this.colours = found.colours;
    this.base = new Map(rowsOf(table).map((row) => [row.code, row]));
    Object.assign(this, { name: table.name, state: table.state, nesting: table.nesting, revision: table.revision, score: table.score });
    this.weight = table.score.weight;
    this.pending = new Batch();
    this.unsettled.clear();
    this.show();
    this.onunits(null);
    this.onrevision();
  }

  /** What others, or an act whose effect only the service knows, did since the revision we know. */
  async follow(): Promise<News | null> {
    const since = this.revision;
    const news = await ask<News>("GET", `${this.path}/changes?since=${since}`, this.lang);
    if (since !== this.revision || this.closed) return null; // an own act was answered meanwhile
    this.applyNews(news);
    return news;
  }

  private applyNews(news: News): void {
    if (news.ground !== this.ground.key) {
      void this.load().catch(this.onlost);
      return;
    }
    if (news.state !== this.state) this.state = news.state;
    if (news.revision === this.revision) return;
    const places: number[] = [];
    news.units.forEach((id, i) => {
      const u = this.ground.placeOf(id);
      if (u === undefined || this.pending.targets().has(u)) return; // own paint stays on top until it is answered
      this.put(u, this.numberOf(news.unit_grids[i] ?? null));
      places.push(u);
    });
    this.absorb(news, places);
    const others = news.acts.filter((act) => act.author !== store.who?.name);
    if (others.length) this.tellOthers(others, news.units.length);
  }

  private tellOthers(acts: Act[], units: number): void {
    const who = [...new Set(acts.map((act) => act.author))].join("、");
    const words = [...new Set(acts.map((act) => store.t(actWord(act.act))))].join("、");
    this.tell("others", store.t("edOthers", { who, what: words, n: units }));
  }

  /** An answer's grids, score and rules become what is shown. */
  private absorb(done: Edited | News, units: readonly number[]): void {
    const touched = new Set<number>();
    for (const row of done.grids) {
      this.base.set(row.code, row);
      touched.add(this.numberOf(row.code));
    }
    for (const code of done.removed) {
      this.base.delete(code);
      const g = this.number.get(code);
      if (g === undefined) continue;
      touched.add(g);
      this.number.delete(code);
      this.codes[g] = "";
    }
    const gone = new Set([...done.removed, ...done.grids.map((row) => row.code)]);
    this.violations = [...this.violations.filter((v) => v.grid !== null && !gone.has(v.grid)), ...done.violations.filter(isWall)];
    this.revision = done.revision;
    this.score = done.score;
    this.canUndo = done.can_undo;
    this.canRedo = done.can_redo;
    this.recolour(touched, units);
    this.show();
    this.onrevision();
    clearTimeout(this.checker);
    this.checker = window.setTimeout(() => void Promise.all([this.check(), this.readLog()]).catch(() => undefined), CHECK_MS);
  }

  async check(): Promise<void> {
    const found = await ask<Check>("GET", `${this.path}/check`, this.lang);
    if (found.revision !== this.revision) return;
    this.looked = true;
    Object.assign(this, { violations: found.violations, advice: found.advice, excepted: found.excepted, rules: found.rules, exceptions: found.exceptions });
  }

  async readComments(): Promise<void> {
    this.comments = (await ask<{ comments: Comment[] }>("GET", `${this.path}/comments`, this.lang)).comments;
  }

  async readLog(): Promise<void> {
    const found = await ask<{ edits: Act[]; can_undo: boolean; can_redo: boolean; revision: number }>("GET", `${this.path}/edits?limit=60`, this.lang);
    this.log = found.edits;
    if (found.revision === this.revision) [this.canUndo, this.canRedo] = [found.can_undo, found.can_redo];
  }

  // ── grids by number ────────────────────────────────────────────────────────────────────────────────────────────
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

  private put(unit: number, g: number): void {
    this.grid[unit] = g;
  }

  private recolour(touched: ReadonlySet<number>, units: readonly number[]): void {
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
  private show(): void {
    const rows = new Map(this.base);
    const change = new Map<string, { units: number; area: number; loads: Record<string, number> }>();
    const add = (code: string | null, u: number, sign: number): void => {
      if (code === null) return;
      let sum = change.get(code);
      if (!sum) change.set(code, (sum = { units: 0, area: 0, loads: {} }));
      sum.units += sign;
      sum.area += sign * (this.ground.area_m2[u] as number);
      for (const [name, loads] of Object.entries(this.ground.loads)) sum.loads[name] = (sum.loads[name] ?? 0) + sign * (loads[u] as number);
    };
    for (const batch of [this.inflight, this.pending]) {
      for (const [u, before] of batch?.before() ?? []) {
        add(before, u, -1);
        add(batch?.targets().get(u) ?? null, u, 1);
      }
    }
    for (const [code, sum] of change) {
      const row = rows.get(code) ?? blank(code);
      const loads = Object.fromEntries(Object.keys(this.ground.loads).map((name) => [name, (row.loads[name] ?? 0) + (sum.loads[name] ?? 0)]));
      const fair = (this.score?.load_per_post ?? 0) * row.posts;
      const deviation = fair > 0 ? (loads[this.weight] ?? 0) / fair - 1 : null;
      rows.set(code, { ...row, units: row.units + sum.units, area_m2: row.area_m2 + sum.area, loads, deviation });
    }
    this.rows = [...rows.values()].filter((row) => row.units > 0 || row.code === NEW);
    this.tick += 1;
  }

  tell(kind: Notice["kind"], text: string): void {
    this.notice = { kind, text, at: Date.now() };
  }

  // ── painting ───────────────────────────────────────────────────────────────────────────────────────────────────
  /** Units to a grid: shown at once, sent soon. Locked ground is left out and told. */
  paint(units: readonly number[], target: Target): number {
    if (!this.editable) return 0;
    if (target !== null && this.base.get(target)?.locked) {
      this.tell("refused", store.t("edLockedTarget", { grid: this.nameOf(target) }));
      return 0;
    }
    const moving = units.filter((u) => this.codeOf(u) !== target);
    const free = moving.filter((u) => !this.base.get(this.codeOf(u) ?? "")?.locked);
    if (free.length < moving.length) this.tell("info", store.t("edLockedSkipped", { n: moving.length - free.length }));
    if (!free.length) return 0;
    this.pending.add(free, target, (u) => this.codeOf(u));
    const touched = new Set<number>();
    const g = this.numberOf(target);
    for (const u of free) {
      touched.add(this.grid[u] as number);
      this.put(u, g);
    }
    touched.add(g);
    touched.delete(-1);
    this.saved = "saving";
    this.onunits(free);
    for (const number of touched) this.unsettled.add(number);
    if (this.colours[g] === OPEN && g >= 0) this.settle(); // a new grid gets its colour at once
    else this.settling ||= window.setTimeout(() => this.settle(), SETTLE_MS);
    return free.length;
  }

  /** Colours and sums follow a stroke several times a second, not at every move of the hand. */
  private settle(): void {
    clearTimeout(this.settling);
    this.settling = 0;
    const touched = new Set(this.unsettled);
    this.unsettled.clear();
    this.recolour(touched, []);
    this.show();
  }

  /** At the end of a stroke: what was painted goes out, together with what comes while it is under way. */
  commit(): Promise<void> {
    return this.flusher.ask();
  }

  nameOf(code: string | null): string {
    if (code === null) return store.t("edOpen");
    return code === NEW ? store.t("edNewGrid") : (this.base.get(code)?.name ?? code);
  }

  private async flush(): Promise<void> {
    if (this.conflict) return;
    const batch = this.inflight ?? this.pending;
    if (!this.inflight) this.pending = new Batch();
    const moves = named(batch.moves(), this.ground.units);
    if (!moves.length) {
      this.inflight = null;
      this.saved = this.pending.size ? "saving" : "saved";
      return;
    }
    this.inflight = batch;
    await this.sendBatch(batch, moves);
    if (this.pending.size && this.saved !== "unsent" && !this.conflict) await this.flush();
  }

  private async sendBatch(batch: Batch, moves: Move[]): Promise<void> {
    const key = (this.sendingKey ??= freshKey()); // kept until there is an answer: nothing is done twice
    for (let tries = 0; ; tries++) {
      try {
        const done = await ask<Edited>("PATCH", `${this.path}/units`, this.lang, { body: { moves, revision: this.revision }, key });
        this.inflight = this.sendingKey = null;
        this.settleNew(done);
        this.absorb(done, [...batch.targets().keys()]);
        this.saved = this.pending.size ? "saving" : "saved";
        return;
      } catch (failure) {
        if (!(failure instanceof Problem)) throw failure;
        if (!failure.away) this.sendingKey = null;
        if (failure.away && tries < 3) await new Promise((rest) => setTimeout(rest, 700 * (tries + 1)));
        else if (failure.away) return this.unsent();
        else if (failure.stale) return this.meet(batch, failure);
        else return this.refuse(batch, failure);
      }
    }
  }

  /** The service cannot be reached: the stroke waits and is sent again when asked. */
  private unsent(): void {
    this.saved = "unsent";
    this.tell("refused", store.t("edUnsent"));
  }
  retry(): Promise<void> {
    this.saved = "saving";
    return this.commit();
  }

  /** The new grid got its code: the one that nobody knew. */
  private settleNew(done: Edited): void {
    const g = this.number.get(NEW);
    if (g === undefined) return;
    const fresh = done.grids.find((row) => !this.base.has(row.code) && !this.number.has(row.code));
    if (!fresh) return;
    this.number.delete(NEW);
    this.codes[g] = fresh.code;
    this.number.set(fresh.code, g);
    this.onnew(fresh.code);
    for (const batch of [this.pending]) batch.rename(NEW, fresh.code);
  }
  onnew: (code: string) => void = () => undefined;

  /** Refused: every unit of the stroke goes back to where it was, unless a later stroke has taken it. */
  private refuse(batch: Batch, failure: Problem): void {
    this.inflight = null;
    this.putBack(batch);
    this.saved = this.pending.size ? "saving" : "saved";
    this.tell("refused", store.t("edRefused", { why: failure.message, n: batch.size }));
  }

  private putBack(batch: Batch): void {
    const touched = new Set<number>();
    const back: number[] = [];
    for (const [u, code] of batch.before()) {
      if (this.pending.correct(u, code)) continue;
      touched.add(this.grid[u] as number);
      const g = code !== null && !this.number.has(code) ? -1 : this.numberOf(code);
      this.put(u, g);
      touched.add(g);
      back.push(u);
    }
    touched.delete(-1);
    this.recolour(touched, back);
    this.show();
  }

  /** Somebody was faster. Other ground: the stroke is sent again on the new state. The same ground: the planner decides. */
  private async meet(batch: Batch, failure: Problem): Promise<void> {
    this.inflight = null;
    const mine = new Map(batch.targets());
    const was = new Map(batch.before());
    for (const [u, code] of was) this.put(u, code === null ? -1 : this.numberOf(code)); // as it was, so that news fall on what they meant
    const news = await this.follow().catch(() => null);
    const theirs = new Set((news?.units ?? []).map((id) => this.ground.placeOf(id) ?? -1));
    const both = [...mine.keys()].filter((u) => theirs.has(u));
    const again = (): void => {
      for (const target of new Set(mine.values())) {
        const gone = target !== null && target !== NEW && !this.number.has(target);
        if (!gone) this.paint([...mine].flatMap(([u, t]) => (t === target ? [u] : [])), target);
      }
    };
    if (!both.length) {
      again();
      this.recolour(new Set(), [...mine.keys()]);
      return;
    }
    this.onunits([...mine.keys()]);
    this.show();
    this.saved = "saved";
    const acts = news?.acts ?? [];
    const last = acts.at(-1);
    this.conflict = {
      who: last?.author ?? failure.facts.author ?? "", at: last?.at ?? failure.facts.at ?? "", acts, units: both,
      keep: () => {
        this.conflict = null;
        again();
        void this.commit();
      },
      drop: () => {
        this.conflict = null;
        this.tell("info", store.t("edDropped", { n: mine.size }));
        if (this.pending.size) void this.commit();
      },
    };
  }

  // ── acts ───────────────────────────────────────────────────────────────────────────────────────────────────────
  /** An act on the saved state. True when it was done; a refusal is told in words. */
  async act(word: string, body: Record<string, unknown>, told?: string): Promise<boolean> {
    return this.during(word, async () => {
      await this.commit();
      if (this.saved !== "saved" || this.conflict) return;
      await ask<Edited>("POST", `${this.path}/${word}`, this.lang, { body: { ...body, revision: this.revision }, key: freshKey() });
      await this.catchUp();
      if (told) this.tell("done", told);
    });
  }

  /** Any request about this plan, one at a time, its refusal told in words. */
  async during(word: string, work: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = word;
    try {
      await work();
      return true;
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
      if (failure.stale) await this.catchUp();
      this.tell("refused", failure.away ? store.t("edUnreachable") : store.t(failure.stale ? "edStale" : "edNotDone", { why: failure.message }));
      return false;
    } finally {
      this.busy = null;
    }
  }

  private async catchUp(): Promise<void> {
    for (let i = 0; i < SYNC_MOST; i++) if (await this.follow()) return;
  }

  async send<T>(method: Method, path: string, body?: unknown): Promise<T> {
    return ask<T>(method, this.path + path, this.lang, body === undefined ? {} : { body, key: freshKey() });
  }

  undo = (): Promise<boolean> => this.act("undo", {});
  redo = (): Promise<boolean> => this.act("redo", {});

  async cut(unit: number, line: [number, number][]): Promise<boolean> {
    const code = this.ground.codes[unit] as string;
    return this.during("cut", async () => {
      await this.commit();
      const drawn = { type: "LineString", coordinates: line };
      await ask("POST", `${this.path}/cut`, this.lang, { body: { unit: code, line: drawn }, key: freshKey() });
      await this.load();
      this.tell("done", store.t("edCutDone", { unit: code }));
    });
  }

  /** Everything anew, after a job changed the plan. */
  async reload(): Promise<void> {
    await this.load();
  }
}

export const isWall = (v: Violation): boolean => v.code !== "several-parts";

export function actWord(act: string): "ac_assign" {
  return (`ac_${act}` in WORDS ? `ac_${act}` : "ac_other") as "ac_assign";
}
const WORDS = Object.fromEntries(
  ["assign", "split", "merge", "fix", "lock", "unlock", "posts", "rename", "configure", "undo", "redo", "rebalance", "cut"].map((act) => [`ac_${act}`, true]),
);

const nextFrame = (): Promise<void> => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

function named(moves: Move[], ids: ArrayLike<number>): Move[] {
  return moves.map((move) => ({ ...move, unit_ids: move.unit_ids.map((u) => ids[u] as number) }));
}

function blank(code: string): GridRow {
  return {
    code, name: code === NEW ? store.t("edNewGrid") : code, units: 0, loads: {}, deviation: null, area_m2: 0, perimeter_m: 0, compactness: 0,
    parts: 1, contiguous: true, areas: 1, crossing: false, cut_edges: 0, posts: 1, locked: false,
  };
}

/** The table of grids row by row. */
export function rowsOf(table: Table): GridRow[] {
  return table.codes.map((code, g) => ({
    code, name: table.names[g] ?? code, units: table.units[g] ?? 0,
    loads: Object.fromEntries(Object.entries(table.loads).map(([name, loads]) => [name, loads[g] ?? 0])),
    deviation: table.deviation[g] ?? null, area_m2: table.area_m2[g] ?? 0, perimeter_m: table.perimeter_m[g] ?? 0,
    compactness: table.compactness[g] ?? 0, parts: table.parts[g] ?? 1, contiguous: (table.parts[g] ?? 1) <= 1, areas: table.areas[g] ?? 1,
    crossing: table.crossing[g] ?? false, cut_edges: table.cut_edges[g] ?? 0, posts: table.posts[g] ?? 1, locked: table.locked[g] ?? false,
  }));
}
