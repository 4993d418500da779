// One open plan and the acts on it: each on the saved state, one at a time, its refusal told in words.
import { ask, freshKey, type Method, Problem } from "../../lib/api.ts";
import { store } from "../../lib/store.svelte.ts";
import { SYNC_MOST } from "./followed.svelte.ts";
import { Sent } from "./sent.svelte.ts";
import type { Edited } from "./types.ts";

export { actWord } from "./acts.ts";
export { NEW } from "./batching.ts";
export { STEPS } from "./followed.svelte.ts";

export class Draft extends Sent {
  /** An act on the saved state. True when it was done; a refusal is told in words. */
  async act(word: string, body: Record<string, unknown>, told?: string): Promise<boolean> {
    return this.during(word, async () => {
      await this.commit();
      if (!this.settled) return false;
      await ask<Edited>("POST", `${this.path}/${word}`, this.lang, { body: { ...body, revision: this.revision }, key: freshKey() });
      await this.catchUp();
      if (told) this.tell("done", told);
      return true;
    });
  }

  /** Nothing painted waits, nothing is to be decided: only then is an act about what the planner sees. */
  protected get settled(): boolean {
    return this.saved === "saved" && !this.conflict;
  }

  /** Any request about this plan, one at a time, its refusal told in words. Work that says false was not done. */
  async during(word: string, work: () => Promise<boolean | void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = word;
    try {
      return (await work()) !== false;
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
      if (failure.stale) await this.catchUp();
      this.tell("refused", failure.away ? store.t("edUnreachable") : store.t(failure.stale ? "edStale" : "edNotDone", { why: failure.message }));
      return false;
    } finally {
      this.busy = null;
    }
  }

  protected async catchUp(): Promise<void> {
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
      if (!this.settled) return false; // the ground is read anew afterwards: no stroke may wait on the old one
      const drawn = { type: "LineString", coordinates: line };
      await ask("POST", `${this.path}/cut`, this.lang, { body: { unit: code, line: drawn }, key: freshKey() });
      await this.load();
      this.tell("done", store.t("edCutDone", { unit: code }));
      return true;
    });
  }

  /** Everything anew, after a job changed the plan. */
  async reload(): Promise<void> {
    await this.load();
  }
}
