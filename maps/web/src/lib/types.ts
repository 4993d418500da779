// What the service answers, under the names the page uses. The shapes are those of the interface (`api-types.ts`, made from
// OpenAPI); columnar answers hold the same zone at the same position of every list.
import type { components } from "./api-types.ts";

export type Answer = components["schemas"];

export type Lang = "zh" | "en";
export type Bbox = Answer["Zones"]["bbox"][number]; // west, south, east, north in degrees
export type Both = Answer["Both"];

export type Who = Answer["Who"];
export type Role = Who["role"];

export type City = Answer["City"];
export type CategoryNode = Answer["CategoryNode"];
export type Zones = Answer["Zones"];

/** A heat map as the page keeps it: one of facilities in the form of one of cases, with its `kind`. */
export type Heat = Omit<Answer["HeatMap"], "measure"> & { measure: string; kind?: string | null };
export type Series = Answer["Series"];
export type Bucket = Series["bucket"];
export type ByCategory = Answer["Categories"];
export type Figure = Answer["Figure"];
export type Summary = Answer["Summary"];
export type Matrix = Answer["Matrix"];
export type Indicators = Answer["Indicators"];
export type Repeats = Answer["Repeats"];

export type Case = Answer["Case"];
export type CaseRow = Answer["CaseRow"];
export type Cases = Answer["Cases"];
