import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_LINES, MOST_POINTS, readLines } from "./barriers.ts";

const line = (...coordinates: number[][]): unknown => ({ type: "LineString", coordinates });
const feature = (geometry: unknown): unknown => ({ type: "Feature", properties: {}, geometry });
const collection = (...geometries: unknown[]): string => JSON.stringify({ type: "FeatureCollection", features: geometries.map(feature) });
const why = (text: string): unknown => {
  const read = readLines(text);
  return "why" in read ? [read.why, ...Object.values(read.fill)] : "taken";
};

test("lines are found wherever GeoJSON may hold them, without heights", () => {
  const many = { type: "MultiLineString", coordinates: [[[1, 2], [3, 4]], [[5, 6], [7, 8], [9, 10]]] };
  const found = readLines(collection(line([113, 23, 9.5], [114, 24, 8]), many, null, { type: "GeometryCollection", geometries: [line([0, 0], [1, 1])] }));
  assert.deepEqual(found, { barriers: [[[113, 23], [114, 24]], [[1, 2], [3, 4]], [[5, 6], [7, 8], [9, 10]], [[0, 0], [1, 1]]], passages: [], points: 9 });
  assert.deepEqual(readLines(JSON.stringify(line([1, 2], [3, 4]))), { barriers: [[[1, 2], [3, 4]]], passages: [], points: 2 });
});

test("lines that are said to lead across are kept apart", () => {
  const said = (properties: object, ...coordinates: number[][]): object => ({ type: "Feature", properties, geometry: line(...coordinates) });
  const features = [said({ class: "water" }, [1, 2], [3, 4]), said({ class: "bridge" }, [1, 4], [3, 2]), said({ tunnel: "yes", bridge: "no" }, [5, 5], [6, 6]), said({ bridge: "no" }, [7, 7], [8, 8])];
  assert.deepEqual(readLines(JSON.stringify({ type: "FeatureCollection", features })), {
    barriers: [[[1, 2], [3, 4]], [[7, 7], [8, 8]]],
    passages: [[[1, 4], [3, 2]], [[5, 5], [6, 6]]],
    points: 8,
  });
  assert.deepEqual(readLines(JSON.stringify({ type: "FeatureCollection", features: features.slice(1, 3) })), { why: "noLines", fill: {} });
});

test("what is no file of lines in degrees is refused with its reason", () => {
  assert.deepEqual(why("no json"), ["notJson"]);
  assert.deepEqual(why("[1]"), ["notJson"]);
  assert.deepEqual(why(collection()), ["noLines"]);
  assert.deepEqual(why(collection(line([1, 2], [3, 4]), { type: "Polygon", coordinates: [] })), ["notLines", "Polygon"]);
  assert.deepEqual(why(collection(line([38400000, 2500000], [38400001, 2500000]))), ["notDegrees", "38400000, 2500000"]);
  assert.deepEqual(why(JSON.stringify({ type: "LineString", coordinates: [[1, 2], "x"] })), ["notDegrees", "NaN, NaN"]);
  const named = (name: string): string => JSON.stringify({ ...(JSON.parse(collection(line([1, 2], [3, 4]))) as object), crs: { type: "name", properties: { name } } });
  assert.deepEqual(why(named("urn:ogc:def:crs:EPSG::4547")), ["otherCrs", "urn:ogc:def:crs:EPSG::4547"]);
  assert.equal(why(named("urn:ogc:def:crs:OGC:1.3:CRS84")), "taken");
  assert.equal(why(named("urn:ogc:def:crs:EPSG::4490")), "taken");
});

test("more than the service takes is refused before it is sent", () => {
  const short = line([1, 2], [3, 4]);
  assert.equal(why(collection(...Array<unknown>(MOST_LINES).fill(short))), "taken");
  assert.deepEqual(why(collection(...Array<unknown>(MOST_LINES + 1).fill(short))), ["manyLines", 1001, 1000]);
  assert.deepEqual(why(collection(line(...Array<number[]>(MOST_POINTS + 1).fill([1, 2])))), ["manyPoints", 5001, 5000]);
});
