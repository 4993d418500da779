// What a file probably is, from its name and its first bytes: a suggestion that the reader can change.
import type { What } from "./types.ts";

export interface Guess {
  what: What;
  name: string; // level, source, kind or column
}

const LEVELS: readonly [pattern: RegExp, level: string][] = [
  [/社区|community/i, "community"],
  [/街道|乡镇|镇街|street|township/i, "street"],
  [/区县|县区|行政区|district/i, "district"],
  [/警区|派出所|police/i, "police_district"],
  [/ward|选区/i, "ward"],
  [/市界|city/i, "city"],
];
const KINDS: readonly [pattern: RegExp, kind: string][] = [
  [/学校|小学|中学|school/i, "school"], [/幼儿园|kindergarten/i, "kindergarten"], [/公园|park/i, "park"], [/医院|hospital/i, "hospital"],
  [/诊所|卫生|clinic/i, "clinic"], [/菜市场|market/i, "market"], [/厕|toilet/i, "toilet"], [/图书馆|library/i, "library"], [/养老|elderly/i, "elderly_care"],
];
const WAYS = /\.pbf$|\.graphml$|道路|路网|铁路|水系|河流|road|street_?network|osm|rail|river/i;
const WEIGHTS: readonly [pattern: RegExp, column: string][] = [[/户数|户籍|households?/i, "households"], [/人口|people|population/i, "people"]];
const CASE_HEADER = /受理|工单|案卷|上报时间|立案|open(ed)?_?(dt|at|date)|requested_datetime|created|case_?id|service_request/i;
const AREA_GEOMETRY = /"type"\s*:\s*"(Multi)?Polygon"/;
const LINE_GEOMETRY = /"type"\s*:\s*"(Multi)?LineString"/;
const POINT_GEOMETRY = /"type"\s*:\s*"(Multi)?Point"/;

/** The name without its ending, as a name of a source: "热线 3月.csv.gz" is "热线 3月". */
export const stem = (file: string): string => file.replace(/\.(gz|zip)$/i, "").replace(/\.[a-z0-9]{1,8}$/i, "").replace(/\.shp$/i, "").trim().slice(0, 60);

/** Text of the first bytes: UTF-8 where it is, else the Chinese encodings. */
export function textOf(head: Uint8Array): string {
  const text = new TextDecoder("utf-8").decode(head.slice(0, Math.max(0, head.length - 3)));
  return text.includes("\ufffd") ? new TextDecoder("gb18030").decode(head) : text;
}

/** The kind of file and the name it would be loaded under. */
export function guess(file: string, head: string): Guess {
  const name = stem(file);
  const found = (pairs: readonly [RegExp, string][]): string | undefined => pairs.find(([pattern]) => pattern.test(name))?.[1];
  const level = found(LEVELS);
  const weight = found(WEIGHTS);
  const kind = found(KINDS);
  const first = head.split(/\r?\n/, 1)[0] ?? "";
  if (/\.(csv|tsv|txt)(\.gz)?$/i.test(file) && CASE_HEADER.test(first)) return { what: "cases", name };
  if (WAYS.test(file) && !AREA_GEOMETRY.test(head)) return { what: "network", name: "" };
  if (weight && !AREA_GEOMETRY.test(head)) return { what: "weights", name: weight };
  if (AREA_GEOMETRY.test(head)) return { what: "boundaries", name: level ?? "" };
  if (LINE_GEOMETRY.test(head)) return { what: "network", name: "" };
  if (POINT_GEOMETRY.test(head)) return CASE_HEADER.test(head) ? { what: "cases", name } : { what: "facilities", name: kind ?? name };
  if (kind) return { what: "facilities", name: kind };
  if (level && /\.(zip|shp|gpkg|fgb|kml|topojson|geojson|parquet)$/i.test(file)) return { what: "boundaries", name: level };
  if (/\.(zip|shp|fgb|kml|topojson)$/i.test(file)) return { what: "boundaries", name: "" };
  return { what: "cases", name };
}
