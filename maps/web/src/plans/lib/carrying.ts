// Strokes that wait while the ground becomes another: what they name by place goes over by the ids of units.
import { type Batch, type Move, NEW, type Target } from "./batching.ts";
import type { Ground } from "./ground.ts";

type Units = Pick<Ground, "units" | "placeOf">;

export interface Carried {
  moves: Move[]; // in places of the new ground
  lost: number; // units that cannot go where they were painted
}

/** The plan as it is on the new ground. */
export interface Now {
  codeOf(unit: number): string | null;
  has(code: string): boolean;
}

/** Where units wait to go, and every grid they stood in or were painted with on the way. */
interface Way {
  target: Target;
  known: Set<Target>;
}

/** A place on one ground as a place on another; undefined for a unit that was cut or retired. */
export function placeOn(to: Units, from: Units, unit: number): number | undefined {
  return to.placeOf(from.units[unit] as number);
}

/** Strokes, the first one first, from one ground to another. A unit that somebody else moved meanwhile stays where that
 * put it: this stroke did not mean it. So does one whose target is gone. */
export function carried(strokes: readonly Batch[], from: Units, to: Units, now: Now): Carried {
  const moving = new Map<Target, number[]>();
  let lost = 0;
  for (const [unit, { target, known }] of ways(strokes)) {
    const place = placeOn(to, from, unit);
    if (place !== undefined && now.codeOf(place) === target) continue; // it is there already
    if (place === undefined || !known.has(now.codeOf(place)) || !isThere(target, now)) {
      lost += 1;
      continue;
    }
    const places = moving.get(target);
    if (places) places.push(place);
    else moving.set(target, [place]);
  }
  return { moves: [...moving].map(([to_grid, unit_ids]) => ({ unit_ids, to_grid })), lost };
}

function ways(strokes: readonly Batch[]): Map<number, Way> {
  const found = new Map<number, Way>();
  for (const stroke of strokes) {
    for (const [unit, target] of stroke.targets()) {
      const known = found.get(unit)?.known ?? new Set<Target>();
      found.set(unit, { target, known: known.add(stroke.before().get(unit) ?? null).add(target) });
    }
  }
  return found;
}

/** Whether units can still be given to it. */
export const isThere = (target: Target, now: Pick<Now, "has">): boolean => target === null || target === NEW || now.has(target);
