// Which units a gesture takes: units stand for their inner point, looked up in cells of equal size. Works at every zoom and for units not drawn.

export interface Places {
  readonly lon: ArrayLike<number>;
  readonly lat: ArrayLike<number>;
}
export type Lasso = readonly (readonly [number, number])[]; // lon, lat

/** Points in square cells; what a gesture asks of 200 000 points is answered from the cells it touches. */
export class Hits {
  private readonly places: Places;
  private readonly west: number;
  private readonly south: number;
  private readonly size: number;
  private readonly across: number;
  private readonly up: number;
  private readonly first: Int32Array; // of each cell, into `order`
  private readonly order: Int32Array;

  constructor(places: Places) {
    this.places = places;
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
    this.size = Math.sqrt(area / Math.max(1, n / 8)); // about eight points in a cell
    [this.west, this.south] = [west, south];
    this.across = Math.max(1, Math.min(4096, Math.ceil((east - west) / this.size) + 1));
    this.up = Math.max(1, Math.min(4096, Math.ceil((north - south) / this.size) + 1));
    const cells = new Int32Array(n);
    this.first = new Int32Array(this.across * this.up + 1);
    for (let i = 0; i < n; i++) {
      const c = (cells[i] = this.cell(places.lon[i] as number, places.lat[i] as number));
      this.first[c + 1] = (this.first[c + 1] as number) + 1;
    }
    for (let c = 0; c < this.across * this.up; c++) this.first[c + 1] = (this.first[c + 1] as number) + (this.first[c] as number);
    const next = this.first.slice();
    this.order = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const c = cells[i] as number;
      this.order[next[c] as number] = i;
      next[c] = (next[c] as number) + 1;
    }
  }

  private column(lon: number): number {
    return Math.max(0, Math.min(this.across - 1, Math.floor((lon - this.west) / this.size)));
  }
  private row(lat: number): number {
    return Math.max(0, Math.min(this.up - 1, Math.floor((lat - this.south) / this.size)));
  }
  private cell(lon: number, lat: number): number {
    return this.row(lat) * this.across + this.column(lon);
  }

  /** Points in a box; `keep` decides further. */
  inBox(west: number, south: number, east: number, north: number, keep: (x: number, y: number) => boolean = () => true): number[] {
    const found: number[] = [];
    for (let r = this.row(south); r <= this.row(north); r++) {
      for (let c = this.column(west); c <= this.column(east); c++) {
        const cell = r * this.across + c;
        for (let k = this.first[cell] as number; k < (this.first[cell + 1] as number); k++) {
          const i = this.order[k] as number;
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
