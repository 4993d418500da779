// Units painted with a grid: shown at once, told what is left out, sums and colours a moment later.
import { store } from "../../lib/store.svelte.ts";
import type { Target } from "./batching.ts";
import { OPEN } from "./colouring.ts";
import { Followed } from "./followed.svelte.ts";

const SETTLE_MS = 120;

export class Painted extends Followed {
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
  protected settle(): void {
    clearTimeout(this.settling);
    this.settling = 0;
    const touched = new Set(this.unsettled);
    this.unsettled.clear();
    this.recolour(touched, []);
    this.show();
  }
}
