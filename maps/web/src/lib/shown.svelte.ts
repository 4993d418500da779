// What came back: zones, their heat and its classes, the ranked list, the figures beside the map.
import ramps from "$ramps";
import { classOf, colours } from "./classes.ts";
import { say } from "./i18n.ts";
import { bucketFor, type Period } from "./period.ts";
import { Question } from "./question.svelte.ts";
import { ranked, type Row, rowsOf, tellRanges } from "./rows.ts";
import type { Bucket, Heat, Indicators, Series, Summary, Zones } from "./types.ts";
import { coverageOf } from "./view.ts";

const WHOLE = new Set(["cases", "open", "overdue"]);

export class Shown extends Question {
  zones = $state.raw<Zones | null>(null);
  heat = $state.raw<Heat | null>(null);
  heatPeriod = $state.raw<Period | null>(null); // of `heat`: while an answer is missing, old numbers keep their own days
  series = $state.raw<Series | null>(null);
  summary = $state.raw<Summary | null>(null);
  summaryStale = $state(false); // it tells of an earlier question: its answer is not here yet, or never came
  indicators = $state.raw<Indicators | null>(null); // of the measure that is shown; for staff
  bucketChoice = $state<Bucket | null>(null);

  limits = $derived(this.fixedBreaks ?? this.heat?.breaks ?? []);
  ramp = $derived.by(() => {
    const names = ramps.measures as Record<string, "heat" | "calm">;
    const measure = this.heat?.measure ?? "cases";
    return ramps[names[measure] ?? (coverageOf(measure) ? "calm" : "heat")];
  });
  colours = $derived(this.limits.length === 1 && this.limits[0] === 0 ? [this.ramp[0] as string] : colours(this.ramp, this.limits.length));
  classes = $derived.by(() => {
    const heat = this.heat;
    return heat ? heat.values.map((v, i) => classOf(v, heat.suppressed[i] ?? false, this.limits)) : [];
  });
  at = $derived(new Map((this.heat?.codes ?? []).map((code, i) => [code, i])));
  zoneAt = $derived(new Map((this.zones?.codes ?? []).map((code, i) => [code, i])));
  whole = $derived(WHOLE.has(this.heat?.measure ?? "cases"));
  goodIsHigh = $derived((this.heat?.measure ?? "").endsWith("_share") || coverageOf(this.heat?.measure ?? "") !== null);
  rows: Row[] = $derived.by(() => {
    const heat = this.heat;
    if (!heat) return [];
    const rows = rowsOf(heat, (code) => this.nameOf(code), (code) => this.zones?.parents[this.zoneAt.get(code) ?? -1] ?? null);
    if (this.indicators?.measure === heat.measure) tellRanges(rows, this.indicators);
    return ranked(rows, this.goodIsHigh);
  });
  row = $derived(new Map(this.rows.map((r) => [r.code, r])));
  bucket: Bucket = $derived(
    this.bucketChoice ?? (this.firstDay && this.lastDay ? bucketFor(this.firstDay, this.lastDay) : "week"),
  );

  nameOf(code: string): string {
    if (this.by === "hexagon") return say(this.lang, "hexagonName", { code: code.replace(/f+$/, "").slice(-6) });
    const i = this.at.get(code);
    return (i !== undefined ? this.heat?.names[i] : this.zones?.names[this.zoneAt.get(code) ?? -1]) || code;
  }
}
