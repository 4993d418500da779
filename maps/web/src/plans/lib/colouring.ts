// Colours for grids so that neighbours differ: greedy colouring, kept as it is where nothing forces a change.

/** Eight fills that stay apart for colour-blind eyes, after Okabe and Ito (2008), lightened so that lines and names are read on them. */
export const FILLS = ["#7fb8dc", "#f0b06a", "#7fcfb2", "#e2b3cc", "#f3e38a", "#b3a7dd", "#c8cdd2", "#c9d98a"] as const;
export const OPEN = 255; // no grid

/** The units beside unit u, both ways: `indices[starts[u] … starts[u + 1]]`. */
export interface Sides {
  starts: Int32Array;
  indices: Int32Array;
}

/** From borders that come once each (`beside[starts[u] … starts[u + 1]]`, u < v). */
export function sidesOf(starts: ArrayLike<number>, beside: ArrayLike<number>): Sides {
  const n = Math.max(0, starts.length - 1);
  const first = new Int32Array(n + 1);
  for (let u = 0; u < n; u++) {
    for (let k = starts[u] as number; k < (starts[u + 1] as number); k++) {
      for (const end of [u, beside[k] as number]) first[end + 1] = (first[end + 1] as number) + 1;
    }
  }
  for (let u = 0; u < n; u++) first[u + 1] = (first[u + 1] as number) + (first[u] as number);
  const next = first.slice();
  const indices = new Int32Array(first[n] as number);
  const put = (u: number, v: number): void => {
    indices[next[u] as number] = v;
    next[u] = (next[u] as number) + 1;
  };
  for (let u = 0; u < n; u++) {
    for (let k = starts[u] as number; k < (starts[u + 1] as number); k++) {
      put(u, beside[k] as number);
      put(beside[k] as number, u);
    }
  }
  return { starts: first, indices };
}

/** Which grids lie beside which, from the borders of units; after an edit only changed grids are looked at again. */
export class Beside {
  readonly around = new Map<number, Set<number>>();
  private readonly starts: Int32Array;
  private readonly indices: Int32Array;

  /** `pairs`: grids that are known to lie side by side, two by two, as `pairs` of another one told them. */
  constructor(sides: Sides, pairs: ArrayLike<number> = []) {
    ({ starts: this.starts, indices: this.indices } = sides);
    for (let i = 0; i < pairs.length; i += 2) {
      this.join(pairs[i] as number, pairs[i + 1] as number);
      this.join(pairs[i + 1] as number, pairs[i] as number);
    }
  }

  /** All that lie side by side, each pair once: one column that travels between threads. */
  get pairs(): Int32Array {
    const found: number[] = [];
    for (const [a, others] of this.around) for (const b of others) if (a < b) found.push(a, b);
    return Int32Array.from(found);
  }

  /** The units beside a unit. */
  of(unit: number): Int32Array {
    return this.indices.subarray(this.starts[unit], this.starts[unit + 1]);
  }

  /** Looks again at changed grids, at all with null. `grid[u]` −1: open. Answers the grids whose neighbours may be others now. */
  update(grid: Int32Array, changed: ReadonlySet<number> | null): Set<number> {
    const looked = new Set<number>(changed ?? []);
    if (changed === null) this.around.clear();
    for (const g of looked) {
      for (const n of this.around.get(g) ?? []) this.around.get(n)?.delete(g);
      this.around.delete(g);
    }
    for (let u = 0; u < grid.length; u++) {
      const a = grid[u] as number;
      if (a < 0 || (changed !== null && !changed.has(a))) continue;
      looked.add(a);
      for (let k = this.starts[u] as number; k < (this.starts[u + 1] as number); k++) {
        const b = grid[this.indices[k] as number] as number;
        if (b < 0 || a === b) continue;
        this.join(a, b);
        this.join(b, a);
        looked.add(b);
      }
    }
    return looked;
  }

  private join(a: number, b: number): void {
    const set = this.around.get(a);
    if (set) set.add(b);
    else this.around.set(a, new Set([b]));
  }
}

/** The colour of each grid. Colours of `before` stay where they still differ from all neighbours; only `among` are looked at (all when null). */
export function colouring(beside: Map<number, Set<number>>, grids: number, before: Uint8Array, among: Iterable<number> | null = null): Uint8Array {
  const colour = new Uint8Array(grids).fill(OPEN);
  colour.set(before.subarray(0, Math.min(grids, before.length)));
  const looked = among ? [...among] : [...Array(grids).keys()];
  // many neighbours first: they are the hardest to please
  looked.sort((a, b) => (beside.get(b)?.size ?? 0) - (beside.get(a)?.size ?? 0) || a - b);
  for (const g of looked) {
    const taken = new Set([...(beside.get(g) ?? [])].map((n) => colour[n]));
    const own = colour[g] as number;
    if (own !== OPEN && !taken.has(own)) continue;
    colour[g] = free(taken, g);
  }
  return colour;
}

/** A colour that no neighbour has, beginning at one by number so that all eight are used; the fewest clashes where all are taken. */
function free(taken: Set<number | undefined>, g: number): number {
  for (let i = 0; i < FILLS.length; i++) {
    const c = (g * 5 + i) % FILLS.length;
    if (!taken.has(c)) return c;
  }
  return g % FILLS.length;
}

/** Nine steps of deviation from the fair load: −4 (far below) … 0 (inside the band) … 4 (far above). */
export function step(deviation: number | null, tolerance: number): number {
  if (deviation === null) return 0;
  const off = Math.abs(deviation);
  if (off <= tolerance + 1e-12) return 0;
  const size = off <= 2 * tolerance ? 1 : off <= 4 * tolerance ? 2 : off <= 8 * tolerance ? 3 : 4;
  return deviation < 0 ? -size : size;
}
