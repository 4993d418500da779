// What the planning part of the service answers, under the names the editor uses; the shapes are those of the interface.
import type { Answer } from "../../lib/types.ts";

export type PlanRow = Answer["PlanRow"];
export type Nesting = PlanRow["nesting"];

export type GridRow = Answer["GridNow"];
export type Standing = Answer["Standing"];
export type Violation = Answer["Violation"] & { rule?: string }; // the word of an exception, where one may be recorded
export type Table = Answer["GridTable"];
export type Assignment = Answer["AssignmentOf"] & { units: number[] };
export type Edited = Answer["Edited"];
export type Act = Answer["ActDone"];
export type Edits = Answer["Edits"];
export type News = Answer["News"];
export type Check = Answer["Check"];
export type Comment = Answer["Comment"];
export type Comments = Answer["Comments"];

export type Proposed = Answer["Proposed"];
export type Rebalanced = Answer["Rebalanced"];
export type Imported = Answer["Imported"];
export type Choice = Answer["Choice"];
export type Reason = Answer["Reason"];
export type Bounds = Answer["Bounds"];
