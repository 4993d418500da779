// The state of the page: asks what the view needs, takes what comes back, and says what went wrong (problem).
import { untrack } from "svelte";
import { asking } from "./address.ts";
import { Answers } from "./answers.ts";
import { answer, get, onAnswer, Problem } from "./api.ts";
import { LANGUAGE, readerOf } from "./reader.svelte.ts";
import { route } from "./route.svelte.ts";
import { Shown } from "./shown.svelte.ts";
import type { Answer, City, Indicators, Series, Summary, Who, Zones } from "./types.ts";
import { coverageOf, isHexagon, readView, START, type View, writeView } from "./view.ts";

/** What an answer about facilities has not, and an answer about cases has. */
const NO_CASES = { unassigned: 0, overlaps: 0, period: { from: null, to: null }, asof: null, k: 0, version: "" };

class Store extends Shown {
  problem = $state.raw<Problem | null>(null);
  keptAt = $state.raw<string | null>(null); // the service does not answer: what is shown was kept then
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

  reset(): void {
    this.fixedBreaks = null;
    this.problem = null;
    this.forget();
    this.view = { ...START, camera: this.view.camera };
    this.ask();
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
