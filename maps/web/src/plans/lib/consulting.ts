// A draft before the public: what the service tells of it, and finding one of its grids by a few letters.
import type { Answer, Bbox } from "../../lib/types.ts";

export type OpenDraft = Answer["Consultation"];
/** A remark as staff reads it. */
export type HeldRemark = Answer["RemarkRow"];
export type RemarkState = HeldRemark["state"];
export type Hearing = Answer["ConsultationTold"];
export const STATES: readonly RemarkState[] = ["held", "released", "refused"];

/** Places of the grids whose name or code holds the letters, those that begin with them first; at most `most`, and how many more. */
export function findGrids(names: readonly string[], codes: readonly string[], letters: string, most = 8): { found: number[]; more: number } {
  const wanted = letters.trim().toLowerCase();
  if (!wanted) return { found: [], more: 0 };
  const first: number[] = [];
  const later: number[] = [];
  names.forEach((name, i) => {
    const at = Math.min(...[name, codes[i] ?? ""].map((word) => word.toLowerCase().indexOf(wanted)).map((n) => (n < 0 ? Infinity : n)));
    if (at === 0) first.push(i);
    else if (at < Infinity) later.push(i);
  });
  const all = [...first, ...later];
  return { found: all.slice(0, most), more: Math.max(0, all.length - most) };
}

/** Which boxes touch or overlap: grids beside each other do, so that colours told apart by this are told apart on the map. */
export function touching(boxes: readonly Bbox[]): Map<number, Set<number>> {
  const order = boxes.map((_, i) => i).sort((a, b) => (boxes[a] as Bbox)[0] - (boxes[b] as Bbox)[0]);
  const found = new Map<number, Set<number>>(order.map((i) => [i, new Set<number>()]));
  order.forEach((i, at) => {
    const [, south, east, north] = boxes[i] as Bbox;
    for (let next = at + 1; next < order.length; next++) {
      const j = order[next] as number;
      const other = boxes[j] as Bbox;
      if (other[0] > east) break; // the rest begins further east still
      if (other[1] > north || other[3] < south) continue;
      found.get(i)?.add(j);
      found.get(j)?.add(i);
    }
  });
  return found;
}
