// What is asked: the view with its defaults filled in from the city, and the address of the question it makes.
import { asking } from "./address.ts";
import { dayOf, type Period, type Preset, presetPeriod } from "./period.ts";
import { Reader } from "./reader.svelte.ts";
import type { City } from "./types.ts";
import { asOfDay, coverageOf, isHexagon, MOST_ZONES, resolutionFor, START, type View, WALK_MINUTES } from "./view.ts";

export class Question extends Reader {
  view = $state<View>({ ...START });
  zoom = $state(11);
  city = $state.raw<City | null>(null);
  fixedBreaks = $state.raw<number[] | null>(null); // while playing, one scale for all frames

  firstDay = $derived(this.city?.first_case ? dayOf(this.city.first_case, this.city.timezone) : null);
  lastDay = $derived(this.city?.last_case ? dayOf(this.city.last_case, this.city.timezone) : null);
  period: Period = $derived(
    this.view.preset ? presetPeriod(this.view.preset, this.lastDay) : { from: this.view.from, to: this.view.to },
  );
  /** What can be shown: a measure whose data nobody delivered is left out. */
  measures = $derived(
    (this.city?.measures ?? []).filter((m) => m.available !== false && (m.needs !== "households" || this.city?.has.households)),
  );
  levels = $derived(
    (this.city?.levels ?? []).filter((l) => l.n > 0).sort((a, b) => (b.rank ?? 99) - (a.rank ?? 99) || a.name.localeCompare(b.name)),
  );
  /** The kind of zone: the reader's, else grids, else the finest administrative level, else hexagons. */
  by = $derived.by(() => {
    const city = this.city;
    if (!city) return "";
    const wanted = this.view.by;
    if (wanted === "hexagon" || this.levels.some((l) => l.name === wanted)) return wanted;
    if (city.plans.length && (wanted === "grid" || (city.current_plan !== null && wanted === ""))) return "grid";
    return this.levels.find((l) => l.rank !== null && l.n > 1)?.name ?? this.levels.find((l) => l.n > 1)?.name ?? "hexagon";
  });
  plan = $derived.by(() => {
    const plans = this.city?.plans ?? [];
    const on = asOfDay(this.view.plan);
    const held = on ? plans.find((p) => p.state === "approved" && (!p.valid_from || p.valid_from <= on) && (!p.valid_to || on < p.valid_to)) : undefined;
    const chosen = held ?? plans.find((p) => String(p.id) === this.view.plan || p.name === this.view.plan);
    return chosen ?? plans.find((p) => p.id === this.city?.current_plan) ?? plans[0] ?? null;
  });
  asWas = $derived(this.view.plan === "as-was" && this.by === "grid");
  /** The plan as the service is asked for it. */
  planWord = $derived(this.by !== "grid" ? undefined : this.asWas ? "as-was" : this.plan ? String(this.plan.id) : undefined);
  chosen = $derived(this.view.zones);
  /** The one zone that is chosen, if it is one. */
  zone = $derived(this.view.zones.length === 1 ? (this.view.zones[0] as string) : null);
  /** What a link asked for that is not here, in words; null when everything is. Silence would pass one plan off as another. */
  replaced = $derived.by(() => {
    const { by, plan } = this.view;
    if (!this.city || !this.by) return null;
    if (by && by !== this.by) return this.t("noLayer", { asked: by, shown: this.byName(this.by) });
    if (this.by !== "grid" || plan === START.plan || this.asWas || (asOfDay(plan) && this.plan) || [String(this.plan?.id), this.plan?.name].includes(plan)) return null;
    return this.t("noPlan", { asked: plan, shown: this.plan?.name ?? "" });
  });
  /** The size of hexagons; by zoom, but never away from under a hexagon that is being looked at. */
  resolution = $derived(
    this.view.resolution ?? (isHexagon(this.zone) ? Number.parseInt(this.zone[1] as string, 16) : resolutionFor(this.zoom)),
  );
  /** The layer as the service is asked for it. */
  byWord = $derived(this.by === "hexagon" ? `hexagon:${this.resolution}` : this.by);
  filters = $derived({ category: this.view.category, origin: this.view.origin, status: this.view.status });

  /** Zones as a question names them: one, several, or (without codes) the whole city. */
  where(codes: readonly string[]): { by?: string; code?: readonly string[]; plan?: string | undefined } {
    return codes.length ? { by: this.byWord, code: codes, plan: this.planWord } : {};
  }

  heatUrl(measure: string, period: Period): string {
    const kind = coverageOf(measure);
    if (kind) return asking("/api/heatmap/facilities", { kind, measure: "share_within_minutes", minutes: WALK_MINUTES, by: "grid", plan: this.plan?.id, lang: this.lang });
    const query = { measure, from: period.from, to: period.to, ...this.filters, lang: this.lang };
    if (this.by === "grid") return asking("/api/heatmap/grids", { plan: this.planWord, ...query });
    if (this.by === "hexagon") return asking("/api/heatmap/hexagons", { resolution: this.resolution, ...query });
    return asking("/api/heatmap/boundaries", { level: this.by, ...query });
  }

  /** The view as the service is told it in a body: a report or an export of what is seen. */
  viewBody(): Record<string, unknown> {
    const { from, to } = this.period;
    const { category, origin, status } = this.filters;
    const list = (word: string): string[] | undefined => (word ? [word] : undefined);
    const body = { by: this.byWord, plan: this.planWord, measure: coverageOf(this.view.measure) ? START.measure : this.view.measure, from, to, category: list(category), origin: list(origin), status: list(status) };
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined && value !== null));
  }

  // ── the reader asks something else ──
  setPreset(preset: Preset): void {
    this.fixedBreaks = null;
    Object.assign(this.view, { preset, from: null, to: null });
  }

  setPeriod(from: string | null, to: string | null): void {
    Object.assign(this.view, { preset: null, from, to });
  }

  setBy(by: string): void {
    if (by === this.by) return;
    const measure = by === "grid" || !coverageOf(this.view.measure) ? this.view.measure : START.measure; // reach is known by grid
    Object.assign(this.view, { by, measure, zones: [], case: null });
  }

  setPlan(plan: string): void {
    this.fixedBreaks = null;
    Object.assign(this.view, { plan, zones: [], case: null });
  }

  setMeasure(measure: string): void {
    this.fixedBreaks = null;
    this.view.measure = measure;
  }

  /** Choose one zone, or none; `more`: add it to the chosen ones, or take it out of them. */
  select(code: string | null, more = false): void {
    const others = this.view.zones.filter((c) => c !== code);
    const known = code !== null && others.length < this.view.zones.length;
    this.view.zones = code === null ? [] : !more ? [code] : known ? others : [...others, code].slice(-MOST_ZONES);
    this.view.case = null;
    if (code === null) this.view.panel = "";
  }
}
