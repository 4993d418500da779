import assert from "node:assert/strict";
import { test } from "node:test";
import type { Map as MapLibre } from "maplibre-gl";
import { FreshDots } from "./freshdots.ts";

/** As much of a map as dots ask of one. */
function sheet(): { map: MapLibre; shown(): [number, string][]; idle(): void } {
  let features: { properties: { fill: string }; geometry: { coordinates: number[] } }[] = [];
  let waiting: (() => void)[] = [];
  const map = {
    addSource: () => undefined, addLayer: () => undefined,
    once: (_: string, then: () => void) => void waiting.push(then),
    getSource: () => ({ setData: (data: { features: typeof features }) => void (features = data.features) }),
  };
  globalThis.requestAnimationFrame = (then) => (then(0), 1);
  globalThis.cancelAnimationFrame = () => undefined;
  return {
    map: map as unknown as MapLibre,
    shown: () => features.map((f) => [f.geometry.coordinates[0] as number, f.properties.fill]),
    idle: () => {
      const now = waiting;
      waiting = [];
      for (const then of now) then();
    },
  };
}

test("a unit that changed hands is a dot until the tiles tell, and no longer", () => {
  const { map, shown, idle } = sheet();
  const dots = new FreshDots(map, (u) => [u, 0], { side_m: 100, lat: 30 }, 12, "marks");
  dots.put([1, 2], () => "#111111");
  assert.deepEqual(shown(), [[1, "#111111"], [2, "#111111"]]);
  dots.asked();
  dots.put([3], () => "#333333"); // painted while tiles are under way: they may not know
  idle();
  assert.deepEqual(shown(), [[3, "#333333"]]);
  dots.put([3], () => "#444444");
  assert.deepEqual(shown(), [[3, "#444444"]], "the last colour wins");
  dots.asked();
  idle();
  assert.deepEqual(shown(), []);
});

test("of a very large act no more dots are made than can be drawn", () => {
  const { map } = sheet();
  const dots = new FreshDots(map, (u) => [u, 0], { side_m: 100, lat: 30 }, 12, "marks");
  dots.put(Array.from({ length: 200_000 }, (_, u) => u), () => "#111111");
  assert.equal(dots.size, 5_000);
});
