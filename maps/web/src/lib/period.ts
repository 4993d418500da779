// Calendar days as "YYYY-MM-DD" in the city's own zone. A period is half-open: `to` is the first day after it.
import type { Bucket } from "./types.ts";

export const PRESETS = ["7d", "30d", "90d", "last-month", "this-year", "last-year", "all"] as const;
export type Preset = (typeof PRESETS)[number];
export interface Period {
  from: string | null;
  to: string | null;
}

const DAY_MS = 86_400_000;
const at = (day: string): number => Date.parse(`${day}T00:00:00Z`);

export function addDays(day: string, days: number): string {
  return new Date(at(day) + days * DAY_MS).toISOString().slice(0, 10);
}

export function daysBetween(from: string, to: string): number {
  return Math.round((at(to) - at(from)) / DAY_MS);
}

export function addMonths(day: string, months: number): string {
  const date = new Date(at(day));
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1)).toISOString().slice(0, 10);
}

/** The city's calendar day of an instant. */
export function dayOf(instant: string, timezone: string): string {
  if (instant.length === 10) return instant; // the public is told the day only
  return new Intl.DateTimeFormat("en-CA", {
    timeZone: timezone, year: "numeric", month: "2-digit", day: "2-digit",
  }).format(new Date(instant));
}

/** Day and minute of the city now, for names that shall differ: "2026-11-28 23:24". */
export function stamp(timezone: string, now = new Date()): string {
  const time = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hour: "2-digit", minute: "2-digit" }).format(now);
  return `${dayOf(now.toISOString(), timezone)} ${time}`;
}

/** The period of a preset, counted back from the last day that has a case, not from today: data may be years old. */
export function presetPeriod(preset: Preset, lastDay: string | null): Period {
  if (preset === "all" || !lastDay) return { from: null, to: null };
  const after = addDays(lastDay, 1);
  const year = Number(lastDay.slice(0, 4));
  if (preset === "last-month") {
    const to = addMonths(after, 0); // the last month that is over: its cases are all there
    return { from: addMonths(to, -1), to };
  }
  if (preset === "this-year") return { from: `${year}-01-01`, to: after };
  if (preset === "last-year") return { from: `${year - 1}-01-01`, to: `${year}-01-01` };
  return { from: addDays(after, -Number.parseInt(preset, 10)), to: after };
}

/** The first day of the next bucket. */
export function bucketEnd(start: string, bucket: Bucket): string {
  if (bucket === "day") return addDays(start, 1);
  return bucket === "week" ? addDays(start, 7) : addMonths(start, 1);
}

/** Bars that can be told apart on a strip a few hundred pixels wide. */
export function bucketFor(firstDay: string, lastDay: string): Bucket {
  const days = daysBetween(firstDay, lastDay);
  if (days > 800) return "month";
  return days > 70 ? "week" : "day";
}

/** The period of the same length just before, for "compared with the period before". */
export function periodBefore(period: Period, firstDay: string | null): Period | null {
  if (!period.from || !period.to || !firstDay) return null;
  const length = daysBetween(period.from, period.to);
  const from = addDays(period.from, -length);
  return from < firstDay ? null : { from, to: period.from };
}

export const isDay = (text: string | null): text is string =>
  text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(at(text)) && addDays(text, 0) === text;
