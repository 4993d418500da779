// What a planner does without the pointer: acts on what is picked, finding what is wrong, the keyboard on the map.
import { store } from "../../lib/store.svelte.ts";
import type { LonLat } from "../../map/editormap.ts";
import { Hand } from "./hand.svelte.ts";
import type { Violation } from "./types.ts";

export { BRUSHES_PX, type Colouring, type Tool, TOOLS } from "./bench.svelte.ts";
export { percent } from "./percent.ts";

export class Workbench extends Hand {
  private order = new Map<string, number>(); // where "next" goes on, by kind

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
