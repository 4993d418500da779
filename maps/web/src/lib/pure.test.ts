import assert from "node:assert/strict";
import { test } from "node:test";
import { classOf, colours, HIDDEN, legendRows, NO_DATA, wilson } from "./classes.ts";
import { MESSAGES } from "./messages.ts";
import { addDays, addMonths, bucketEnd, bucketFor, dayOf, periodBefore, presetPeriod, stamp } from "./period.ts";
import { readView, START, writeView } from "./view.ts";

test("presets count back from the last case, half-open", () => {
  assert.deepEqual(presetPeriod("7d", "2024-03-01"), { from: "2024-02-24", to: "2024-03-02" });
  assert.deepEqual(presetPeriod("this-year", "2024-03-01"), { from: "2024-01-01", to: "2024-03-02" });
  assert.deepEqual(presetPeriod("last-year", "2024-03-01"), { from: "2023-01-01", to: "2024-01-01" });
  assert.deepEqual(presetPeriod("all", "2024-03-01"), { from: null, to: null });
});

test("the day of an instant is the city's, not the browser's", () => {
  assert.equal(dayOf("2024-12-31T16:30:00Z", "Asia/Shanghai"), "2025-01-01");
  assert.equal(dayOf("2016-01-01T03:00:00Z", "America/New_York"), "2015-12-31");
  assert.equal(dayOf("2016-01-01", "America/New_York"), "2016-01-01");
});

test("calendar steps", () => {
  assert.equal(addDays("2024-02-28", 2), "2024-03-01");
  assert.equal(addMonths("2024-12-01", 1), "2025-01-01");
  assert.equal(bucketEnd("2024-02-01", "month"), "2024-03-01");
  assert.equal(bucketFor("2015-01-01", "2015-12-31"), "week");
  assert.deepEqual(periodBefore({ from: "2024-02-01", to: "2024-02-11" }, "2024-01-01"), { from: "2024-01-22", to: "2024-02-01" });
  assert.equal(periodBefore({ from: "2024-02-01", to: "2024-02-11" }, "2024-01-30"), null);
});

test("a view survives the address bar", () => {
  const view = {
    ...START, by: "hexagon", resolution: 9, measure: "per_km2", preset: null, from: "2024-01-01", to: "2024-02-01",
    category: "01/02", origin: "citizen", facilities: ["医院", "school"], zones: ["110105001001001", "110105001001002"], versus: "last-year" as const, panel: "city" as const, case: 42, plan: "as-of:2025-03-01", camera: [12.5, 39.9, 116.4] as [number, number, number],
  };
  assert.deepEqual(readView(writeView(view, "en")), { view, lang: "en" });
  assert.equal(writeView(START, "zh"), "");
});

test("nonsense in the address bar leaves the defaults", () => {
  const { view } = readView("?by=hexagon:99&from=2024-13-99&map=a/b/c&measure=%3Cscript%3E&period=century&zone=%00");
  assert.deepEqual(view, { ...START, by: "hexagon" });
});

test("classes are lower-inclusive; hidden and missing are not zero", () => {
  const limits = [0, 1, 5, 20];
  assert.deepEqual([0, 1, 4, 5, 19, 20, 999].map((v) => classOf(v, false, limits)), [0, 1, 1, 2, 2, 3, 3]);
  assert.equal(classOf(null, false, limits), NO_DATA);
  assert.equal(classOf(null, true, limits), HIDDEN);
});

test("legend rows", () => {
  const rows = legendRows([0, 1, 5, 20], [0, 0, 1, 3, -1], [0, 0, 3, 21, null], true, String);
  assert.deepEqual(rows.map((r) => r.label), ["0", "1 – 4", "5 – 19", "≥ 20"]);
  assert.deepEqual(rows.map((r) => r.zones), [2, 1, 0, 1]);
});

test("a rate's class of zeros reads 0, not a range", () => {
  const rows = legendRows([0, 0.2, 3], [0, 1, 2], [0, 1.1, 9], false, String);
  assert.deepEqual(rows.map((r) => r.label), ["0", "0.2 – 3", "≥ 3"]);
});

test("colours run along the ramp", () => {
  assert.deepEqual(colours(["#000000", "#ffffff"], 3), ["#000000", "#808080", "#ffffff"]);
});

test("Wilson's interval", () => {
  const [low, high] = wilson(0.8, 10);
  assert.ok(Math.abs(low - 0.4902) < 1e-3 && Math.abs(high - 0.9433) < 1e-3, `${low} ${high}`);
});

test("both languages hold the same placeholders", () => {
  for (const [key, [zh, en]] of Object.entries(MESSAGES)) {
    const holes = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
    assert.deepEqual(holes(zh), holes(en), key);
  }
});

test("a name by the minute follows the city's clock, not the machine's", () => {
  assert.equal(stamp("Asia/Shanghai", new Date("2026-11-28T16:04:59Z")), "2026-11-29 00:04");
  assert.equal(stamp("America/New_York", new Date("2026-11-28T04:04:00Z")), "2026-11-27 23:04");
});
