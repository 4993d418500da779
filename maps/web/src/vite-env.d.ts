/// <reference types="vite/client" />
/// <reference types="svelte" />

interface Window {
  __wangge_ready?: boolean; // true when the map is idle and shows what was asked; tests wait for it
  __wangge_map?: import("maplibre-gl").Map; // for tests and for the curious
}
