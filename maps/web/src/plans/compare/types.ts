// What the service answers about two plans, under the names of the page; the shapes are those of the interface.
import type { Answer } from "../../lib/types.ts";

export type Comparison = Answer["Comparison"];
export type Card = Answer["Scorecard"];
export type Moved = Answer["Moved"];
export type Pair = Answer["Pair"];
export type Paired = Answer["Paired"];
export type Replay = Answer["Replay"];
export type Under = Answer["Under"];
