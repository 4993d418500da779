// What the planning part of the service answers, as the editor uses it.

export interface PlanRow {
  id: number;
  name: string;
  state: "draft" | "approved" | "withdrawn";
  nesting: Nesting;
  valid_from: string | null;
  valid_to: string | null;
  revision: number;
  origin: string;
  based_on_id: number | null;
  author: string | null;
  created_at: string;
  approved_by: string | null;
  approved_at: string | null;
  grids: number;
}

export type Nesting = "strict" | "soft" | "free";

/** The units under every draft, column by column in the order of ids. */
export interface Ground {
  key: string;
  units: number[];
  codes: string[];
  lon: number[];
  lat: number[];
  area: number[];
  area_codes: string[];
  area_names: string[];
  area_m2: number[];
  loads: Record<string, number[]>;
  starts: number[];
  beside: number[];
}

/** A grid as it is now; `deviation` from its fair load, 0.1 = 10 % above. */
export interface GridRow {
  code: string;
  name: string;
  units: number;
  loads: Record<string, number>;
  deviation: number | null;
  area_m2: number;
  perimeter_m: number;
  compactness: number;
  parts: number;
  contiguous: boolean;
  areas: number;
  crossing: boolean;
  cut_edges: number;
  posts: number;
  locked: boolean;
}

export interface Standing {
  grids: number;
  units: number;
  open_units: number;
  weight: string;
  total: number;
  load_per_post: number;
  largest_deviation: number | null;
  tolerance: number;
  within_tolerance: number | null;
  compactness: number;
  contiguous: number;
  crossing: number;
  cut_edges: number;
}

export interface Violation {
  code: string;
  grid: string | null;
  measured: unknown;
  allowed: unknown;
  zh: string;
  en: string;
  do_zh: string;
  do_en: string;
  units: string[];
  area_m2: number | null;
  column: string | null;
  rule?: string;
}

export interface Table {
  plan: number;
  name: string;
  state: PlanRow["state"];
  revision: number;
  nesting: Nesting;
  weights: string[];
  score: Standing;
  codes: string[];
  names: string[];
  loads: Record<string, number[]>;
  deviation: (number | null)[];
  units: number[];
  area_m2: number[];
  perimeter_m: number[];
  compactness: number[];
  parts: number[];
  crossing: boolean[];
  areas: number[];
  cut_edges: number[];
  posts: number[];
  locked: boolean[];
}

export interface Assignment {
  revision: number;
  grids: string[];
  units: number[];
  grid: number[];
}

export interface Edited {
  plan: number;
  revision: number;
  act: string;
  author: string;
  at: string | null;
  units: number;
  grids: GridRow[];
  removed: string[];
  score: Standing;
  violations: Violation[];
  can_undo: boolean;
  can_redo: boolean;
}

export interface Act {
  revision: number;
  act: string;
  undoes: number | null;
  author: string;
  at: string;
}

export interface News extends Omit<Edited, "act" | "author" | "at" | "units"> {
  name: string;
  state: PlanRow["state"];
  since: number;
  ground: string;
  acts: Act[];
  units: number[];
  unit_grids: (string | null)[];
}

export interface Check {
  revision: number;
  keeps_all: boolean;
  violations: Violation[];
  excepted: Violation[];
  advice: Violation[];
  recodes?: Record<string, string>; // code now → code from the approval on
  exceptions: { rule: string; grid: string | null; reason: string; author: string }[];
  rules: Record<string, { zh: string; en: string; exceptions: boolean }>;
}

export interface Comment {
  id: number;
  grid: string | null;
  answers: number | null;
  body: string | null;
  author: string;
  revision: number;
  at: string;
  hidden: boolean;
}

export interface JobResult {
  plans?: Choice[];
  grids?: number;
  bounds?: Bounds;
  changed?: string[];
  imported?: Record<string, unknown>;
  [more: string]: unknown;
}

export interface Choice {
  id: number;
  name: string;
  revision: number;
  nesting?: Nesting;
  label_zh?: string;
  label_en?: string;
  deviation?: number;
  mean_deviation?: number;
  outside?: number;
  compactness?: number;
  crossing?: number;
  explained?: Reason[];
}

export interface Reason {
  code: string;
  where: string;
  measured: number;
  allowed: number;
  zh: string;
  en: string;
}

export interface Bounds {
  heaviest_unit: number;
  nested: number | null;
  fewest: number;
  fewest_nested: number;
  explained: Reason[];
}
