// What the service answers, as the page uses it. Columnar: the same position in every list is the same zone.

export type Lang = "zh" | "en";
export type Bbox = [number, number, number, number]; // west, south, east, north in degrees

export type Role = "public" | "worker" | "supervisor" | "planner" | "admin";

/** Who the service takes the reader for. */
export interface Who {
  role: Role;
  name: string | null; // null: not signed in
  area: { level: string; code: string; name: string } | null;
  expires_at: string | null;
  oidc: string | null; // what the button of the single sign-on says; null without one
}

export interface CategoryNode {
  key: string;
  name: string;
  name_en: string | null;
  n: number | null; // null: hidden from the public (fewer than k)
  children?: CategoryNode[];
}

export interface Plan {
  id: number;
  name: string;
  state: "draft" | "approved" | "withdrawn";
  valid_from: string | null;
  valid_to: string | null;
  grids: number;
}

export interface Measure {
  key: string;
  needs: string | string[] | null;
  additive: boolean;
  available?: boolean;
}

export interface City {
  name: string | null;
  synthetic: boolean;
  timezone: string;
  bbox: Bbox | null;
  first_case: string | null;
  last_case: string | null;
  cases: number | null; // null: hidden from the public (fewer than k)
  unplaced: number | null;
  levels: { name: string; rank: number | null; n: number }[];
  plans: Plan[];
  current_plan: number | null;
  categories: CategoryNode[];
  origins: (string | { key: string; n: number | null })[];
  facility_kinds: { kind: string; n: number | null }[];
  measures: Measure[];
  has: { units: boolean; households: boolean; ways: boolean };
  basemap: { tianditu?: string | boolean; pmtiles?: boolean }; // tianditu: the operator's own key
  sight: "public" | "exact";
  k: number;
  version: string | number;
}

export interface Zones {
  codes: string[];
  names: string[];
  parents: (string | null)[];
  area_m2: (number | null)[];
  households: (number | null)[] | null;
  lon: number[];
  lat: number[];
  bbox: Bbox[];
}

export interface Heat {
  plan: { id: number; name: string } | null;
  by: string;
  measure: string;
  period: { from: string | null; to: string | null };
  asof: string | null;
  unit: string;
  codes: string[];
  names: string[];
  values: (number | null)[];
  n: (number | null)[];
  suppressed: boolean[];
  breaks: number[];
  total: number | null; // null: hidden from the public (fewer than k)
  unplaced: number;
  outside: number;
  unassigned: number;
  suppressed_total?: number | null;
  kind?: string | null; // of facility, where reach is measured
  version: string | number;
}

export interface Series {
  bucket: Bucket;
  starts: string[]; // empty for a zone that is hidden
  values: (number | null)[];
  n?: (number | null)[];
}

export interface ByCategory {
  keys: string[];
  names: string[];
  names_en: (string | null)[];
  values: (number | null)[];
}

export type Bucket = "day" | "week" | "month";

export interface Case {
  id: number;
  source: string;
  source_case_id: string;
  opened_at: string;
  due_at: string | null;
  closed_at: string | null;
  status: string;
  category_name: string;
  category_name_en: string | null;
  responsible_body: string | null;
  description: string | null; // masked when it was loaded
  lon: number | null;
  lat: number | null;
  dispatched_at?: string | null;
  origin?: string;
  urgency?: number | null;
  unit?: string | null;
  repeat_of?: number | string | null;
  satisfied?: boolean | null;
  stage?: string;
  history?: { at: string; what: string; [more: string]: unknown }[];
}

export interface Cases {
  cases: Case[];
  next: string | null;
  area?: { level: string; code: string; name?: string | null } | null; // the only ground whose cases are listed
  notice?: { code: string; zh: string; en: string }; // why none is listed
}

/** One figure of the strip above the map: now and before, each with its n and 95 % interval. */
export interface Figure {
  key: string;
  unit: string;
  value: number | null;
  n: number | null;
  low: number | null;
  high: number | null;
  reason: string | null; // why there is no value
  previous: number | null;
  previous_n: number | null;
  previous_low: number | null;
  previous_high: number | null;
  previous_reason: string | null;
  differs: boolean | null; // by more than chance
}

export interface Summary {
  period: { from: string | null; to: string | null };
  previous: { from: string; to: string } | null;
  previous_reason: string | null;
  asof: string | null;
  figures: Figure[];
  caveats: string[];
}

export interface Matrix {
  weekdays: number[];
  hours: number[];
  values: (number | null)[][];
  days: number[]; // how many of each weekday the period holds
  total: number | null;
  midnight: number | null; // cases at 00:00:00 sharp: often a date without a time
  reason: string | null;
}

/** Values of every zone with intervals, ranks, the ranks it may hold, and whom it cannot be told apart from. */
export interface Indicators {
  codes: string[];
  values: (number | null)[];
  n: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  rank: (number | null)[];
  rank_low: (number | null)[];
  rank_high: (number | null)[];
  group: (number | null)[];
  posts: (number | null)[] | null;
  ranked: number;
  measure: string;
  total: number | null;
  unplaced: number;
  outside: number;
}

export interface Repeats {
  units: string[];
  lon: number[];
  lat: number[];
  category: string[];
  category_name: string[];
  category_name_en: (string | null)[];
  n: number[];
  first: string[];
  last: string[];
  places: number;
  cases: number;
}
