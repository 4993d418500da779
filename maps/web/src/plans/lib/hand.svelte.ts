// The planner's hand: gestures of the pointer become picks, paint and drawn lines, each tool in its own way.
import { store } from "../../lib/store.svelte.ts";
import type { LonLat, Pointer } from "../../map/editormap.ts";
import { Bench, BRUSHES_PX } from "./bench.svelte.ts";
import { NEW } from "./draft.svelte.ts";
import { thinned } from "./hits.ts";
import { midway } from "./midway.ts";

const SAME_PLACE_PX = 5;
const TWICE_MS = 350;

export class Hand extends Bench {
  private freehand = false;
  private last = { x: 0, y: 0, at: 0 };

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

  protected click(p: Pointer): void {
    const unit = this.unitAt(p);
    if (unit === null) return;
    if (p.shift) this.pick([unit], this.picked.has(unit) ? "remove" : "add");
    else {
      this.pick([unit], "only");
      this.activate(this.draft.codeOf(unit));
      this.say(this.describeUnit(unit));
    }
  }

  protected pipette(p: Pointer): void {
    const unit = this.unitAt(p);
    this.down = null;
    if (unit !== null) this.activate(this.draft.codeOf(unit));
  }

  protected takeArea(p: Pointer): void {
    const unit = this.unitAt(p);
    if (unit === null) return;
    this.pick(this.draft.unitsOfArea(unit), p.alt ? "remove" : p.shift ? "add" : "only");
    this.say(store.t("edPickedArea", { area: this.draft.ground.area_names[this.draft.ground.area[unit] as number] ?? "", n: this.picked.size }));
  }

  protected takeRect(from: LonLat, p: Pointer): void {
    const to = p.at;
    this.line = [];
    const [w, e] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
    const [s, n] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])];
    this.pick(this.draft.hits.inBox(w, s, e, n), p.alt ? "remove" : p.shift ? "add" : "only");
  }

  protected takeLasso(p: Pointer): void {
    const lasso = this.line;
    this.line = [];
    this.pick(this.draft.hits.inLasso(lasso), p.alt ? "remove" : p.shift ? "add" : "only");
  }

  protected paintAlong(from: Pointer, to: Pointer): void {
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

  protected paintAt(p: Pointer): void {
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

  protected corner(p: Pointer): void {
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

  protected async splitAlong(line: LonLat[]): Promise<void> {
    const grid = this.active;
    if (!grid || grid === NEW) return this.draft.tell("info", store.t("edChooseGridToSplit"));
    if (await this.draft.act("split", { grid, line }, store.t("edSplitDone", { grid: this.draft.nameOf(grid) }))) this.say(store.t("edSplitDone", { grid: this.draft.nameOf(grid) }));
  }

  protected async cutAlong(line: LonLat[]): Promise<void> {
    const map = this.map;
    const middle = map && midway(line, (at) => map.screen(at));
    const only = this.picked.size === 1 ? [...this.picked][0] : undefined;
    const unit = only ?? (middle ? this.unitAt(middle) : null);
    if (unit === null || unit === undefined) return this.draft.tell("info", store.t("edNoUnitThere"));
    const code = this.draft.ground.codes[unit] ?? "";
    if (await this.draft.cut(unit, line)) {
      this.picked = new Set();
      this.say(store.t("edCutDone", { unit: code }));
    }
  }
}
