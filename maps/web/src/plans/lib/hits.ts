// Which units a gesture takes: units stand for their inner point, looked up in cells of equal size. Works at every zoom and for units not drawn.

export interface Places {
  readonly lon: ArrayLike<number>;
  readonly lat: ArrayLike<number>;
}
export type Lasso = readonly (readonly [number, number])[]; // lon, lat

/** Where the square cells lie, and which points each holds: `order[first[c] … first[c + 1]]`. */
export interface Cells {
  west: number;
  south: number;
  size: number;
  across: number;
  up: number;
  first: Int32Array;
  order: Int32Array;
}

const POINTS_PER_CELL = 8;

function frame(places: Places): Omit<Cells, "first" | "order"> {
  const n = places.lon.length;
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < n; i++) {
    const [x, y] = [places.lon[i] as number, places.lat[i] as number];
    if (x < west) west = x;
    if (x > east) east = x;
    if (y < south) south = y;
    if (y > north) north = y;
  }
  if (!n) [west, south, east, north] = [0, 0, 0, 0];
  const area = Math.max((east - west) * (north - south), 1e-12);
  const size = Math.sqrt(area / Math.max(1, n / POINTS_PER_CELL));
  const many = (long: number): number => Math.max(1, Math.min(4096, Math.ceil(long / size) + 1));
  return { west, south, size, across: many(east - west), up: many(north - south) };
}

const columnOf = (f: Omit<Cells, "first" | "order">, lon: number): number => Math.max(0, Math.min(f.across - 1, Math.floor((lon - f.west) / f.size)));
const rowOf = (f: Omit<Cells, "first" | "order">, lat: number): number => Math.max(0, Math.min(f.up - 1, Math.floor((lat - f.south) / f.size)));

/** Points sorted into cells; plain columns, so that another thread can do it. */
export function cellsOf(places: Places): Cells {
  const f = frame(places);
  const n = places.lon.length;
  const cells = new Int32Array(n);
  const first = new Int32Array(f.across * f.up + 1);
  for (let i = 0; i < n; i++) {
    const c = (cells[i] = rowOf(f, places.lat[i] as number) * f.across + columnOf(f, places.lon[i] as number));
    first[c + 1] = (first[c + 1] as number) + 1;
  }
  for (let c = 0; c < f.across * f.up; c++) first[c + 1] = (first[c + 1] as number) + (first[c] as number);
  const next = first.slice();
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const c = cells[i] as number;
    order[next[c] as number] = i;
    next[c] = (next[c] as number) + 1;
  }
  return { ...f, first, order };
}

/** Points in square cells; what a gesture asks of 200 000 points is answered from the cells it touches. */
export class Hits {
  private readonly places: Places;
  private readonly cells: Cells;

  constructor(places: Places, cells: Cells = cellsOf(places)) {
    this.places = places;
    this.cells = cells;
  }

  /** Points in a box; `keep` decides further. */
  inBox(west: number, south: number, east: number, north: number, keep: (x: number, y: number) => boolean = () => true): number[] {
    const found: number[] = [];
    const { across, first, order } = this.cells;
    for (let r = rowOf(this.cells, south); r <= rowOf(this.cells, north); r++) {
      for (let c = columnOf(this.cells, west); c <= columnOf(this.cells, east); c++) {
        const cell = r * across + c;
        for (let k = first[cell] as number; k < (first[cell + 1] as number); k++) {
          const i = order[k] as number;
          const [x, y] = [this.places.lon[i] as number, this.places.lat[i] as number];
          if (x >= west && x <= east && y >= south && y <= north && keep(x, y)) found.push(i);
        }
      }
    }
    return found;
  }

  /** Points within a circle that is round on the ground: `radius` in degrees of latitude. */
  inCircle(lon: number, lat: number, radius: number): number[] {
    const narrow = Math.max(0.01, Math.cos((lat * Math.PI) / 180));
    const wide = radius / narrow;
    return this.inBox(lon - wide, lat - radius, lon + wide, lat + radius, (x, y) => ((x - lon) * narrow) ** 2 + (y - lat) ** 2 <= radius ** 2);
  }

  /** Points inside a drawn line that is closed by itself. */
  inLasso(lasso: Lasso): number[] {
    if (lasso.length < 3) return [];
    const [xs, ys] = [lasso.map((p) => p[0]), lasso.map((p) => p[1])];
    return this.inBox(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (x, y) => inside(lasso, x, y));
  }
}

/** Even-odd rule: a line that crosses itself leaves out what it goes round twice. */
export function inside(lasso: Lasso, x: number, y: number): boolean {
  let odd = false;
  for (let i = 0, j = lasso.length - 1; i < lasso.length; j = i++) {
    const [ax, ay] = lasso[i] as readonly [number, number];
    const [bx, by] = lasso[j] as readonly [number, number];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

/** A drawn line with fewer points: those nearer than `least` (in the unit of the points) to the one before are left out. */
export function thinned(line: Lasso, least: number): [number, number][] {
  const kept: [number, number][] = [];
  line.forEach((p, i) => {
    const last = kept.at(-1);
    if (!last || i === line.length - 1 || Math.hypot(p[0] - last[0], p[1] - last[1]) >= least) kept.push([p[0], p[1]]);
  });
  return kept;
}
