"""How a benchmark reports: a table a person reads, then one JSON line a program reads."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass
class Row:
    """One measured way of doing the work; `rate` in `unit` per second, or None where only `seconds` mean something."""

    way: str
    seconds: float
    rate: float | None = None
    p99_s: float | None = None
    cpu_s: float | None = (
        None  # processor time of this process: what stays true when others use the machine too
    )
    note: str = ""
    against: str = ""  # the way of ours that answers the same question


@dataclass
class Report:
    """The rows of one benchmark."""

    title: str
    unit: str
    bar: str
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Adds a row and prints it at once: long benchmarks are watched."""
        self.rows.append(row)
        print(f"  … {row.way}: {row.seconds * 1e3:.3f} ms", flush=True)

    def show(self) -> None:
        """Prints a Markdown table and the JSON line."""
        load = os.getloadavg()[0]
        self.facts |= {"cpus": os.cpu_count(), "load_average": load}
        print(f"\n### {self.title}\n\nBar: {self.bar}. {os.cpu_count()} cores, load average {load:.1f}.\n")
        print(f"| way | ms | p99 ms | cpu ms | {self.unit}/s | ours is … × as fast | note |")
        print("|---|---:|---:|---:|---:|---:|---|")
        for row in self.rows:
            cells = (
                f"{row.seconds * 1e3:,.3f}",
                _ms(row.p99_s),
                _ms(row.cpu_s),
                _rate(row.rate),
                self._ratio(row),
            )
            print(f"| {row.way} | {' | '.join(cells)} | {row.note} |")
        print("\n" + ", ".join(f"{name}: {value}" for name, value in self.facts.items()))
        print("\n" + json.dumps(asdict(self)), flush=True)

    def _ratio(self, row: Row) -> str:
        """How many times faster our answer to the same question is; empty where there is no such answer."""
        ours = next((other for other in self.rows if other.way == row.against), None)
        if ours is None:
            return ""
        times = ours.rate / row.rate if ours.rate and row.rate else row.seconds / ours.seconds
        return f"{times:,.2f}"


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:,.2f}"


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}"


def best_of(work: Callable[[], Any], times: int = 5) -> tuple[float, float]:
    """(wall seconds, processor seconds of this process), each the least of several runs."""
    wall, cpu = [], []
    for _ in range(times):
        start, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return min(wall), min(cpu)


def spread(work: Callable[[int], Any], times: int) -> tuple[float, float]:
    """(median, 99th percentile) of `work(0)`, `work(1)` …"""
    taken = np.empty(times)
    for i in range(times):
        start = time.perf_counter()
        work(i)
        taken[i] = time.perf_counter() - start
    return float(np.median(taken)), float(np.quantile(taken, 0.99))
