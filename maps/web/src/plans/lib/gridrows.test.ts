import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch, NEW } from "./batching.ts";
import { withPaint } from "./gridrows.ts";
import type { GridRow } from "./types.ts";

const row = (code: string, units: number, cases: number): GridRow => ({
  code, name: `name of ${code}`, units, loads: { cases }, deviation: 0, area_m2: 100 * units, perimeter_m: 0, compactness: 0,
  parts: 1, contiguous: true, areas: 1, crossing: false, cut_edges: 0, posts: 1, locked: false,
});
const told = new Map([row("A", 2, 30), row("B", 1, 10)].map((r) => [r.code, r]));
const ground = { area_m2: [100, 100, 100], loads: { cases: [20, 10, 10] } }; // units 0 and 1 in A, 2 in B
const judged = { weight: "cases", loadPerPost: 20 };

function stroke(units: number[], from: string, to: string | null): Batch {
  const batch = new Batch();
  batch.add(units, to, () => from);
  return batch;
}

test("a stroke moves units, ground and load at once; the deviation follows", () => {
  const rows = withPaint(told, [stroke([1], "A", "B")], ground, judged, (code) => code);
  assert.deepEqual(rows.map((r) => [r.code, r.units, r.area_m2, r.loads["cases"], r.deviation]), [["A", 1, 100, 20, 0], ["B", 2, 200, 20, 0]]);
  assert.equal(told.get("A")?.units, 2, "what the service told stays as it was");
});

test("a grid that lost all is left out, one to be made stands with its name", () => {
  const rows = withPaint(told, [stroke([0, 1], "A", NEW)], ground, judged, () => "New grid");
  assert.deepEqual(rows.map((r) => [r.code, r.name, r.units]), [["B", "name of B", 1], [NEW, "New grid", 2]]);
});

test("strokes under way and waiting add up, and open ground belongs to nobody", () => {
  const rows = withPaint(told, [stroke([0], "A", "B"), stroke([0], "B", null)], ground, judged, (code) => code);
  assert.deepEqual(rows.map((r) => [r.code, r.units, r.loads["cases"]]), [["A", 1, 10], ["B", 1, 10]]);
});
