"""Operating figures for Prometheus, summed over the workers of one service.

Each worker counts in memory and writes what it counted to a file of its own below `cache/metrics/<port>`, once a
second while something changes; whoever is asked adds them up. Nothing about the city or its people is counted:
routes by template, status, seconds.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from geo.settings import Settings

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WRITE_EVERY_S = 1.0
Key = tuple[str, str, int]


class Metrics:
    """Counters of one worker: per (route, method, status) the seconds' sum and the count of each bucket."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.cache_dir / "metrics" / str(settings.port)
        self._file = self._folder / f"{os.getpid()}-{id(self):x}.json"
        self._counts: dict[Key, list[float]] = {}
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one answered request. Called by the event loop only."""
        key = (route, method if method in METHODS else "other", status)
        row = self._counts.get(key)
        if row is None:
            row = self._counts[key] = [0.0] * (len(BUCKETS_S) + 2)
        row[bisect.bisect_left(BUCKETS_S, seconds)] += 1
        row[-1] += seconds
        self._changed.set()

    def start(self) -> None:
        """Begins to write, on a thread of its own."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _forget_dead(self._folder)
        self._thread = threading.Thread(target=self._keep_writing, name="wangge-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and takes the file away; Prometheus takes a falling counter for a restart."""
        self._stop.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._file.unlink(missing_ok=True)

    def exposition(self) -> bytes:
        """The figures of all workers in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(_Sum(self._all()))
        return generate_latest(registry)

    def _all(self) -> dict[Key, list[float]]:
        sums = {key: list(row) for key, row in self._counts.copy().items()}
        for file in self._folder.glob("*.json"):
            if file == self._file:
                continue
            with contextlib.suppress(OSError, orjson.JSONDecodeError):  # its worker may be leaving
                for route, method, status, row in orjson.loads(file.read_bytes()):
                    known = sums.setdefault((route, method, status), [0.0] * len(row))
                    known[:] = [a + b for a, b in zip(known, row, strict=True)]
        return sums

    def _keep_writing(self) -> None:
        while not self._stop.is_set():
            self._changed.wait()
            self._changed.clear()
            with contextlib.suppress(OSError):  # a full disk must not end the counting
                self._write()
            self._stop.wait(WRITE_EVERY_S)

    def _write(self) -> None:
        rows = [(*key, row) for key, row in self._counts.copy().items()]
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(rows))
        fresh.replace(self._file)


class _Sum(Collector):
    """The added counters as one histogram."""

    def __init__(self, counts: dict[Key, list[float]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(
            "wangge_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            labels=("route", "method", "status"),
        )
        for (route, method, status), row in sorted(self._counts.items()):
            upto, buckets = 0.0, []
            for limit, n in zip([*map(str, BUCKETS_S), "+Inf"], row, strict=False):
                upto += n
                buckets.append((limit, upto))
            family.add_metric((route, method, str(status)), buckets=buckets, sum_value=row[-1])
        yield family


def _forget_dead(folder: Path) -> None:
    """Removes the counters of processes that are gone."""
    for file in folder.glob("*.json"):
        owner = file.stem.split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            file.unlink(missing_ok=True)
