// A figure now against before, in words that need no colour.
import { amount, count, say } from "./i18n.ts";
import type { Figure, Lang } from "./types.ts";

const WORSE_UP = new Set(["open", "overdue", "median_days_to_close", "overdue_share"]);
const BETTER_UP = new Set(["satisfied_share"]);

const MORE_DIGITS = 3;

export interface Change {
  arrow: "▲" | "▼" | "＝" | "≈"; // ≈: no more than chance
  text: string; // "12%", "3 个百分点", "0.5 天"
  judged: "better" | "worse" | null; // null: neither, or chance
}

/** How much a figure changed: counts in per cent, shares in percentage points, days in days. Null without a before. */
export function change(lang: Lang, figure: Figure): Change | null {
  const { key, unit, value, previous } = figure;
  if (value === null || previous === null || (unit === "cases" && previous === 0)) return null;
  const by = unit === "cases" ? (value - previous) / previous : value - previous;
  const text =
    unit === "cases" ? amount(lang, "share", Math.abs(by))
    : unit === "share" ? say(lang, "points", { n: amount(lang, "", Math.abs(by) * 100) })
    : `${amount(lang, unit, Math.abs(by))} ${say(lang, "u_days")}`;
  if (/^0(\.0+)?\D*$/.test(text)) return { arrow: "＝", text, judged: null }; // less than can be written
  const chance = figure.differs === false;
  const up = by > 0;
  const judged = by === 0 || chance ? null : WORSE_UP.has(key) ? (up ? "worse" : "better") : BETTER_UP.has(key) ? (up ? "better" : "worse") : null;
  return { arrow: by === 0 ? "＝" : chance ? "≈" : up ? "▲" : "▼", text: chance && by !== 0 ? `${up ? "+" : "−"}${text}` : text, judged };
}

/** The figure itself: counts short where they are long (20.0 万), a share of service as "67 : 33". */
export function shown(lang: Lang, figure: Figure): string {
  if (figure.value === null) return "—";
  if (figure.key === "service_share") return ratio(figure.value);
  if (figure.unit === "cases") return brief(lang, figure.value);
  return figure.unit === "days" ? `${amount(lang, "days", figure.value)} ${say(lang, "u_days")}` : amount(lang, figure.unit, figure.value);
}

/** A share as two parts of a hundred. */
export function ratio(share: number): string {
  const of = Math.round(share * 100);
  return `${of} : ${100 - of}`;
}

/** Long counts as people say them: 万 and 亿 in Chinese, millions in English. */
export function brief(lang: Lang, value: number): string {
  const short = (by: number, unit: string): string => `${(value / by).toFixed(value / by >= 100 ? 0 : 1)}${unit}`;
  if (lang === "zh") return value >= 1e8 ? short(1e8, " 亿") : value >= 1e5 ? short(1e4, " 万") : count(lang, value);
  return value >= 1e6 ? short(1e6, " M") : count(lang, value);
}

/** The 95 % interval with n, for a tooltip and a screen reader; "" where there is none. */
export function interval(lang: Lang, figure: Pick<Figure, "unit" | "low" | "high" | "n">): string {
  if (figure.low === null || figure.high === null) return figure.n === null ? "" : say(lang, "ofN", { n: count(lang, figure.n) });
  const ends = [figure.low, figure.high].map((v) => (figure.unit === "cases" ? Math.round(v) : v));
  const said = (more: number): [string, string] => ends.map((v) => amount(lang, figure.unit, v, more)) as [string, string];
  let [low, high] = said(0);
  for (let more = 1; low === high && ends[0] !== ends[1] && more <= MORE_DIGITS; more++) [low, high] = said(more); // no "15%–15%"
  return say(lang, "interval", { low, high, n: count(lang, figure.n ?? 0) });
}
