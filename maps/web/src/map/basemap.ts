// Optional grounds below everything: the operator's own PMTiles file, or Tianditu with the operator's own key.
import { addProtocol, type LayerSpecification, type Map as MapLibre } from "maplibre-gl";
import { PMTiles, Protocol, TileType } from "pmtiles";
import { ceiling } from "./style.ts";

const ID = "basemap";
const RASTER_PAINT = { "raster-saturation": -0.5, "raster-opacity": 0.8 };

/** Two raster layers, ground and names; CGCS2000 lies within centimetres of WGS 84. */
export function tianditu(map: MapLibre, key: string): void {
  for (const layer of ["vec", "cva"]) {
    const id = `${ID}-${layer}`;
    if (map.getSource(id)) continue;
    const address =
      `https://t0.tianditu.gov.cn/${layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=${layer}&STYLE=default` +
      `&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk=${encodeURIComponent(key)}`;
    map.addSource(id, { type: "raster", tiles: [address], tileSize: 256, maxzoom: 18, attribution: "天地图" });
    map.addLayer({ id, type: "raster", source: id, paint: RASTER_PAINT }, ceiling("ground"));
  }
}

/** One file of tiles, read by byte ranges: pictures as they are; vector tiles quietly, by the geometry they hold. */
export async function pmtiles(map: MapLibre, path: string): Promise<void> {
  if (map.getSource(ID)) return;
  const address = new URL(path, location.origin).href;
  const file = new PMTiles(address);
  const protocol = new Protocol();
  protocol.add(file);
  addProtocol("pmtiles", protocol.tile);
  const { tileType } = await file.getHeader();
  const vector = tileType === TileType.Mvt;
  const metadata = (await file.getMetadata()) as { vector_layers?: { id: string }[] };
  map.addSource(ID, vector ? { type: "vector", url: `pmtiles://${address}` } : { type: "raster", url: `pmtiles://${address}`, tileSize: 256 });
  const layers = vector ? (metadata.vector_layers ?? []).flatMap((layer) => quiet(layer.id)) : [{ id: ID, type: "raster" as const, source: ID, paint: RASTER_PAINT }];
  for (const layer of layers) map.addLayer(layer, ceiling("ground"));
}

/** No schema is assumed: water-like layers blue, other areas a shade of the ground, lines white. */
function quiet(name: string): LayerSpecification[] {
  const from = { source: ID, "source-layer": name };
  const water = /water|ocean|river|lake|水/i.test(name);
  return [
    { id: `${ID}-${name}-area`, type: "fill", ...from, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": water ? "#cfe0ea" : "#dfe6df" } },
    { id: `${ID}-${name}-line`, type: "line", ...from, filter: ["==", ["geometry-type"], "LineString"], paint: { "line-color": water ? "#b5d2e3" : "#ffffff", "line-width": 0.8 } },
  ];
}
