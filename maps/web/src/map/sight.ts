// What is in sight of a map: names are handed over for the things there that have room for one, not for a whole city.
import type { Map as MapLibre } from "maplibre-gl";

const ROOM = 0.5; // of the screen, beyond each edge, and of a zoom: a small move finds its names there

export class Sight {
  readonly zoom: number;
  readonly west: number;
  readonly south: number;
  readonly east: number;
  readonly north: number;

  constructor(zoom: number, west: number, south: number, east: number, north: number) {
    this.zoom = zoom;
    [this.west, this.south, this.east, this.north] = [west, south, east, north];
  }

  static of(map: MapLibre): Sight {
    const bounds = map.getBounds();
    return new Sight(map.getZoom(), bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth());
  }

  /** Whether what is named from a zoom on is named here, or soon may be. */
  near(from: number): boolean {
    return from <= this.zoom + ROOM;
  }

  /** Whether a name that is shown from a zoom on belongs to what is, or soon may be, in sight. */
  holds(lon: number, lat: number, from: number): boolean {
    const [dx, dy] = [(this.east - this.west) * ROOM, (this.north - this.south) * ROOM];
    return this.near(from) && lon >= this.west - dx && lon <= this.east + dx && lat >= this.south - dy && lat <= this.north + dy;
  }
}
