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


@dataclass
class Report:
    """The rows of one benchmark; ratios are taken against the first row, which is ours."""

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
        """Prints the table and the JSON line."""
        load = os.getloadavg()
        self.facts |= {"cpus": os.cpu_count(), "load_average": load[0]}
        print(f"\n{self.title}\nbar: {self.bar}; {os.cpu_count()} cores, load average {load[0]:.1f}")
        print(f"{'way':<46}{'ms':>12}{'p99 ms':>10}{'cpu ms':>12}{self.unit + '/s':>16}{'ours is':>10}  note")
        for row in self.rows:
            ours = self.rows[0]
            times = (ours.rate / row.rate) if ours.rate and row.rate else row.seconds / ours.seconds
            tail = "" if row.p99_s is None else f"{row.p99_s * 1e3:.2f}"
            rate = "" if row.rate is None else f"{row.rate:,.0f}"
            cpu = "" if row.cpu_s is None else f"{row.cpu_s * 1e3:.2f}"
            ms = f"{row.seconds * 1e3:.3f}"
            print(f"{row.way:<46}{ms:>12}{tail:>10}{cpu:>12}{rate:>16}{times:>9.2f}×  {row.note}")
        print(json.dumps(asdict(self)), flush=True)


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
