// Further barriers of one proposal: the lines of a GeoJSON file, or why it cannot be taken.
import type { LonLat } from "../../map/editormap.ts";

export const MOST_LINES = 1000;
export const MOST_POINTS = 20_000;
export const MOST_MB = 20;
const DEGREES = /CRS84|EPSG:{1,2}4326|EPSG:{1,2}4490/i; // CGCS2000 differs from WGS 84 by centimetres

export type Line = LonLat[];
/** Why a file is refused: the word `ba_${why}` with what it names. */
export interface Unfit {
  why: "notJson" | "noLines" | "notLines" | "notDegrees" | "otherCrs" | "manyLines" | "manyPoints";
  fill: Record<string, string | number>;
}
export type Read = { lines: Line[]; points: number } | Unfit;

interface Node { type?: unknown; coordinates?: unknown; geometry?: unknown; geometries?: unknown; features?: unknown; crs?: { properties?: { name?: unknown } } }

/** The lines of a GeoJSON text (a geometry, a feature or collections of them), degrees in WGS 84. */
export function readLines(text: string): Read {
  let root: Node;
  try {
    root = JSON.parse(text) as Node;
  } catch {
    return { why: "notJson", fill: {} };
  }
  if (root === null || typeof root !== "object" || typeof root.type !== "string") return { why: "notJson", fill: {} };
  const crs = root.crs?.properties?.name;
  if (typeof crs === "string" && !DEGREES.test(crs)) return { why: "otherCrs", fill: { crs } };
  const lines: Line[] = [];
  const strange = collect(root, lines);
  if (strange !== null) return { why: "notLines", fill: { kind: strange } };
  return judged(lines);
}

/** Puts the lines of a node and all below it into `lines`; the first thing that is none, or null. */
function collect(node: Node, lines: Line[]): string | null {
  const below = node.type === "FeatureCollection" ? node.features : node.type === "GeometryCollection" ? node.geometries : null;
  if (Array.isArray(below)) {
    for (const one of below as Node[]) {
      const strange = collect(one ?? {}, lines);
      if (strange !== null) return strange;
    }
    return null;
  }
  if (node.type === "Feature") return node.geometry ? collect(node.geometry as Node, lines) : null; // without a place: nothing to close
  if (node.type !== "LineString" && node.type !== "MultiLineString") return String(node.type);
  const parts = node.type === "LineString" ? [node.coordinates] : node.coordinates;
  if (!Array.isArray(parts) || !parts.every((part) => Array.isArray(part))) return String(node.type);
  for (const part of parts as unknown[][]) if (part.length > 1) lines.push(part.map(pointOf)); // a height is left out
  return null;
}

const pointOf = (at: unknown): LonLat => (Array.isArray(at) ? [Number(at[0]), Number(at[1])] : [Number.NaN, Number.NaN]);
const onEarth = ([lon, lat]: LonLat): boolean => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;

function judged(lines: Line[]): Read {
  const points = lines.reduce((sum, line) => sum + line.length, 0);
  if (!lines.length) return { why: "noLines", fill: {} };
  if (lines.length > MOST_LINES) return { why: "manyLines", fill: { n: lines.length, most: MOST_LINES } };
  if (points > MOST_POINTS) return { why: "manyPoints", fill: { n: points, most: MOST_POINTS } };
  const off = lines.flat().find((at) => !onEarth(at));
  return off ? { why: "notDegrees", fill: { at: off.join(", ") } } : { lines, points };
}
