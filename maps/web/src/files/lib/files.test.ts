import assert from "node:assert/strict";
import { test } from "node:test";
import { guess, stem, textOf } from "./guess.ts";
import { bytes, layoutOf } from "./layout.ts";

test("what a file probably is", () => {
  assert.deepEqual(guess("热线 3月.csv", "工单编号,受理时间,经度,纬度\n"), { what: "cases", name: "热线 3月" });
  assert.deepEqual(guess("街道.zip", "PK"), { what: "boundaries", name: "street" });
  assert.deepEqual(guess("x.geojson", '{"geometry":{"type": "MultiPolygon"'), { what: "boundaries", name: "" });
  assert.deepEqual(guess("小学.geojson", '{"geometry":{"type":"Point"'), { what: "facilities", name: "school" });
  assert.deepEqual(guess("beijing.osm.pbf", ""), { what: "network", name: "" });
  assert.deepEqual(guess("社区户数.xlsx", "PK"), { what: "weights", name: "households" });
  assert.equal(guess("巡查.xlsx", "PK").what, "cases");
});

test("the first bytes of a Chinese file are read in its encoding", () => {
  assert.equal(textOf(new Uint8Array([0xca, 0xdc, 0xc0, 0xed, 0xca, 0xb1, 0xbc, 0xe4])), "受理时间");
  assert.ok(textOf(new TextEncoder().encode("受理时间,x\n\n\n\n")).startsWith("受理时间"));
});

test("names, sizes, layouts", () => {
  assert.equal(stem("街道.shp.zip"), "街道");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(1_234_567), "1.2 MB");
  assert.equal(layoutOf({ id: '编"号', lon: "" }), '[fields]\nid = "编\\"号"\n');
  assert.equal(layoutOf({}), "");
});
