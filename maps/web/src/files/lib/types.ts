// What loads and exports answer, as the pages use it.
import type { Geometry } from "geojson";
import type { Job, JobProblem } from "../../lib/jobs.ts";
import type { Bbox } from "../../lib/types.ts";

export type What = "boundaries" | "cases" | "facilities" | "network" | "weights";
export const WHATS: readonly What[] = ["cases", "boundaries", "facilities", "network", "weights"];
export type Both = { zh: string; en: string };

export interface RejectRow {
  row: number;
  column: string | null;
  value: string | null;
  code: string;
  why: Both;
  do: Both;
}

export interface Account {
  rows_in: number;
  added: number;
  updated: number;
  unchanged: number;
  duplicate: number;
  rejected: number;
  unplaced: number;
}

export interface Evidence {
  declared: string | null;
  asked: string | null;
  used: string | null;
  datum: Record<string, number>;
  datum_by: "outline" | "district" | "inside" | null;
  better: string | null;
  bbox: Bbox | null;
  sample: Geometry[];
}

export interface Warning extends Both {
  code: string;
  count: number;
  rows: number[];
}

export interface Loaded extends Account {
  run: number | null;
  what: What;
  source: string;
  file: string;
  dry_run: boolean;
  same_as_run: number | null;
  encoding: string | null;
  crs: string | null;
  columns: { field: string; column: string }[];
  reason: Both | null;
  header: string[];
  evidence: Evidence;
  rejects: RejectRow[];
  rejects_by_code: Record<string, number>;
  warnings: Warning[];
  personal_columns: Record<string, number>;
}

/** A stored load, one line of the list. */
export interface Run {
  id: number;
  kind: string;
  source: string;
  file_name: string;
  crs: string | null;
  encoding: string | null;
  rows_in: number;
  rows_added: number;
  rows_updated: number;
  rows_unchanged: number;
  rows_duplicate: number;
  rows_rejected: number;
  rows_unplaced: number;
  rejects_by_code: Record<string, number>;
  finished_at: string;
  by: string | null;
}

export interface RunDetail extends Run {
  layout: Record<string, unknown>;
  warnings: Warning[];
  personal_columns: Record<string, number>;
  rejects: { row: number; column: string | null; value: string | null; code: string; why_zh: string; why_en: string; do_zh: string; do_en: string }[];
  rejects_next: number | null;
}

export interface Export {
  id: number;
  state: Job["state"];
  stage: string;
  done: number;
  total: number | null;
  problem: JobProblem | null;
  asked: Record<string, unknown>;
  file: string | null;
  rows: number | null;
  bytes: number | null;
  notices: Both[] | null;
  asked_at: string;
  finished_at: string | null;
  expires_at: string | null;
  href: string | null;
}

export const accountOf = (run: Run): Account => ({
  rows_in: run.rows_in, added: run.rows_added, updated: run.rows_updated, unchanged: run.rows_unchanged,
  duplicate: run.rows_duplicate, rejected: run.rows_rejected, unplaced: run.rows_unplaced,
});

export const rejectsOf = (run: RunDetail): RejectRow[] => run.rejects.map((r) => ({
  row: r.row, column: r.column, value: r.value, code: r.code, why: { zh: r.why_zh, en: r.why_en }, do: { zh: r.do_zh, en: r.do_en },
}));
