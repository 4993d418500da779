import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch, OneAtATime } from "./batching.ts";
import { Beside, colouring, FILLS, OPEN, sidesOf, step } from "./colouring.ts";
import { columnsOf, Ground } from "./ground.ts";
import { Hits, inside, thinned } from "./hits.ts";
import { middles, middling, namedFrom, namedIn } from "./naming.ts";
import { opened } from "./opened.ts";
import { Sight } from "../../map/sight.ts";

/** A square field of units: borders to the east and to the north, each once. */
function field(side: number): { starts: number[]; beside: number[]; lon: number[]; lat: number[] } {
  const [starts, beside, lon, lat]: [number[], number[], number[], number[]] = [[0], [], [], []];
  for (let u = 0; u < side * side; u++) {
    const [i, j] = [u % side, Math.floor(u / side)];
    if (i + 1 < side) beside.push(u + 1);
    if (j + 1 < side) beside.push(u + side);
    starts.push(beside.length);
    lon.push(i + 0.5);
    lat.push(j + 0.5);
  }
  return { starts, beside, lon, lat };
}

test("neighbouring grids differ in colour, and an edit recolours only where it must", () => {
  const side = 60;
  const borders = field(side);
  const grid = Int32Array.from({ length: side * side }, (_, u) => Math.floor((u % side) / 4) + 15 * Math.floor(u / side / 3));
  const grids = Math.max(...grid) + 1;
  const beside = new Beside(sidesOf(borders.starts, borders.beside));
  const all = beside.update(grid, null);
  const first = colouring(beside.around, grids, new Uint8Array(), all);
  const clash = (colours: Uint8Array): number => {
    let n = 0;
    grid.forEach((g, u) => beside.of(u).forEach((v) => (n += g !== grid[v] && colours[g] === colours[grid[v] as number] ? 1 : 0)));
    return n;
  };
  assert.equal(clash(first), 0);
  assert.ok(first.every((c) => c < FILLS.length));
  assert.ok(new Set(first).size > 4, "the palette is used");
  for (let u = 0; u < 40; u++) grid[u] = 7; // a long grid with many neighbours
  const second = colouring(beside.around, grids, first, beside.update(grid, new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])));
  assert.equal(clash(second), 0);
  assert.ok(second.filter((c, g) => c !== first[g]).length <= 6);
  const fresh = new Beside(sidesOf(borders.starts, borders.beside));
  fresh.update(grid, null);
  for (const [g, set] of fresh.around) assert.deepEqual([...(beside.around.get(g) ?? [])].sort(), [...set].sort());
});

test("an open unit has no grid and no neighbour", () => {
  const beside = new Beside(sidesOf([0, 1, 2, 3, 3], [1, 2, 3]));
  assert.deepEqual([...beside.update(Int32Array.from([-1, 0, 1, -1]), null)].sort(), [0, 1]);
  assert.deepEqual([...beside.around.get(0) ?? []], [1]);
  assert.ok(!colouring(beside.around, 2, new Uint8Array([OPEN, OPEN])).includes(OPEN));
});

test("load against the band in nine steps", () => {
  assert.deepEqual([null, 0.1, -0.1, 0.11, 0.3, 0.79, 5, -0.2, -0.9].map((d) => step(d, 0.1)), [0, 0, 0, 1, 2, 3, 4, -1, -4]);
});

test("a lasso takes what the even-odd rule says, wherever points lie", () => {
  const ring: [number, number][] = [[0, 0], [10, 0], [10, 10], [5, 5], [0, 10]];
  assert.equal(inside(ring, 5, 4), true);
  assert.equal(inside(ring, 5, 8), false);
  const places = field(100);
  const hits = new Hits(places);
  const lasso: [number, number][] = [[3.2, 4.1], [60.7, 8.3], [80.1, 70.9], [40, 30], [10, 90.2]];
  const slow = places.lon.flatMap((x, i) => (inside(lasso, x, places.lat[i] as number) ? [i] : []));
  assert.deepEqual(hits.inLasso(lasso).sort((a, b) => a - b), slow);
  assert.ok(slow.length > 1000);
  assert.deepEqual(hits.inLasso(lasso.slice(0, 2)), []);
  assert.deepEqual(new Hits({ lon: [], lat: [] }).inLasso(lasso), []);
});

test("a box and a brush find their points; the brush is round on the ground", () => {
  const places = field(50);
  const hits = new Hits(places);
  assert.equal(hits.inBox(10, 10, 13, 12).length, 6);
  const narrow = Math.cos((20.5 * Math.PI) / 180);
  const slow = places.lon.flatMap((x, i) => (((x - 20.5) * narrow) ** 2 + ((places.lat[i] as number) - 20.5) ** 2 <= 9 ? [i] : []));
  assert.deepEqual(hits.inCircle(20.5, 20.5, 3).sort((a, b) => a - b), slow);
});

test("a drawn line keeps its ends", () => {
  assert.deepEqual(thinned([[0, 0], [0.1, 0], [0.2, 0], [5, 0], [5.1, 0]], 1), [[0, 0], [5, 0], [5.1, 0]]);
});

test("strokes are batched by target, the last colour wins, a way back is no move", () => {
  const held = new Map<number, string | null>([[1, "a"], [2, "a"], [3, "b"], [4, null]]);
  const batch = new Batch();
  const now = (u: number): string | null => held.get(u) ?? null;
  batch.add([1, 2], "b", now);
  batch.add([2, 4], "c", () => "b"); // what stands on the map meanwhile is not what it was
  batch.add([3], "a", now);
  batch.add([3], "b", now);
  assert.deepEqual(batch.moves(), [{ unit_ids: [1], to_grid: "b" }, { unit_ids: [2, 4], to_grid: "c" }]);
  assert.equal(batch.before().get(2), "a");
  assert.equal(batch.size, 4);
});

test("requests never overlap, and what came meanwhile is sent once more", async () => {
  let [running, most, runs] = [0, 0, 0];
  const queue = new OneAtATime(async () => {
    most = Math.max(most, ++running);
    runs++;
    await new Promise((done) => setTimeout(done, 5));
    running--;
  });
  const first = queue.ask();
  void queue.ask();
  void queue.ask();
  await first;
  assert.deepEqual([most, runs], [1, 2]);
  await queue.ask();
  assert.equal(runs, 3);
});

function told(side: number): Parameters<typeof columnsOf>[0] {
  const n = side * side;
  const units = Array.from({ length: n }, (_, u) => 10 + 3 * u); // ids have gaps
  return {
    key: "k", units, codes: units.map((id) => `U${id}`), ...field(side), area: units.map(() => 0), area_codes: ["a"], area_names: ["A"],
    area_m2: units.map(() => 1), loads: { cases: units.map((id) => id / 2) },
  };
}

test("a plan opened beside the page is the plan opened on it", () => {
  const side = 12;
  const grid = Array.from({ length: side * side }, (_, u) => (u === 5 ? -1 : Math.floor((u % side) / 3) + 4 * Math.floor(u / side / 3)));
  const ground = told(side);
  const held = { revision: 3, grids: Array.from({ length: 16 }, (_, g) => `G${g}`), grid, units: ground.units } as Parameters<typeof opened>[1];
  const all = opened(ground, held);
  assert.ok(all);
  const beside = new Beside(sidesOf(ground.starts, ground.beside));
  const looked = beside.update(Int32Array.from(grid), null);
  const handed = new Beside(all.sides, all.pairs);
  assert.equal(handed.around.size, beside.around.size);
  for (const [g, set] of beside.around) assert.deepEqual([...(handed.around.get(g) ?? [])].sort(), [...set].sort());
  assert.deepEqual(all.colours, colouring(beside.around, 16, new Uint8Array(), looked));
  const here = new Hits(ground).inCircle(4, 4, 2);
  assert.ok(here.length > 5);
  assert.deepEqual(new Hits(new Ground(all.columns), all.cells).inCircle(4, 4, 2), here);
  assert.equal(opened({ ...ground, units: ground.units.slice(1) }, held), null, "a unit was cut in between");
});

test("the ground finds units by id and names them when asked", () => {
  const ground = new Ground(columnsOf(told(3)));
  assert.deepEqual([...ground.units].map((id) => ground.placeOf(id)), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([0, 11, 99].map((id) => ground.placeOf(id)), [undefined, undefined, undefined]);
  assert.equal(ground.codes[2], "U16");
});

test("a grid is named where its name has room and the reader looks", () => {
  const at = middles(Int32Array.from([0, 0, 1, -1]), 3, { lon: Float64Array.of(0, 4, 10, 99), lat: Float64Array.of(0, 0, 2, 99), area_m2: Float64Array.of(3, 1, 5, 7) });
  assert.deepEqual([...at], [1, 0, 10, 2, NaN, NaN]);
  assert.equal(middling(Float64Array.of(9, 1, 4)), 4);
  assert.equal(middling(new Float64Array()), 0);
  const rows = [{ code: "wide", area_m2: 4e6, at: [0, 0] }, { code: "small", area_m2: 100, at: [0, 0] }, { code: "away", area_m2: 4e6, at: [5, 0] }, { code: "empty", area_m2: 4e6, at: [NaN, NaN] }] as const;
  const from = namedFrom(4e6, 0);
  const sight = (zoom: number): Sight => new Sight(zoom, -1, -1, 1, 1);
  assert.deepEqual(namedIn(rows, 0, sight(from), (row) => row.at).map((one) => one.row.code), ["wide"]);
  assert.deepEqual(namedIn(rows, 0, sight(from - 1), (row) => row.at), []);
  assert.equal(namedIn(rows, 0, sight(22), (row) => row.at).length, 2, "near enough for the small one, too");
});
