import assert from "node:assert/strict";
import { test } from "node:test";
import { veilAt } from "./veil.ts";

test("the veil is as dark as the map draws it, at and between its stops", () => {
  const shown = [8, 10, 11.5, 13, 17].map((zoom) => Math.round(veilAt(zoom) * 1000) / 1000);
  assert.deepEqual(shown, [0.22, 0.22, 0.335, 0.45, 0.45]);
});
