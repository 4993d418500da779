// What opening a plan works out of its ground and its assignment: cells for gestures, borders both ways, first colours.
import { Beside, colouring, type Sides, sidesOf } from "./colouring.ts";
import { buffersOf, type Columns, columnsOf, type GroundTold } from "./ground.ts";
import { type Cells, cellsOf } from "./hits.ts";
import type { Assignment } from "./types.ts";

export interface Opened {
  columns: Columns;
  cells: Cells;
  sides: Sides;
  revision: number;
  grids: string[]; // codes by number
  grid: Int32Array; // unit → number of its grid, −1 open
  pairs: Int32Array; // grids side by side
  colours: Uint8Array; // of each grid
}

/** Null when the assignment is of other units than the ground: one was cut in between. */
export function opened(told: GroundTold, held: Assignment): Opened | null {
  if (held.units.length !== told.units.length) return null;
  const columns = columnsOf(told);
  const sides = sidesOf(columns.starts, columns.beside);
  const grid = Int32Array.from(held.grid);
  const beside = new Beside(sides);
  const all = beside.update(grid, null);
  const colours = colouring(beside.around, held.grids.length, new Uint8Array(), all);
  return { columns, cells: cellsOf(columns), sides, revision: held.revision, grids: held.grids, grid, pairs: beside.pairs, colours };
}

/** Everything in it that can be handed over. */
export function handedOver(all: Opened): ArrayBufferLike[] {
  const { cells, sides, grid, pairs, colours } = all;
  return [...buffersOf(all.columns), ...[cells.first, cells.order, sides.starts, sides.indices, grid, pairs, colours].map((column) => column.buffer)];
}
