// What loads and exports answer, under the names of the pages; the shapes are those of the interface.
import type { Geometry } from "geojson";
import type { Answer } from "../../lib/types.ts";

export type Evidence = Omit<Answer["Evidence"], "sample"> & { sample: Geometry[] };
export type Loaded = Omit<Answer["Loaded"], "evidence"> & { evidence: Evidence };
export type What = Loaded["what"];
export const WHATS: readonly What[] = ["cases", "boundaries", "facilities", "network", "weights"];

export type RejectRow = Answer["RejectTold"];
export type Run = Answer["Run"];
export type RunDetail = Answer["RunTold"];
export type Loads = Answer["Loads"];
export type Export = Answer["Export"];
export type Exports = Answer["Exports"];

/** What became of the rows of a file. */
export type Account = Pick<Loaded, "rows_in" | "added" | "updated" | "unchanged" | "duplicate" | "rejected" | "unplaced">;

export const accountOf = (run: Run): Account => ({
  rows_in: run.rows_in, added: run.rows_added, updated: run.rows_updated, unchanged: run.rows_unchanged,
  duplicate: run.rows_duplicate, rejected: run.rows_rejected, unplaced: run.rows_unplaced,
});

export const rejectsOf = (run: RunDetail): RejectRow[] => run.rejects.map((r) => ({
  row: r.row, column: r.column, value: r.value, code: r.code, why: { zh: r.why_zh, en: r.why_en }, do: { zh: r.do_zh, en: r.do_en },
}));
