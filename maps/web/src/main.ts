import { mount } from "svelte";
import "maplibre-gl/dist/maplibre-gl.css";
import "uplot/dist/uPlot.min.css";
import "./app.css";
import { keepForLater } from "./lib/offline.ts";
import App from "./ui/App.svelte";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no #app");
mount(App, { target });
keepForLater();
