// A plan as a small picture, out of the places of its units: no tiles, no map.
import { Beside, colouring, FILLS, OPEN, sidesOf } from "./colouring.ts";
import type { Ground } from "./ground.ts";

export function drawPlan(canvas: HTMLCanvasElement, ground: Ground, grid: Int32Array, grids: number): void {
  const pen = canvas.getContext("2d");
  if (!pen || !ground.units.length) return;
  const beside = new Beside(sidesOf(ground.starts, ground.beside));
  const colours = colouring(beside.around, grids, new Uint8Array(), beside.update(grid, null));
  const [w, e] = range(ground.lon);
  const [s, n] = range(ground.lat);
  const narrow = Math.cos((((s + n) / 2) * Math.PI) / 180);
  const scale = Math.min((canvas.width - 16) / Math.max(1e-9, (e - w) * narrow), (canvas.height - 16) / Math.max(1e-9, n - s));
  const [dx, dy] = [(canvas.width - (e - w) * narrow * scale) / 2, (canvas.height - (n - s) * scale) / 2];
  const metre = scale / 111_320; // pixels
  pen.clearRect(0, 0, canvas.width, canvas.height);
  ground.units.forEach((_, u) => {
    const c = colours[grid[u] as number] ?? OPEN;
    const side = Math.max(1.5, Math.sqrt(ground.area_m2[u] ?? 0) * metre * 1.3);
    pen.fillStyle = c === OPEN ? "#b3261e" : (FILLS[c] as string);
    pen.fillRect(dx + ((ground.lon[u] ?? 0) - w) * narrow * scale - side / 2, canvas.height - dy - ((ground.lat[u] ?? 0) - s) * scale - side / 2, side, side);
  });
}

function range(values: Float64Array): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
