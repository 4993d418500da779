// An open plan follows the service: opened, asked again every few seconds, and what others did comes onto the map.
import { ask, Problem } from "../../lib/api.ts";
import { store } from "../../lib/store.svelte.ts";
import { actWord, isWall } from "./acts.ts";
import { Batch, OneAtATime } from "./batching.ts";
import { Beside } from "./colouring.ts";
import { rowsOf } from "./gridrows.ts";
import { Ground } from "./ground.ts";
import { Held } from "./held.svelte.ts";
import { Hits } from "./hits.ts";
import type { Opened } from "./opened.ts";
import { openPlan } from "./opening.ts";
import type { Act, Check, Comments, Edited, Edits, News, Table } from "./types.ts";

const POLL_MS = 2500;
const CHECK_MS = 1200;
export const SYNC_MOST = 5; // tries to see one state while others edit
export const STEPS = 4; // of opening: asked, the columns, the grids, drawn

export class Followed extends Held {
  protected timer = 0;
  protected checker = 0;
  protected inAir: Promise<unknown> | null = null; // the last request with a stroke, answered or not
  protected loader = new OneAtATime(() => this.readAnew());

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

  /** The reading that will bring other ground, perhaps: while it is under way no stroke goes out. */
  protected get loading(): Promise<void> | null {
    return this.loader.underWay;
  }

  protected async load(): Promise<void> {
    await this.loader.ask();
    if (this.closed) return;
    this.ready = true;
    await Promise.all([this.check(), this.readComments(), this.readLog()]); // what stands beside the map comes after it
  }

  protected async readAnew(): Promise<void> {
    await this.inAir?.catch(() => undefined); // a stroke under way is answered on the ground it was painted on
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
      return;
    }
  }

  protected take(found: Opened, table: Table): void {
    this.ground = new Ground(found.columns);
    this.hits = new Hits(this.ground, found.cells);
    this.beside = new Beside(found.sides, found.pairs);
    this.codes = [...found.grids];
    this.number = new Map(this.codes.map((code, g) => [code, g]));
    this.grid = found.grid;
    this.colours = found.colours;
    this.base = new Map(rowsOf(table).map((row) => [row.code, row]));
    const revision = Math.min(table.revision, found.revision); // of two states the older one: what came after it is asked for
    Object.assign(this, { name: table.name, state: table.state, nesting: table.nesting, revision, score: table.score });
    this.weight = table.score.weight;
    this.pending = new Batch();
    this.unsettled.clear();
    this.show();
    this.onunits(null);
    this.onrevision();
  }

  /** What others, or an act whose effect only the service knows, did since the revision we know. */
  async follow(): Promise<News | null> {
    const { revision: since, ground } = this;
    const news = await ask<News>("GET", `${this.path}/changes?since=${since}`, this.lang);
    if (since !== this.revision || ground !== this.ground || this.closed) return null; // an own act was answered, or all was read anew
    this.applyNews(news);
    return news;
  }

  protected applyNews(news: News): void {
    if (news.ground !== this.ground.key) {
      if (!this.loading) void this.load().catch(this.onlost);
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

  protected tellOthers(acts: Act[], units: number): void {
    const who = [...new Set(acts.map((act) => act.author))].join("、");
    const words = [...new Set(acts.map((act) => store.t(actWord(act.act))))].join("、");
    this.tell("others", store.t("edOthers", { who, what: words, n: units }));
  }

  /** An answer's grids, score and rules become what is shown. */
  protected absorb(done: Edited | News, units: readonly number[]): void {
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
    this.comments = (await ask<Comments>("GET", `${this.path}/comments`, this.lang)).comments;
  }

  async readLog(): Promise<void> {
    const found = await ask<Edits>("GET", `${this.path}/edits?limit=60`, this.lang);
    this.log = found.edits;
    if (found.revision === this.revision) [this.canUndo, this.canRedo] = [found.can_undo, found.can_redo];
  }
}

const nextFrame = (): Promise<void> => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
