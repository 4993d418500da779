// What the page shows, as plain values, and its form in the address bar: a link opens the same view elsewhere.
import { isDay, PRESETS, type Preset } from "./period.ts";
import type { Lang } from "./types.ts";

export const VERSUS = ["previous", "last-year"] as const;
export type Versus = (typeof VERSUS)[number];
export type Panel = "" | "city";
export const MOST_ZONES = 50; // chosen at once

export interface View {
  by: string; // "grid", "hexagon" or a level's name; "" = choose for the city
  resolution: number | null; // hexagon size; null = by zoom
  plan: string; // "current", "as-was" (each case by the plan of its own day), "as-of:DATE", or a plan's id
  measure: string; // a measure of cases, or "coverage:KIND" = households within a quarter of an hour's walk
  versus: Versus;
  preset: Preset | null; // null: from and to are the reader's own
  from: string | null;
  to: string | null;
  category: string; // "" = all
  origin: string;
  status: string;
  facilities: string[];
  zones: string[]; // chosen zones, looked at together
  panel: Panel; // what the panel shows while no zone is chosen
  case: number | null; // the case that is open
  camera: [number, number, number] | null; // zoom, latitude, longitude
}

export const START: View = {
  by: "", resolution: null, plan: "current", measure: "cases", versus: "previous", preset: "90d", from: null, to: null,
  category: "", origin: "", status: "", facilities: [], zones: [], panel: "", case: null, camera: null,
};

const WORD = /^[^\u0000-\u001f<>]{1,200}$/;
const words = (texts: string[]): string[] => [...new Set(texts.filter((text) => WORD.test(text)))];
const whole = (text: string | null): number | null => (text && /^\d{1,15}$/.test(text) ? Number(text) : null);
const word = (text: string | null, otherwise: string): string => (text && WORD.test(text) ? text : otherwise);

/** Read the address bar; what cannot be understood is left at its default rather than failing the page. */
export function readView(search: string): { view: View; lang: Lang | null } {
  const q = new URLSearchParams(search);
  const [by, size] = word(q.get("by"), "").split(":");
  const resolution = Number(size);
  const preset = PRESETS.find((p) => p === q.get("period")) ?? null;
  const [from, to] = [q.get("from"), q.get("to")];
  const own = !preset && (isDay(from) || isDay(to));
  const camera = (q.get("map") ?? "").split("/").map(Number);
  const lang = q.get("lang");
  return {
    lang: lang === "en" || lang === "zh" ? lang : null,
    view: {
      by: by ?? "",
      resolution: by === "hexagon" && resolution >= 7 && resolution <= 11 ? resolution : null,
      plan: word(q.get("plan"), START.plan),
      measure: word(q.get("measure"), START.measure),
      versus: VERSUS.find((v) => v === q.get("versus")) ?? START.versus,
      preset: own ? null : (preset ?? START.preset),
      from: own && isDay(from) ? from : null,
      to: own && isDay(to) ? to : null,
      category: word(q.get("category"), ""),
      origin: word(q.get("origin"), ""),
      status: word(q.get("status"), ""),
      facilities: words(q.getAll("facility")),
      zones: words(q.getAll("zone")).slice(0, MOST_ZONES),
      panel: q.get("panel") === "city" ? "city" : "",
      case: whole(q.get("case")),
      camera: camera.length === 3 && camera.every(Number.isFinite) ? (camera as [number, number, number]) : null,
    },
  };
}

/** The address bar's query: only what differs from the defaults, in a fixed order. */
export function writeView(view: View, lang: Lang): string {
  const q = new URLSearchParams();
  const put = (key: string, value: string | null, otherwise: string): void => {
    if (value && value !== otherwise) q.set(key, value);
  };
  put("by", view.by === "hexagon" && view.resolution ? `hexagon:${view.resolution}` : view.by, "");
  put("plan", view.plan, START.plan);
  put("measure", view.measure, START.measure);
  put("versus", view.versus, START.versus);
  if (view.preset) put("period", view.preset, START.preset ?? "");
  else {
    put("from", view.from, "");
    put("to", view.to, "");
  }
  put("category", view.category, "");
  put("origin", view.origin, "");
  put("status", view.status, "");
  for (const kind of view.facilities) q.append("facility", kind);
  for (const code of view.zones) q.append("zone", code);
  put("panel", view.panel, "");
  put("case", view.case === null ? null : String(view.case), "");
  if (view.camera) {
    const [zoom, lat, lon] = view.camera;
    q.set("map", `${zoom.toFixed(2)}/${lat.toFixed(5)}/${lon.toFixed(5)}`);
  }
  put("lang", lang, "zh");
  const text = q.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return text ? `?${text}` : "";
}

/** The size of hexagon that suits a zoom: some hundred cells on the screen. */
export function resolutionFor(zoom: number): number {
  return zoom < 9.5 ? 7 : zoom < 11.3 ? 8 : zoom < 13 ? 9 : zoom < 14.6 ? 10 : 11;
}

export const WALK_MINUTES = 15; // of the measure "coverage:KIND"

const COVERAGE = "coverage:";
/** The kind of facility whose reach a measure asks for; null for a measure of cases. */
export const coverageOf = (measure: string): string | null => (measure.startsWith(COVERAGE) ? measure.slice(COVERAGE.length) : null);
export const coverage = (kind: string): string => COVERAGE + kind;

/** The date of "as-of:DATE"; null for any other word. */
export function asOfDay(plan: string): string | null {
  const date = plan.startsWith("as-of:") ? plan.slice(6) : null;
  return isDay(date) ? date : null;
}

/** An H3 cell of a size that the map offers. */
export const isHexagon = (code: string | null | undefined): code is string => typeof code === "string" && /^8[7-9ab][0-9a-f]{13}$/.test(code);
