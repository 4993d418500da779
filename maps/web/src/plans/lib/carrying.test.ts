import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch, NEW } from "./batching.ts";
import { carried, placeOn } from "./carrying.ts";
import { columnsOf, Ground } from "./ground.ts";

function ground(key: string, units: number[]): Ground {
  const each = units.map(() => 0);
  const borders = { starts: [0, ...each], beside: [] };
  return new Ground(columnsOf({ key, units, codes: units.map(String), lon: each, lat: each, area: each, area_codes: ["a"], area_names: ["A"], area_m2: each, loads: {}, ...borders }));
}

const before = ground("1", [10, 20, 30, 40]);
const after = ground("2", [10, 30, 40, 51, 52]); // 20 was cut into 51 and 52

function stroke(units: number[], target: string | null, was: (unit: number) => string | null): Batch {
  const batch = new Batch();
  batch.add(units, target, was);
  return batch;
}

/** The plan on the new ground, grid by unit id. */
function plan(grids: Record<number, string | null>, codes = ["a", "b", "c"]): Parameters<typeof carried>[3] {
  return { codeOf: (u) => grids[after.units[u] as number] ?? null, has: (code) => codes.includes(code) };
}
const still = { 10: "a", 30: "a", 40: "a", 51: "a", 52: "a" };

test("a place on one ground is found on the other by its unit", () => {
  assert.deepEqual([0, 1, 2, 3].map((u) => placeOn(after, before, u)), [0, undefined, 1, 2]);
});

test("a stroke goes over to the same units; one that was cut is counted as lost", () => {
  const found = carried([stroke([0, 1, 2, 3], "b", () => "a")], before, after, plan(still));
  assert.deepEqual(found, { moves: [{ unit_ids: [0, 1, 2], to_grid: "b" }], lost: 1 });
  assert.deepEqual(found.moves.flatMap((move) => move.unit_ids.map((u) => after.units[u])), [10, 30, 40]);
});

test("the last of several strokes wins, whether or not the first was done", () => {
  const strokes = [stroke([2], "b", () => "a"), stroke([2], "c", () => "b"), stroke([3], NEW, () => "a")];
  const moves = [{ unit_ids: [1], to_grid: "c" }, { unit_ids: [2], to_grid: NEW }];
  assert.deepEqual(carried(strokes, before, after, plan(still)), { moves, lost: 0 });
  assert.deepEqual(carried(strokes, before, after, plan({ ...still, 30: "b" })), { moves, lost: 0 });
  assert.deepEqual(carried(strokes, before, after, plan({ ...still, 30: "c" })), { moves: [moves[1]], lost: 0 }, "it is there already");
});

test("what somebody else moved stays, and nothing goes to a grid that is gone", () => {
  const one = stroke([2, 3], "b", () => "a");
  assert.deepEqual(carried([one], before, after, plan({ ...still, 30: "c", 40: null })), { moves: [], lost: 2 });
  assert.deepEqual(carried([one], before, after, plan(still, ["a", "c"])), { moves: [], lost: 2 });
  assert.deepEqual(carried([stroke([2], null, () => "a")], before, after, plan(still, [])), { moves: [{ unit_ids: [1], to_grid: null }], lost: 0 });
});
