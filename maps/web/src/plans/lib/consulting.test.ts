import assert from "node:assert/strict";
import { test } from "node:test";
import { findGrids, touching } from "./consulting.ts";

const NAMES = ["望江第1网格", "北望第2网格", "河东第3网格"];
const CODES = ["110101", "110102", "990103"];

test("a grid is found by name or code, beginnings first", () => {
  assert.deepEqual(findGrids(NAMES, CODES, "望").found, [0, 1]);
  assert.deepEqual(findGrids(NAMES, CODES, "01").found, [0, 1, 2]);
  assert.deepEqual(findGrids(NAMES, CODES, "99").found, [2]);
});

test("nothing asked, nothing found; many are counted", () => {
  assert.deepEqual(findGrids(NAMES, CODES, "  "), { found: [], more: 0 });
  assert.deepEqual(findGrids(NAMES, CODES, "网格", 2), { found: [0, 1], more: 1 });
  assert.deepEqual(findGrids(NAMES, CODES, "南"), { found: [], more: 0 });
});

test("grids beside each other touch, those apart do not", () => {
  const found = touching([[0, 0, 1, 1], [1, 0, 2, 1], [3, 0, 4, 1], [0, 1, 4, 2]]);
  assert.deepEqual([...found].map(([i, near]) => [i, [...near].sort()]).sort(), [[0, [1, 3]], [1, [0, 3]], [2, [3]], [3, [0, 1, 2]]]);
});
