// What the public said about a draft, as staff sees it: read when the draft is opened, and after every decision.
import { ask, freshKey, type Method } from "../../lib/api.ts";
import { store } from "../../lib/store.svelte.ts";
import type { Hearing, RemarkState } from "./consulting.ts";

export class HearingDesk {
  readonly path: string;
  hearing = $state.raw<Hearing | null>(null);
  failed = $state(false);

  constructor(plan: number) {
    this.path = `/api/plans/${plan}/consultation`;
  }

  get waiting(): number {
    return this.hearing?.counts.held ?? 0;
  }

  async read(): Promise<void> {
    try {
      this.hearing = await ask<Hearing>("GET", this.path, store.lang);
      this.failed = false;
    } catch {
      this.failed = true; // what was read before stays; the next look may find the service again
    }
  }

  /** Opens the draft, moves its last day, or closes it (null). */
  async open(until: string | null): Promise<void> {
    const sent = until === null ? { key: freshKey() } : { body: { until }, key: freshKey() };
    this.hearing = await ask<Hearing>(until === null ? "DELETE" : "POST", this.path, store.lang, sent);
  }

  decide = (remark: number, state: RemarkState): Promise<void> => this.change("POST", `/remarks/${remark}`, { state });
  answer = (remark: number, answer: string | null): Promise<void> => this.change("POST", `/remarks/${remark}/answer`, { answer });

  private async change(method: Method, path: string, body: unknown): Promise<void> {
    await ask(method, this.path + path, store.lang, { body, key: freshKey() });
    await this.read();
  }
}
