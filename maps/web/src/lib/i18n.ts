// Words and numbers in the reader's language.
import { addDays } from "./period.ts";
import { MESSAGES, type Key } from "./messages.ts";
import type { Lang } from "./types.ts";

export function say(lang: Lang, key: Key, fill: Record<string, string | number> = {}): string {
  const text: string = MESSAGES[key][lang === "zh" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(fill[name] ?? whole));
}

/** A word of the data (a level, an origin, a unit): translated when known, else as it is. */
export function sayWord(lang: Lang, prefix: "level_" | "f_" | "m_" | "o_" | "s_" | "u_", word: string): string {
  const key = prefix + word;
  return key in MESSAGES ? say(lang, key as Key) : word.replaceAll("_", " ");
}

/** The source of cases: a word where it is one of the usual ones, else the name that the operator gave it, as it is. */
export function sourceName(lang: Lang, source: string): string {
  const key = `source_${source}`;
  return key in MESSAGES ? say(lang, key as Key) : source;
}

const locale = (lang: Lang): string => (lang === "zh" ? "zh-CN" : "en-GB");
const made = new Map<string, Intl.NumberFormat>();

function number(lang: Lang, digits: number, percent = false): Intl.NumberFormat {
  const key = `${lang}${digits}${percent}`;
  let format = made.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale(lang), {
      maximumFractionDigits: digits, minimumFractionDigits: percent ? 0 : undefined, style: percent ? "percent" : "decimal",
    });
    made.set(key, format);
  }
  return format;
}

export const count = (lang: Lang, value: number): string => number(lang, 0).format(value);

/** A value of a measure: shares in per cent, rates and days with about three digits; `more` digits where two would look alike. */
export function amount(lang: Lang, unit: string, value: number, more = 0): string {
  if (unit === "share") return number(lang, value > 0.98 && value < 1 ? 1 + more : more, true).format(value);
  if (unit === "cases") return number(lang, 0).format(value);
  return number(lang, (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2) + more).format(value);
}

export function withUnit(lang: Lang, unit: string, value: number): string {
  const word = sayWord(lang, "u_", unit);
  return word ? `${amount(lang, unit, value)} ${word}` : amount(lang, unit, value);
}

export function day(lang: Lang, date: string, options: Intl.DateTimeFormatOptions = {}): string {
  return new Intl.DateTimeFormat(locale(lang), { timeZone: "UTC", year: "numeric", month: "short", day: "numeric", ...options })
    .format(new Date(`${date}T00:00:00Z`));
}

/** A half-open period as people say it: first to last day. */
export function span(lang: Lang, from: string | null, to: string | null): string {
  if (!from && !to) return say(lang, "allTime");
  const last = to ? addDays(to, -1) : null;
  if (from && from === last) return day(lang, from);
  if (from && last && from.slice(0, 4) === last.slice(0, 4)) { // the year once: where the language says it
    const bare = { year: undefined };
    return lang === "zh" ? `${day(lang, from)} – ${day(lang, last, bare)}` : `${day(lang, from, bare)} – ${day(lang, last)}`;
  }
  return `${from ? day(lang, from) : "…"} – ${last ? day(lang, last) : "…"}`;
}

/** An instant on the city's clock. */
export function instant(lang: Lang, at: string, timezone: string | undefined): string {
  return new Intl.DateTimeFormat(locale(lang), {
    timeZone: timezone ?? "UTC", year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  }).format(new Date(at));
}
