// What the service answers about two plans.
export interface Moved {
  moved: number;
  total: number;
  share: number | null;
}

export interface Pair {
  grid_before: string;
  grid_after: string;
  name_before: string;
  name_after: string;
  stays: boolean;
  units: number;
  area_m2: number;
  area_share: number | null;
  households: number | null;
  cases: number;
  facilities: number;
}

/** The scorecard: figures by name, beside the plan's name; what is missing is null. */
export type Card = Record<string, unknown>;

export interface Paired {
  a: number | null;
  b: number | null;
  difference: number | null;
  low: number | null;
  high: number | null;
  b_better_share: number | null;
}

export interface Under {
  assigned: number;
  unassigned: number;
  largest_load: number;
  median_load: number;
  overdue_lowest: number | null;
  overdue_highest: number | null;
  overdue_highest_grid: string | null;
}

export interface Replay {
  a: Under;
  b: Under;
  period: [string, string] | null;
  weeks: number;
  n: number;
  outside: number;
  unplaced: number;
  overdue_share: number | null;
  figures: Record<string, Paired>;
}

export interface Comparison {
  a: { id: number; name: string };
  b: { id: number; name: string };
  from: string | null;
  to: string | null;
  moved: Record<string, Moved | null>;
  grids_touched: number;
  pairs: Pair[];
  score: { a: Card; b: Card };
}
