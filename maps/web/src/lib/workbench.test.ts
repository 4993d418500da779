import assert from "node:assert/strict";
import { test } from "node:test";
import { asking, nameIn } from "./address.ts";
import { cityValue } from "./city.ts";
import { brief, change, interval, ratio, shown } from "./compare.ts";
import { lateDays } from "./due.ts";
import { presetPeriod } from "./period.ts";
import { pathTo, treeRows } from "./tree.ts";
import type { Figure, Heat } from "./types.ts";
import { asOfDay, coverage, coverageOf, readView, writeView } from "./view.ts";

const FIGURE: Figure = {
  key: "open", unit: "cases", value: 110, n: 110, low: 90.4, high: 132.6, reason: null,
  previous: 100, previous_n: 100, previous_low: null, previous_high: null, previous_reason: null, differs: true,
};

test("a change is told by an arrow and a number, not by a colour", () => {
  assert.deepEqual(change("en", FIGURE), { arrow: "▲", text: "10%", judged: "worse" });
  assert.deepEqual(change("en", { ...FIGURE, differs: false }), { arrow: "≈", text: "+10%", judged: null });
  assert.equal(change("en", { ...FIGURE, previous: null }), null);
  assert.equal(change("en", { ...FIGURE, previous: 0 }), null, "no per cent of nothing");
  const share: Figure = { ...FIGURE, key: "satisfied_share", unit: "share", value: 0.8, previous: 0.85 };
  assert.deepEqual(change("zh", share), { arrow: "▼", text: "5 个百分点", judged: "worse" });
  assert.deepEqual(change("en", { ...share, previous: 0.8 }), { arrow: "＝", text: "0 points", judged: null });
  const days: Figure = { ...FIGURE, key: "median_days_to_close", unit: "days", value: 0.271, previous: 0.272 };
  assert.deepEqual(change("en", days), { arrow: "＝", text: "0 days", judged: null }, "no arrow for what rounds to nothing");
});

test("figures as people read them", () => {
  assert.equal(brief("zh", 99_999), "99,999");
  assert.equal(brief("zh", 200_404), "20.0 万");
  assert.equal(brief("zh", 123_456_789), "1.2 亿");
  assert.equal(brief("en", 200_404), "200,404");
  assert.equal(ratio(0.6), "60 : 40");
  assert.equal(shown("en", { ...FIGURE, key: "service_share", unit: "share", value: 0.666 }), "67 : 33");
  assert.equal(shown("en", { ...FIGURE, value: null }), "—");
  assert.equal(interval("en", FIGURE), "95% interval 90–133, n=110");
  assert.equal(interval("en", { unit: "share", low: 0.1512, high: 0.1534, n: 99000 }), "95% interval 15.1%–15.3%, n=99,000");
  assert.equal(interval("en", { unit: "share", low: 0, high: 0, n: 3 }), "95% interval 0%–0%, n=3");
  assert.equal(interval("en", { ...FIGURE, low: null, high: null, n: null }), "");
});

test("one zone beside the city", () => {
  const heat = { codes: ["a", "b"], values: [10, 30], n: [10, 30], suppressed: [false, false], unit: "cases" } as unknown as Heat;
  const zones = { area_m2: [1e6, 3e6], households: [1000, null] } as never;
  assert.equal(cityValue(heat, null), 20);
  assert.equal(cityValue({ ...heat, unit: "cases/km²", values: [10, 10] }, zones), 10);
  assert.equal(cityValue({ ...heat, unit: "cases/1000 households" }, zones), 40);
  assert.equal(cityValue({ ...heat, unit: "share", values: [1, 0.5] }, null), 0.625);
  assert.equal(cityValue({ ...heat, unit: "days" }, null), null, "a median does not follow from the parts");
  assert.equal(cityValue({ ...heat, suppressed: [true, false] }, null), null);
});

test("days late are whole days past due", () => {
  const one = { status: "open", due_at: "2026-10-01T00:00:00Z", closed_at: null } as const;
  assert.equal(lateDays(one, "2026-10-04T12:00:00Z"), 3);
  assert.equal(lateDays(one, "2026-10-01T01:00:00Z"), 1, "late is at least a day");
  assert.equal(lateDays(one, "2026-09-30T00:00:00Z"), 0);
  assert.equal(lateDays({ ...one, status: "closed", closed_at: "2026-09-29T00:00:00Z" }, "2026-10-04T00:00:00Z"), 0);
  assert.equal(lateDays({ ...one, status: "void" }, "2026-10-04T00:00:00Z"), 0);
});

test("last month is the last that is over", () => {
  assert.deepEqual(presetPeriod("last-month", "2026-10-31"), { from: "2026-10-01", to: "2026-11-01" });
  assert.deepEqual(presetPeriod("last-month", "2026-10-30"), { from: "2026-09-01", to: "2026-10-01" });
  assert.deepEqual(presetPeriod("last-month", "2026-01-05"), { from: "2025-12-01", to: "2026-01-01" });
});

const TREE = [
  { key: "01", name: "市容", name_en: "Appearance", n: 9, children: [{ key: "01/1", name: "垃圾", name_en: "Rubbish", n: 5 }, { key: "01/2", name: "噪声", name_en: "Noise", n: 4 }] },
  { key: "02", name: "施工", name_en: "Building", n: 3, children: [{ key: "02/1", name: "施工噪声", name_en: "Building noise", n: 3 }] },
];

test("a tree is opened branch by branch and searched in both languages", () => {
  assert.deepEqual(treeRows(TREE, "zh", "", new Set()).map((r) => [r.key, r.branch]), [["01", "closed"], ["02", "closed"]]);
  assert.deepEqual(treeRows(TREE, "en", "", new Set(["01"])).map((r) => r.name), ["Appearance", "Rubbish", "Noise", "Building"]);
  assert.deepEqual(treeRows(TREE, "zh", "noise", new Set()).map((r) => r.key), ["01", "01/2", "02", "02/1"]);
  assert.deepEqual(treeRows(TREE, "zh", "市容", new Set()).map((r) => r.key), ["01", "01/1", "01/2"], "a group found shows all of it");
  assert.deepEqual(treeRows(TREE, "zh", "nothing", new Set()), []);
  assert.deepEqual(pathTo(TREE, "02/1").map((n) => n.key), ["02", "02/1"]);
});

test("a link holds several zones, the case, the comparison and the plan of a day", () => {
  const { view } = readView("?zone=a&zone=b&zone=a&case=7&versus=last-year&plan=as-of:2025-02-28&panel=city&measure=coverage:clinic");
  assert.deepEqual([view.zones, view.case, view.versus, view.panel], [["a", "b"], 7, "last-year", "city"]);
  assert.equal(asOfDay(view.plan), "2025-02-28");
  assert.equal(asOfDay("as-of:2025-02-30"), null);
  assert.equal(coverageOf(view.measure), "clinic");
  assert.equal(coverageOf("cases"), null);
  assert.equal(coverage("clinic"), view.measure);
  assert.deepEqual(readView(writeView(view, "zh")).view, view);
  assert.equal(readView("?case=-1").view.case, null);
});

test("questions are filled in and escaped", () => {
  assert.equal(asking("/api/cases/{id}", { lang: "zh" }, { id: 7 }), "/api/cases/7?lang=zh");
  assert.equal(asking("/api/zones", { by: "grid", plan: undefined }), "/api/zones?by=grid");
});

test("the name of a file, Chinese or plain", () => {
  assert.equal(nameIn("attachment; filename=\"x.csv\"; filename*=UTF-8''%E6%A1%88%E4%BB%B6.csv"), "案件.csv");
  assert.equal(nameIn('attachment; filename="wangge.pdf"'), "wangge.pdf");
  assert.equal(nameIn(""), null);
});
