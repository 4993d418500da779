// The units under every draft as columns of numbers: what a gesture, a colour and a sum are worked out from.

import type { Answer } from "../../lib/types.ts";

export type GroundTold = Answer["Ground"];

/** What the service tells, as columns that go from thread to thread without being copied, in the order of ids. */
export interface Columns {
  key: string;
  units: Int32Array; // ids, ascending
  codes: string; // joined: one text is handed over at once, 200 000 one by one
  lon: Float64Array;
  lat: Float64Array;
  area: Int32Array;
  area_codes: string[];
  area_names: string[];
  area_m2: Float64Array;
  loads: Record<string, Float64Array>;
  starts: Int32Array;
  beside: Int32Array;
}

const BETWEEN = "\u001f"; // stands in no code

export function columnsOf(told: GroundTold): Columns {
  return {
    ...told,
    units: Int32Array.from(told.units),
    codes: told.codes.join(BETWEEN),
    lon: Float64Array.from(told.lon),
    lat: Float64Array.from(told.lat),
    area: Int32Array.from(told.area),
    area_m2: Float64Array.from(told.area_m2),
    loads: Object.fromEntries(Object.entries(told.loads).map(([name, loads]) => [name, Float64Array.from(loads)])),
    starts: Int32Array.from(told.starts),
    beside: Int32Array.from(told.beside),
  };
}

/** The buffers of the columns, for handing over. */
export function buffersOf(columns: Columns): ArrayBufferLike[] {
  const { units, lon, lat, area, area_m2, loads, starts, beside } = columns;
  return [units, lon, lat, area, area_m2, starts, beside, ...Object.values(loads)].map((column) => column.buffer);
}

export class Ground {
  readonly key: string;
  readonly units: Int32Array;
  readonly lon: Float64Array;
  readonly lat: Float64Array;
  readonly area: Int32Array;
  readonly area_codes: string[];
  readonly area_names: string[];
  readonly area_m2: Float64Array;
  readonly loads: Record<string, Float64Array>;
  readonly starts: Int32Array;
  readonly beside: Int32Array;
  private readonly joined: string;
  private split: string[] | null = null;

  constructor(columns: Columns) {
    this.key = columns.key;
    this.units = columns.units;
    this.lon = columns.lon;
    this.lat = columns.lat;
    this.area = columns.area;
    this.area_codes = columns.area_codes;
    this.area_names = columns.area_names;
    this.area_m2 = columns.area_m2;
    this.loads = columns.loads;
    this.starts = columns.starts;
    this.beside = columns.beside;
    this.joined = columns.codes;
  }

  /** Taken apart when somebody asks for one. */
  get codes(): readonly string[] {
    return (this.split ??= this.units.length ? this.joined.split(BETWEEN) : []);
  }

  /** The place of a unit id; undefined for one that is not here. */
  placeOf(id: number): number | undefined {
    let [low, high] = [0, this.units.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.units[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    return this.units[low] === id ? low : undefined;
  }
}
