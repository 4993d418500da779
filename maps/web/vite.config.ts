import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const ramps = fileURLToPath(new URL("../../data/ramps.json", import.meta.url));

// The service serves the built page at "/" and its hashed files below /assets (immutable).
export default defineConfig({
  base: "/",
  plugins: [svelte()],
  resolve: { alias: { "$ramps": ramps } },
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 1500,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the page's policy allows no data: scripts, and files cache better
  },
  worker: { format: "es" }, // MapLibre 6 starts a module worker; "iife" gives an empty map in production
  server: { proxy: { "/api": "http://127.0.0.1:8000", "/tiles": "http://127.0.0.1:8000" } },
});
