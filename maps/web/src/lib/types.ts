// What the service answers, as the page uses it. Columnar: the same position in every list is the same zone.

export type Lang = "zh" | "en";
export type Bbox = [number, number, number, number]; // west, south, east, north in degrees

export type Role = "public" | "worker" | "supervisor" | "planner" | "admin";

/** Who the service takes the reader for. */
export interface Who {
  role: Role;
  name: string | null; // null: not signed in
  area: { level: string; code: string } | null;
  expires_at: string | null;
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
}

export interface Cases {
  cases: Case[];
  next: string | null;
}
