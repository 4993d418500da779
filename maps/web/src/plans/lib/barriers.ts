// Further barriers of one proposal and the ways across them: the lines of a GeoJSON file, or why it cannot be taken.
import type { LonLat } from "../../map/editormap.ts";

export const MOST_LINES = 1000;
export const MOST_POINTS = 5000;
export const MOST_MB = 20;
const DEGREES = /CRS84|EPSG:{1,2}4326|EPSG:{1,2}4490/i; // CGCS2000 differs from WGS 84 by centimetres

export type Line = LonLat[];
/** Why a file is refused: the word `ba_${why}` with what it names. */
export interface Unfit {
  why: "notJson" | "noLines" | "notLines" | "notDegrees" | "otherCrs" | "manyLines" | "manyPoints";
  fill: Record<string, string | number>;
}
/** Lines nobody walks across, and those that lead across (`class=bridge`, `bridge=yes`, `tunnel=yes`). */
export interface Lines {
  barriers: Line[];
  passages: Line[];
}
export const NO_LINES: Lines = { barriers: [], passages: [] };
export type Read = (Lines & { points: number }) | Unfit;

interface Node { type?: unknown; coordinates?: unknown; geometry?: unknown; geometries?: unknown; features?: unknown; properties?: Record<string, unknown> | null; crs?: { properties?: { name?: unknown } } }

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
  const lines: Lines = { barriers: [], passages: [] };
  const strange = collect(root, lines, false);
  if (strange !== null) return { why: "notLines", fill: { kind: strange } };
  return judged(lines);
}

/** Puts the lines of a node and all below it where they belong; the first thing that is no line, or null. */
function collect(node: Node, lines: Lines, across: boolean): string | null {
  const below = node.type === "FeatureCollection" ? node.features : node.type === "GeometryCollection" ? node.geometries : null;
  if (Array.isArray(below)) {
    for (const one of below as Node[]) {
      const strange = collect(one ?? {}, lines, across);
      if (strange !== null) return strange;
    }
    return null;
  }
  if (node.type === "Feature") return node.geometry ? collect(node.geometry as Node, lines, leadsAcross(node.properties ?? {})) : null; // without a place: nothing to close
  if (node.type !== "LineString" && node.type !== "MultiLineString") return String(node.type);
  const parts = node.type === "LineString" ? [node.coordinates] : node.coordinates;
  if (!Array.isArray(parts) || !parts.every((part) => Array.isArray(part))) return String(node.type);
  for (const part of parts as unknown[][]) if (part.length > 1) (across ? lines.passages : lines.barriers).push(part.map(pointOf)); // a height is left out
  return null;
}

const SAID = ["yes", "true", "1"]; // as OpenStreetMap and GIS tables write it
const leadsAcross = (about: Record<string, unknown>): boolean =>
  about.class === "bridge" || [about.bridge, about.tunnel].some((said) => SAID.includes(String(said).toLowerCase()));

const pointOf = (at: unknown): LonLat => (Array.isArray(at) ? [Number(at[0]), Number(at[1])] : [Number.NaN, Number.NaN]);
const onEarth = ([lon, lat]: LonLat): boolean => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;

const pointsOf = (lines: Line[]): number => lines.reduce((sum, line) => sum + line.length, 0);

function judged({ barriers, passages }: Lines): Read {
  const [lines, points] = [Math.max(barriers.length, passages.length), Math.max(pointsOf(barriers), pointsOf(passages))];
  if (!barriers.length) return { why: "noLines", fill: {} };
  if (lines > MOST_LINES) return { why: "manyLines", fill: { n: lines, most: MOST_LINES } };
  if (points > MOST_POINTS) return { why: "manyPoints", fill: { n: points, most: MOST_POINTS } };
  const off = [...barriers, ...passages].flat().find((at) => !onEarth(at));
  return off ? { why: "notDegrees", fill: { at: off.join(", ") } } : { barriers, passages, points: pointsOf(barriers) + pointsOf(passages) };
}
