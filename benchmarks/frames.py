"""Frames of a map in headless Chromium, beside the limit: the same map, dragged the same way, with nothing on it.

Software WebGL draws in Chromium's GPU process, so a frame costs processor time in two of its processes: the page's own
(`renderer`) and the drawing (`gpu-process`). On a shared machine these are what can be compared; the time between frames
is told beside them. What an empty map costs (the page put together, the ground filled) nobody can save.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

import psutil
from playwright.sync_api import Page

FRAMES = 60
SETTLE_MS = 1_000
PAN = """n => new Promise(done => {
  const map = window.__wangge_map, gaps = [];
  let last = performance.now(), k = 0;
  const step = now => {
    gaps.push(now - last);
    last = now;
    map.panBy([k % 40 < 20 ? 6 : -6, 2 * (k % 2)], {animate: false});
    if (++k < n) requestAnimationFrame(step); else done(gaps.slice(5));
  };
  requestAnimationFrame(step);
})"""
SHOW = """yes => {
  const map = window.__wangge_map;
  window.__seen ??= map.getStyle().layers.filter(l => l.type !== 'background').map(l => l.id);
  for (const id of window.__seen) if (map.getLayer(id)) map.setLayoutProperty(id, 'visibility', yes ? 'visible' : 'none');
}"""


def spent_s() -> Counter[str]:
    """Processor seconds of this process's browsers so far, by the kind of their processes."""
    found: Counter[str] = Counter()
    for child in psutil.Process().children(recursive=True):
        try:
            kind = next((a.partition("=")[2] for a in child.cmdline() if a.startswith("--type=")), "other")
            times = child.cpu_times()
        except psutil.Error:  # gone meanwhile
            continue
        found[kind] += times.user + times.system
    return found


def panned(page: Page, frames: int = FRAMES) -> dict[str, float]:
    """One run of a drag to and fro: milliseconds between frames, processor milliseconds a frame."""
    before = spent_s()
    gaps = sorted(page.evaluate(PAN, frames))
    after = spent_s()
    return {
        "median_ms": statistics.median(gaps),
        "p95_ms": gaps[int(len(gaps) * 0.95)],
        "page_ms": (after["renderer"] - before["renderer"]) * 1000 / frames,
        "drawing_ms": (after["gpu-process"] - before["gpu-process"]) * 1000 / frames,
    }


def beside_empty(page: Page, rounds: int = 3) -> dict[str, dict[str, float]]:
    """The map as it is and the empty one in turns; of each the medians of all rounds, and their ratio."""
    taken: dict[str, list[dict[str, float]]] = {"map": [], "empty": []}
    for _ in range(rounds):
        for name, yes in (("map", True), ("empty", False)):
            page.evaluate(SHOW, yes)
            page.wait_for_timeout(SETTLE_MS)
            page.wait_for_function("() => window.__wangge_map.areTilesLoaded()", timeout=120_000)
            taken[name].append(panned(page))
    page.evaluate(SHOW, True)
    found = {name: _middle(lines) for name, lines in taken.items()}
    found["ratio"] = {key: found["map"][key] / max(found["empty"][key], 1e-9) for key in found["map"]}
    return found


def _middle(lines: Iterable[dict[str, float]]) -> dict[str, float]:
    rows: list[dict[str, Any]] = list(lines)
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def told(name: str, found: dict[str, dict[str, float]]) -> str:
    """A line for people."""
    said = [name.ljust(20)]
    for what in ("map", "empty"):
        line = found[what]
        said.append(f"{what} {line['median_ms']:.0f} ms, p95 {line['p95_ms']:.0f},")
        said.append(f"drawing {line['drawing_ms']:.0f}, page {line['page_ms']:.1f};")
    said.append(f"ratio {found['ratio']['median_ms']:.1f}, of drawing {found['ratio']['drawing_ms']:.1f}")
    return " ".join(said)
