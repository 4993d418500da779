// MapLibre's worker: where it is, and started before the first map, which then waits half a second less.
import { prewarm, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";

setWorkerUrl(workerUrl); // without this a production build shows an empty map
prewarm();
