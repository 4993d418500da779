import assert from "node:assert/strict";
import { test } from "node:test";
import { ranked, type Row, tellRanges } from "./rows.ts";
import type { Indicators } from "./types.ts";

const row = (code: string, value: number | null): Row => ({ code, name: code, parent: null, value, n: value, suppressed: false, rank: null, ranks: null, group: null });

test("the highest comes first, equals share a rank, what is hidden has none", () => {
  const rows = ranked([row("d", null), row("b", 5), row("c", 2), row("a", 5)], false);
  assert.deepEqual(rows.map((r) => [r.code, r.rank]), [["a", 1], ["b", 1], ["c", 3], ["d", null]]);
});

test("first with nothing says nothing, unless little is good", () => {
  assert.equal(ranked([row("a", 0)], false)[0]?.rank, null);
  assert.equal(ranked([row("a", 0)], true)[0]?.rank, 1);
});

test("ranges come to the rows they are about; a zone without one keeps none", () => {
  const rows = [row("b", 5), row("a", 7), row("x", 1)];
  tellRanges(rows, { codes: ["a", "b"], rank_low: [1, null], rank_high: [2, null], group: [1, null] } as unknown as Indicators);
  assert.deepEqual(rows.map((r) => [r.code, r.ranks, r.group]), [["b", null, null], ["a", [1, 2], 1], ["x", null, null]]);
});
