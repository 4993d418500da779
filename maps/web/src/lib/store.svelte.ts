// The state of the page: what is asked (view), what came back (city, zones, heat), what went wrong (problem).
import { untrack } from "svelte";
import ramps from "$ramps";
import { asking } from "./address.ts";
import { Answers } from "./answers.ts";
import { answer, get, onAnswer, Problem } from "./api.ts";
import { classOf, colours } from "./classes.ts";
import { say, sayWord } from "./i18n.ts";
import type { Key } from "./messages.ts";
import { route } from "./route.svelte.ts";
import { bucketFor, dayOf, type Period, type Preset, presetPeriod } from "./period.ts";
import type { Answer, Bucket, City, Heat, Indicators, Lang, Series, Summary, Who, Zones } from "./types.ts";
import { asOfDay, coverageOf, isHexagon, MOST_ZONES, readView, resolutionFor, START, type View, writeView } from "./view.ts";

export interface Row {
  code: string;
  name: string;
  parent: string | null;
  value: number | null;
  n: number | null;
  suppressed: boolean;
  rank: number | null; // 1 = highest
  ranks: readonly [low: number, high: number] | null; // that it may hold; for staff
  group: number | null; // of zones that chance alone may have put in this order
}

const LANGUAGE = "wangge.lang";
const WHOLE = new Set(["cases", "open", "overdue"]);
export const WALK_MINUTES = 15; // of the measure "coverage:KIND"

const readerOf = (who: Who): string => [who.name, who.role, who.area?.level, who.area?.code].join("/");

/** What an answer about facilities has not, and an answer about cases has. */
const NO_CASES = { unassigned: 0, overlaps: 0, period: { from: null, to: null }, asof: null, k: 0, version: "" };

class Store {
  lang = $state<Lang>("zh");
  view = $state<View>({ ...START });
  zoom = $state(11);
  city = $state.raw<City | null>(null);
  who = $state.raw<Who | null>(null);
  zones = $state.raw<Zones | null>(null);
  heat = $state.raw<Heat | null>(null);
  heatPeriod = $state.raw<Period | null>(null); // of `heat`: while an answer is missing, old numbers keep their own days
  series = $state.raw<Series | null>(null);
  summary = $state.raw<Summary | null>(null);
  summaryStale = $state(false); // it tells of an earlier question: its answer is not here yet, or never came
  indicators = $state.raw<Indicators | null>(null); // of the measure that is shown; for staff
  problem = $state.raw<Problem | null>(null);
  keptAt = $state.raw<string | null>(null); // the service does not answer: what is shown was kept then
  fixedBreaks = $state.raw<number[] | null>(null); // while playing, one scale for all frames
  bucketChoice = $state<Bucket | null>(null);
  hovered = $state<string | null>(null);
  points = $state.raw<[lon: number, lat: number][]>([]); // cases that staff look at
  place = $state.raw<{ lon: number; lat: number } | null>(null); // one spot that is looked at
  playing = $state(false); // the timeline runs: what stands beside the map asks again when it rests
  stillIn = $state(false); // a sign-out did not reach the service
  busy = $state(0);
  era = $state(0); // grows when answers hold no longer (another reader, other data): who keeps some is made anew
  answers = new Answers();
  private heatAsked = "";
  private zonesAsked = "";
  private seriesAsked = "";
  private summaryAsked = "";
  private indicatorsAsked = "";

  // ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────
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

  // ── what came back ─────────────────────────────────────────────────────────────────────────────────────────────
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
    const rows = heat.codes.map((code, i) => ({
      code, name: this.nameOf(code), parent: this.zones?.parents[this.zoneAt.get(code) ?? -1] ?? null,
      value: heat.values[i] ?? null, n: heat.n?.[i] ?? null, suppressed: heat.suppressed[i] ?? false, rank: null as number | null,
      ranks: null as Row["ranks"], group: null as number | null,
    }));
    const sure = this.indicators?.measure === heat.measure ? this.indicators : null;
    const spot = new Map((sure?.codes ?? []).map((code, i) => [code, i]));
    for (const row of rows) {
      const i = spot.get(row.code);
      if (!sure || i === undefined) continue;
      const [low, high] = [sure.rank_low[i], sure.rank_high[i]];
      row.ranks = typeof low === "number" && typeof high === "number" ? [low, high] : null;
      row.group = sure.group[i] ?? null;
    }
    rows.sort((a, b) => (b.value ?? -1) - (a.value ?? -1) || (a.code < b.code ? -1 : 1));
    let rank = 0;
    rows.forEach((row, i) => {
      if (row.value === null || (row.value === 0 && !this.goodIsHigh)) return; // "first with nothing" says nothing
      if (i === 0 || row.value !== rows[i - 1]?.value) rank = i + 1;
      row.rank = rank;
    });
    return rows;
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

  /** Who reads, as a key: a page made for one reader is not shown to another. */
  reader = $derived(this.who ? readerOf(this.who) : "");
  /** Whether cases themselves may be asked for; which ones, the service decides. */
  mayCases = $derived(["worker", "supervisor", "admin"].includes(this.who?.role ?? "public"));
  /** Whether exact figures, ranks and reports may be asked for. */
  mayRead = $derived(["supervisor", "planner", "admin"].includes(this.who?.role ?? "public"));

  t = (key: Key, fill?: Record<string, string | number>): string => say(this.lang, key, fill);
  word = (prefix: "level_" | "f_" | "m_" | "o_" | "s_" | "u_", word: string): string => sayWord(this.lang, prefix, word);
  /** The name of a measure, of cases or of reach. */
  measureName = (measure: string): string => {
    const kind = coverageOf(measure);
    return kind ? this.t("coverageOf", { kind: this.word("f_", kind), n: WALK_MINUTES }) : this.word("m_", measure);
  };
  byName = (by: string): string =>
    by === "grid" ? this.t("by_grid") : by === "hexagon" ? this.t("by_hexagon") : this.word("level_", by);

  // ── doing ──────────────────────────────────────────────────────────────────────────────────────────────────────
  start(): void {
    onAnswer((at) => void (this.keptAt = at));
    const { view, lang } = readView(location.search);
    this.view = view;
    if (view.camera) this.zoom = view.camera[0];
    this.lang = lang ?? (localStorage.getItem(LANGUAGE) === "en" ? "en" : "zh");
    void this.loadCity();
  }

  async loadCity(): Promise<void> {
    await this.during(async () => {
      const [city, who] = await Promise.all([get<City>("/api/city", this.lang), get<Who>("/api/session", this.lang)]);
      if (this.who && readerOf(this.who) !== readerOf(who)) this.leave();
      else if (this.city && this.city.version !== city.version) this.forget();
      this.who = who;
      this.city = city;
      this.problem = null;
      this.ask(); // before the page is laid out and the map is made: both take as long as an answer
    });
  }

  /** Another reader sits here: nothing that the one before saw stays on the screen. */
  private leave(): void {
    this.forget();
    this.heat = this.heatPeriod = this.zones = this.series = this.summary = this.indicators = this.place = null;
    this.points = [];
  }

  private forget(): void {
    this.era += 1;
    this.answers.clear();
    this.heatAsked = this.zonesAsked = this.seriesAsked = this.summaryAsked = this.indicatorsAsked = "";
  }

  async loadHeat(url: string): Promise<void> {
    if (url === this.heatAsked) return;
    this.heatAsked = url;
    const [hexagons, period] = [this.by === "hexagon", this.period];
    await this.during(async () => {
      const heat = await this.answers.get<Answer["HeatMap"] | Answer["SupplyMap"]>(url, this.lang);
      const zones = hexagons ? (await import("../map/hexagons.ts")).zonesOf(heat.codes.filter(isHexagon), (c) => this.nameOf(c)) : null;
      if (url !== this.heatAsked) return; // a later question was asked meanwhile
      this.heat = "kind" in heat ? { ...NO_CASES, ...heat, measure: this.view.measure } : heat;
      this.heatPeriod = period;
      if (zones) this.zones = zones;
      this.problem = null;
    }, () => url === this.heatAsked);
  }

  async loadZones(url: string): Promise<void> {
    if (url === this.zonesAsked) return;
    this.zonesAsked = url;
    await this.during(async () => {
      const zones = await this.answers.get<Zones>(url, this.lang);
      if (url === this.zonesAsked) this.zones = zones;
    }, () => url === this.zonesAsked);
  }

  async loadSeries(url: string): Promise<void> {
    if (url === this.seriesAsked) return;
    this.seriesAsked = url;
    await this.during(async () => {
      const series = await this.answers.get<Series>(url, this.lang);
      if (url === this.seriesAsked) this.series = series;
    }, () => url === this.seriesAsked);
  }

  async loadSummary(url: string): Promise<void> {
    if (url === this.summaryAsked) return;
    this.summaryAsked = url;
    this.summaryStale = true;
    await this.during(async () => {
      const summary = await this.answers.get<Summary>(url, this.lang);
      if (url !== this.summaryAsked) return;
      this.summary = summary;
      this.summaryStale = false;
    }, () => url === this.summaryAsked);
  }

  /** Ranks come after the map: nobody waits for them. */
  async loadIndicators(url: string | null): Promise<void> {
    if (url === this.indicatorsAsked) return;
    this.indicatorsAsked = url ?? "";
    this.indicators = null;
    if (!url) return;
    const found = await this.answers.get<Indicators>(url, this.lang).catch(() => null); // without them the list has plain ranks
    if (url === this.indicatorsAsked) this.indicators = found;
  }

  private async during(work: () => Promise<void>, current: () => boolean = () => true): Promise<void> {
    untrack(() => (this.busy += 1)); // counting is not a reason to ask again
    try {
      await work();
    } catch (failure) {
      if (current()) this.fail(failure);
    } finally {
      this.busy -= 1;
    }
  }

  fail(failure: unknown): void {
    this.heatAsked = this.zonesAsked = this.seriesAsked = this.summaryAsked = ""; // asking again is allowed
    this.problem = failure instanceof Problem ? failure : new Problem(-1, "page", String(failure), "");
  }

  /** Ask again for what is missing, after a failure. */
  async retry(): Promise<void> {
    const [kept, away] = [this.keptAt !== null, this.problem?.status === 0];
    await this.loadCity();
    if (kept && this.keptAt === null) this.forget(); // what was kept is not an answer any more
    else if (away && this.problem === null) this.era += 1; // what failed meanwhile, beside the map too, is asked for again
    if (this.problem === null) this.ask();
  }

  /** Everything that the map's view needs now; answers already here are not asked for twice. */
  ask(): void {
    if (!this.city || !this.by || route.page !== "map") return;
    if (this.by === "grid") void this.loadZones(asking("/api/zones", { by: "grid", plan: this.planWord, lang: this.lang }));
    else if (this.by !== "hexagon") void this.loadZones(asking("/api/zones", { by: this.by, lang: this.lang }));
    else this.zonesAsked = "";
    void this.loadHeat(this.heatUrl(this.view.measure, this.period));
    void this.loadSeries(asking("/api/series", { bucket: this.bucket, ...this.filters, lang: this.lang }));
    const { from, to } = this.period;
    void this.loadSummary(asking("/api/summary", { from, to, ...this.filters, versus: this.view.versus, lang: this.lang }));
  }

  /** How sure the ranks are; asked for once the map stands. */
  askIndicators(): void {
    const ranked = !this.playing && this.mayRead && this.by !== "hexagon" && this.by !== "" && !this.asWas && !coverageOf(this.view.measure);
    const { from, to } = this.period;
    const query = { by: this.by, plan: this.planWord, measure: this.view.measure, from, to, ...this.filters, lang: this.lang };
    void this.loadIndicators(ranked ? asking("/api/indicators", query) : null);
  }

  /** The view as the service is told it in a body: a report or an export of what is seen. */
  viewBody(): Record<string, unknown> {
    const { from, to } = this.period;
    const { category, origin, status } = this.filters;
    const list = (word: string): string[] | undefined => (word ? [word] : undefined);
    const body = { by: this.byWord, plan: this.planWord, measure: coverageOf(this.view.measure) ? START.measure : this.view.measure, from, to, category: list(category), origin: list(origin), status: list(status) };
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined && value !== null));
  }

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

  reset(): void {
    this.fixedBreaks = null;
    this.problem = null;
    this.forget();
    this.view = { ...START, camera: this.view.camera };
    this.ask();
  }

  setLang(lang: Lang): void {
    this.lang = lang;
    localStorage.setItem(LANGUAGE, lang);
  }

  writeAddress(): void {
    if (location.pathname !== "/") return; // another page's address
    const search = writeView($state.snapshot(this.view) as View, this.lang);
    if (search !== location.search) history.replaceState(null, "", location.pathname + search);
  }

  async signIn(by: { token: string } | { name: string; password: string }): Promise<void> {
    await answer("POST", "/api/session", this.lang, { body: by });
    await this.loadCity();
  }

  async signOut(): Promise<void> {
    try {
      await answer("DELETE", "/api/session", this.lang);
    } catch (failure) {
      this.stillIn = true; // the reader must know, also when the network is back
      return this.fail(failure);
    }
    this.stillIn = false;
    await this.loadCity();
  }
}

export const store = new Store();
