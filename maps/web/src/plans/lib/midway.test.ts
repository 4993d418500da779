import assert from "node:assert/strict";
import { test } from "node:test";
import { midway } from "./midway.ts";
import { percent } from "./percent.ts";

const screen = ([lon, lat]: [number, number]): [number, number] => [lon * 100, -lat * 100];

test("the middle of a drawn line is half its way, not its middle corner", () => {
  const p = midway([[0, 0], [1, 0], [1, 3]], screen);
  assert.deepEqual(p?.at, [1, 1]);
  assert.deepEqual([p?.x, p?.y], [100, -100]);
  assert.deepEqual(midway([[2, 2], [2, 2]], screen)?.at, [2, 2], "a line without length");
  assert.equal(midway([], screen), null);
});

test("a deviation is told with its sign, and none as a dash", () => {
  assert.deepEqual([0.12, -0.03, 0.001, null].map((d) => percent(d)), ["+12%", "−3%", "±0%", "—"]);
});
