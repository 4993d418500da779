// How a plan is drawn for editing: units filled by feature state, grids outlined, marks above.
import type { ExpressionSpecification, LayerSpecification } from "maplibre-gl";
import { FONTS, GROUND } from "./style.ts";

export const UNITS = "units";
export const GRIDS = "grids";
export const OPEN_FILL = "#ffffff"; // a unit of no grid; hatched by its red outline
const INK = "#1b2a38";
const FACES = FONTS.replaceAll('"', "").split(",");

const fill: ExpressionSpecification = ["to-color", ["coalesce", ["feature-state", "fill"], GROUND], GROUND];
const state = (name: string, yes: number, no: number): ExpressionSpecification =>
  ["case", ["boolean", ["feature-state", name], false], yes, no] as ExpressionSpecification;

/** Widths of the marks while there is something to mark. A layer of width 0 is not drawn at all: 20 000 invisible outlines cost as much as visible ones. */
export const WIDTHS: Record<"units-open" | "units-picked-line" | "grids-active", number | ExpressionSpecification> = {
  "units-open": 2, "units-picked-line": 2, "grids-active": ["interpolate", ["linear"], ["zoom"], 10, 2, 16, 5],
};

/** Far out the chosen grid is dark as a whole: its outline would be a point. */
const gridFill = ["case", ["boolean", ["feature-state", "active"], false], "#0b1620", ["boolean", ["feature-state", "hover"], false], "#566270", fill] as ExpressionSpecification;

/** Layers from the ground up; units are drawn from `from` on, below it the grids themselves; outlines of grids from `outlines` on. */
export function editorLayers(from: number, outlines: number): LayerSpecification[] {
  return [
    {
      id: "grids-fill", type: "fill", source: GRIDS, "source-layer": "grids", maxzoom: Math.max(from, 0.01),
      paint: { "fill-color": gridFill, "fill-opacity": 0.85, "fill-antialias": false },
    },
    {
      id: "units-fill", type: "fill", source: UNITS, "source-layer": "units", minzoom: from,
      paint: { "fill-color": fill, "fill-opacity": 0.85, "fill-antialias": false },
    },
    {
      id: "units-line", type: "line", source: UNITS, "source-layer": "units", minzoom: Math.max(from + 0.5, 13),
      paint: { "line-color": "#ffffff", "line-opacity": 0.75, "line-width": ["interpolate", ["linear"], ["zoom"], 13, 0.4, 17, 1.4] },
    },
    {
      id: "grids-line", type: "line", source: GRIDS, "source-layer": "grids", minzoom: outlines, layout: { "line-join": "round" },
      paint: { "line-color": INK, "line-opacity": 0.85, "line-width": ["interpolate", ["linear"], ["zoom"], 10, 0.5, 13, 1.3, 16, 2.6] },
    },
    {
      id: "units-open", type: "line", source: UNITS, "source-layer": "units", minzoom: from,
      paint: { "line-color": "#c1121f", "line-dasharray": [2, 1.5], "line-opacity": state("open", 1, 0), "line-width": 0 },
    },
    {
      id: "grids-active", type: "line", source: GRIDS, "source-layer": "grids", minzoom: Math.min(outlines, from), layout: { "line-join": "round" },
      paint: {
        "line-color": "#0b1620", "line-opacity": ["max", state("active", 1, 0), state("hover", 0.7, 0)],
        "line-width": 0,
      },
    },
    {
      id: "units-picked-line", type: "line", source: UNITS, "source-layer": "units", minzoom: from,
      paint: { "line-color": "#ffffff", "line-opacity": state("picked", 1, 0), "line-width": 0 },
    },
  ];
}

/** Grid names at the middle of their units; the active one wins where they collide. */
export const GRID_NAMES: LayerSpecification = {
  id: "grid-names", type: "symbol", source: "grid-names", filter: ["<=", ["get", "from"], ["zoom"]],
  layout: {
    "text-field": ["format", ["get", "name"], {}, "\n", {}, ["get", "text"], { "font-scale": 0.9 }],
    "text-font": FACES, "text-size": ["interpolate", ["linear"], ["zoom"], 11, 10.5, 16, 14], "text-max-width": 9, "text-padding": 4,
    "symbol-sort-key": ["get", "order"],
  },
  paint: { "text-color": INK, "text-halo-color": "rgba(255,255,255,0.92)", "text-halo-width": 1.7 },
};

/** Units that are picked where they are too small to be drawn: a dot at each. */
export const PICKED_DOTS: LayerSpecification = {
  id: "picked-dots", type: "circle", source: "picked-dots",
  paint: { "circle-radius": 2.4, "circle-color": "#0b1620", "circle-stroke-color": "#ffffff", "circle-stroke-width": 0.8 },
};
