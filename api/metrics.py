"""Operating figures for Prometheus, summed over the workers of one service.

Each worker counts into a memory-mapped file of its own below `cache/metrics/<port>`; whoever is asked reads them all.
Nothing about the city or its people is counted: routes by template, status, seconds, cache hits.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from geo.settings import Settings

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # how prometheus_client is told to count into files


class Metrics:
    """Counters of one service process."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.cache_dir / "metrics" / str(settings.port)
        folder.mkdir(parents=True, exist_ok=True)
        _forget_dead(folder)
        os.environ[VARIABLE] = str(folder)  # must stand before the first import of prometheus_client
        import prometheus_client
        import prometheus_client.multiprocess

        self._client: Any = prometheus_client
        self._folder = folder
        own = prometheus_client.CollectorRegistry()
        self._seconds = prometheus_client.Histogram(
            "wangge_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ("route", "method", "status"),
            buckets=BUCKETS_S,
            registry=own,
        )
        self._children: dict[tuple[str, str, int], Any] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one answered request."""
        key = (route, method if method in _METHODS else "other", status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*map(str, key))
        child.observe(seconds)

    def exposition(self) -> tuple[bytes, str]:
        """(the text for Prometheus, its media type)."""
        registry = self._client.CollectorRegistry()
        self._client.multiprocess.MultiProcessCollector(registry, path=str(self._folder))
        return self._client.generate_latest(registry), "text/plain"


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _forget_dead(folder: Path) -> None:
    """Removes the counters of processes that are gone; Prometheus takes a falling counter for a restart."""
    for file in folder.glob("*.db"):
        owner = file.stem.rsplit("_", 1)[-1]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            file.unlink(missing_ok=True)
