// Strokes go out one request at a time; what the service refuses goes back, and who meets somebody else's edit decides.
import { ask, freshKey, Problem } from "../../lib/api.ts";
import { store } from "../../lib/store.svelte.ts";
import { Batch, type Move, NEW, OneAtATime } from "./batching.ts";
import { carried, isThere } from "./carrying.ts";
import type { Ground } from "./ground.ts";
import type { Opened } from "./opened.ts";
import { Painted } from "./painted.svelte.ts";
import type { Edited, Table } from "./types.ts";

export class Sent extends Painted {
  protected sendingKey: string | null = null;
  protected flusher = new OneAtATime(() => this.flush());

  /** At the end of a stroke: what was painted goes out, together with what comes while it is under way. */
  commit(): Promise<void> {
    return this.flusher.ask();
  }

  protected async flush(): Promise<void> {
    while (this.loading) await this.loading.catch(() => undefined); // its failure is told by who asked for it
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

  protected async sendBatch(batch: Batch, moves: Move[]): Promise<void> {
    const key = (this.sendingKey ??= freshKey()); // kept until there is an answer: nothing is done twice
    for (let tries = 0; ; tries++) {
      while (this.loading) await this.loading.catch(() => undefined);
      if (this.inflight !== batch) return; // between two tries it went over to other ground, and waits there
      try {
        const asked = ask<Edited>("PATCH", `${this.path}/units`, this.lang, { body: { moves, revision: this.revision }, key });
        this.inAir = asked;
        const done = await asked;
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
  protected unsent(): void {
    this.saved = "unsent";
    this.tell("refused", store.t("edUnsent"));
  }

  retry(): Promise<void> {
    this.saved = "saving";
    return this.commit();
  }

  /** The new grid got its code: the one that nobody knew. */
  protected settleNew(done: Edited): void {
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

  /** Refused: every unit of the stroke goes back to where it was, unless a later stroke has taken it. */
  protected refuse(batch: Batch, failure: Problem): void {
    this.inflight = null;
    this.putBack(batch);
    this.saved = this.pending.size ? "saving" : "saved";
    this.tell("refused", store.t("edRefused", { why: failure.message, n: batch.size }));
  }

  protected putBack(batch: Batch): void {
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

  /** All was read anew, perhaps on other ground, where places mean other units: what waits goes over by their ids, and
   * what cannot is told. */
  protected override take(found: Opened, table: Table): void {
    this.conflict?.drop(); // asked about places that are no more
    const from = this.ground as typeof this.ground | undefined; // none before the first
    const waiting = this.inflight ? [this.inflight, this.pending] : [this.pending];
    this.inflight = this.sendingKey = null;
    super.take(found, table);
    if (!from) return;
    this.onground(from);
    if (waiting.some((stroke) => stroke.size)) this.carryOver(waiting, from);
  }

  protected carryOver(waiting: readonly Batch[], from: Ground): void {
    const { moves, lost } = carried(waiting, from, this.ground, { codeOf: (u) => this.codeOf(u), has: (code) => this.has(code) });
    this.again(moves, lost);
    void this.commit();
  }

  /** Painted once more, on what is now. Units that cannot go there, these and those lost before, are told. */
  protected again(moves: readonly Move[], lost = 0): void {
    for (const { unit_ids, to_grid } of moves) {
      const moving = unit_ids.filter((u) => this.codeOf(u) !== to_grid);
      lost += moving.length - (isThere(to_grid, this) ? this.paint(moving, to_grid) : 0);
    }
    if (lost) this.tell("info", store.t("edDropped", { n: lost }));
    this.saved = this.pending.size ? "saving" : "saved";
  }

  /** The ground became another and could not be read: the stroke is shown again and waits, on the ground it was painted on. */
  protected waitHere(batch: Batch): void {
    for (const stroke of [batch, this.pending]) for (const [u, code] of stroke.targets()) this.put(u, this.numberOf(code));
    this.recolour(new Set(), [...batch.targets().keys()]);
    this.unsent();
  }

  /** Somebody was faster. Other units: the stroke is sent again on the new state. The same units: the planner decides. */
  protected async meet(batch: Batch, failure: Problem): Promise<void> {
    const mine = new Map(batch.targets());
    const was = new Map(batch.before());
    for (const [u, code] of was) this.put(u, code === null ? -1 : this.numberOf(code)); // as it was, so that news fall on what they meant
    const news = await this.follow().catch(() => null);
    while (this.loading) await this.loading.catch(() => undefined);
    if (this.inflight !== batch) return; // it went over to what was read anew, and waits there
    if (news && news.ground !== this.ground.key) return this.waitHere(batch);
    this.inflight = null;
    const theirs = new Set((news?.units ?? []).map((id) => this.ground.placeOf(id) ?? -1));
    const both = [...mine.keys()].filter((u) => theirs.has(u));
    if (!both.length) {
      this.again(batch.moves());
      this.recolour(new Set(), [...mine.keys()]);
      this.show();
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
        this.again(batch.moves());
        void this.commit();
      },
      drop: () => {
        this.conflict = null;
        this.tell("info", store.t("edDropped", { n: mine.size }));
        if (this.pending.size) void this.commit();
      },
    };
  }
}

/** Moves with the ids that the service knows units by. */
function named(moves: Move[], ids: ArrayLike<number>): Move[] {
  return moves.map((move) => ({ ...move, unit_ids: move.unit_ids.map((u) => ids[u] as number) }));
}
