"""The re-gridding engine beside METIS, KaHIP, GerryChain and spopt on the same cities: balance, shape, time, memory.

    pip install pymetis kahip gerrychain spopt        # the peers (extra `bench`); without them only ours runs
    python benchmarks/partition.py                    # 2 000 and 20 000 units, hexagons and blocks, three seeds
    python benchmarks/partition.py --sizes 200000 --seeds 7 --limit 300
    python benchmarks/partition.py --only rebalance,ensemble
    python benchmarks/partition.py --only districts --real FOLDER      # Iowa and Arkansas within 1 %, beside GerryChain

Every method runs in a process of its own under a time limit, one after another; seconds are those of the call itself
(kernels compiled, data in the peer's own form). All plans are scored by the same few lines below, which share no code
with the engine. `--python` names the interpreter that has the peers, `--save FILE` appends every row as JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import districts
from benchmarks.instances import Instance, drifted, make
from benchmarks.peers import peak_mb
from grids import ensemble, kernels, rebalance, search
from grids.problem import Problem

PEERS = ("metis", "kahip", "gerrychain", "ward", "skater")
OURS = ("free", "soft", "strict")
NAMES = {
    "metis": "METIS k-way, contiguous", "kahip": "KaHIP strong", "gerrychain": "GerryChain tree, ±30 %",
    "ward": "spopt WardSpatial", "skater": "spopt Skater", "free": "**Wangge, free**", "soft": "**Wangge, soft**",
    "strict": "**Wangge, strict**",
}  # fmt: skip
TOLERANCE = 0.05
Row = dict[str, Any]


def score(city: Instance, label: np.ndarray, tolerance: float = TOLERANCE) -> Row:
    """What a plan is worth; `worst` forgives a grid whose heaviest unit alone is above the target."""
    graph, weight = city.graph, city.weight
    label = np.unique(label, return_inverse=True)[1]
    k, rows = int(label.max()) + 1, np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    load, heaviest = np.bincount(label, weights=weight) / city.target, np.zeros(k)
    np.maximum.at(heaviest, label, weight / city.target)
    off = np.abs(load - 1)
    excess = np.where(heaviest > 1, np.maximum(load - heaviest, 0), off)
    same, walk = label[rows] == label[graph.indices], graph.walkable
    joined = csr_matrix(
        (np.ones((same & walk).sum()), (rows[same & walk], graph.indices[same & walk])), (graph.n,) * 2
    )
    piece = connected_components(joined, directed=False)[1]
    pieces = np.bincount(np.unique(label.astype(np.int64) * graph.n + piece) // graph.n, minlength=k)
    area = np.bincount(label, weights=graph.area_m2)
    rim = np.bincount(label, weights=graph.perimeter_m) - np.bincount(
        label[rows[same]], weights=graph.length_m[same], minlength=k
    )
    areas = max(len(graph.area_codes), 1)
    touched = np.unique(label.astype(np.int64) * areas + np.maximum(graph.area, 0)) // areas
    return {
        "grids": k, "worst": float(excess.max()), "mean": float(off.mean()),
        "within": float((excess <= tolerance + 1e-9).mean()), "contiguous": float((pieces == 1).mean()),
        "compactness": float((4 * np.pi * area / rim**2).mean()), "cut": int((~same & walk).sum() // 2),
        "crossing": float((np.bincount(touched, minlength=k) > 1).mean()),
    }  # fmt: skip


# ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(
    city: Instance,
    method: str,
    seed: int,
    python: str,
    limit: float,
    folder: Path,
    *options: str,
    **more: Any,
) -> Row:
    """One method on one city in a process of its own: its row, with `failed` when there is no plan."""
    given, wanted = folder / "instance.npz", folder / "labels.npy"
    wanted.unlink(missing_ok=True)
    graph = city.graph
    np.savez(
        given, x=graph.x, y=graph.y, weight=city.weight, indptr=graph.indptr, indices=graph.indices,
        length_m=graph.length_m, walkable=graph.walkable, k=city.k, seed=seed, **more,
    )  # fmt: skip
    ours = method in OURS or method.startswith("our-")
    command = (
        [sys.executable, __file__, "--child", method, "--city", city.name, str(wanted), *options]
        if ours
        else [python, str(Path(__file__).with_name("peers.py")), method, str(given), str(wanted)]
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not within {limit:.0f} s"}
    if done.returncode or not wanted.exists():
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][:80]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def city_named(name: str) -> Instance:
    """The city that `make` called so; `…+3` is the same city as drifted by seed 3."""
    plain, _, drift = name.partition("+")
    kind, units, seed = plain.rsplit("-", 2)
    city = make(kind, int(units), int(seed))
    return replace(drifted(city, int(drift)), name=name) if drift else city


def child(method: str, name: str, wanted: str, real: Path | None) -> None:
    """One of our own methods, in this process."""
    state, _, seed_of_state = name.partition("-")
    if real is not None and state in districts.STATES:
        city, seed, tolerance = districts.STATES[state](real), int(seed_of_state), districts.TOLERANCE
    else:
        city, seed, tolerance = city_named(name), int(name.partition("+")[0].rsplit("-", 1)[1]), TOLERANCE
    kernels.warm()
    search.propose(Problem(make(units=500).graph, make(units=500).weight, 10, nesting="free"))
    base = peak_mb()
    problem = Problem(city.graph, city.weight, city.k, tolerance=tolerance, nesting=method, seed=seed)  # type: ignore[arg-type]
    begun, used = time.perf_counter(), time.process_time()
    label = search.propose(problem)[0].partition.grid
    taken, cpu = time.perf_counter() - begun, time.process_time() - used
    np.save(wanted, label)
    peak = peak_mb()
    print(json.dumps({"seconds": taken, "cpu_s": cpu, "peak_mb": peak, "base_mb": base}))


def partitions(cities: list[Instance], asked: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Every method on every city; the slow peers only on the first seed."""
    first = {}
    for city in cities:
        kind, units, seed = city.name.rsplit("-", 2)
        first.setdefault((kind, units), seed)
        for method in asked.methods.split(","):
            if method in ("gerrychain", "skater") and first[kind, units] != seed:
                continue
            row = run(city, method, int(seed), asked.python, asked.limit, folder)
            if "failed" not in row:
                row |= score(city, np.load(folder / "labels.npy"))
            yield {"what": "partition", "city": city.name, "units": city.graph.n, "method": method, **row}


def states(asked: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Iowa and Arkansas in four districts within 1 %, by our engine and by GerryChain's tree partition at that tolerance."""
    for name, read in districts.STATES.items() if asked.real else ():
        city = read(asked.real)
        for seed in asked.seeds.split(","):
            named = replace(city, name=f"{name}-{seed}")
            for method in ("free", "gerrychain"):
                row = run(named, method, int(seed), asked.python, asked.limit, folder, "--real", str(asked.real),
                          epsilon=districts.TOLERANCE)  # fmt: skip
                if "failed" not in row:
                    row |= score(named, np.load(folder / "labels.npy"), districts.TOLERANCE)
                yield {
                    "what": "districts",
                    "city": named.name,
                    "units": city.graph.n,
                    "method": method,
                    **row,
                }


# ── Rebalancing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def rebalances(cities: list[Instance], asked: argparse.Namespace) -> Iterator[Row]:
    """After a drift: rebalanced to ±10 %, and solved afresh with grids matched to the old ones as well as can be."""
    kernels.warm()
    for city in cities:
        seed = int(city.name.rsplit("-", 1)[1])
        wanted = Problem(city.graph, city.weight, city.k, tolerance=TOLERANCE, nesting="free", seed=seed)
        old = search.propose(wanted)[0].partition
        later = drifted(city, 3)
        problem = replace(wanted, weight=later.weight, tolerance=0.10, start=old.grid)
        load = old.loads(later.weight) / later.target
        begun, used = time.perf_counter(), time.process_time()
        found = rebalance.rebalance(problem)
        taken, cpu = time.perf_counter() - begun, time.process_time() - used
        codes = [one.code for one in found.stuck]
        yield {
            "what": "rebalance", "city": city.name, "units": city.graph.n, "method": "rebalance",
            "seconds": taken, "cpu_s": cpu, "outside_before": int((np.abs(load - 1) > 0.10).sum()), "grids": city.k,
            "outside_after": len(codes), "heavy_units": codes.count("heavy-units"), "moved": found.moved_share,
            "least": found.least_share, **_shape(later, found.partition.grid),
        }  # fmt: skip
        begun, used = time.perf_counter(), time.process_time()
        fresh = search.propose(replace(problem, start=None))[0].partition.grid
        taken, cpu = time.perf_counter() - begun, time.process_time() - used
        moved = later.weight[matched(fresh, old.grid, later.weight, city.k) != old.grid].sum()
        yield {
            "what": "rebalance", "city": city.name, "units": city.graph.n, "method": "afresh", "grids": city.k,
            "seconds": taken, "cpu_s": cpu, "moved": float(moved / later.weight.sum()),
            **_shape(later, fresh),
        }  # fmt: skip


def _shape(city: Instance, label: np.ndarray) -> Row:
    return {
        name: value for name, value in score(city, label).items() if name in ("compactness", "contiguous")
    }


def matched(label: np.ndarray, old: np.ndarray, weight: np.ndarray, k: int) -> np.ndarray:
    """Labels renamed so that as much weight as possible keeps its grid (Kuhn 1955)."""
    shared = csr_matrix((weight + 1e-3, (label, old)), shape=(k, k)).toarray().astype(np.float32)
    new, former = linear_sum_assignment(shared, maximize=True)
    name = np.empty(k, np.int64)
    name[new] = former
    return name[label]


# ── Ensembles ───────────────────────────────────────────────────────────────────────────────────────────────────────


def ensembles(cities: list[Instance], asked: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """1 000 plans from one chain on one thread within ±30 %, and how many steps GerryChain makes in a minute."""
    kernels.warm()
    for city in cities:
        seed = int(city.name.rsplit("-", 1)[1])
        problem = Problem(city.graph, city.weight, city.k, tolerance=0.30, nesting="free", seed=seed)
        start = search.propose(replace(problem, tolerance=TOLERANCE))[0].partition.grid
        begun, used = time.perf_counter(), time.process_time()
        found = ensemble.sample(replace(problem, start=start), plans=asked.plans, chains=1)
        taken, cpu = time.perf_counter() - begun, time.process_time() - used
        yield {
            "what": "ensemble", "city": city.name, "units": city.graph.n, "method": "Wangge", "plans": asked.plans,
            "seconds": taken, "cpu_s": cpu, "steps_per_s": found.steps / taken, "steps_per_cpu_s": found.steps / cpu,
            "changed": found.changed_share, "rhat": max(found.rhat.values()), "ess": min(found.ess.values()),
        }  # fmt: skip
        row = run(city, "gerrychain-steps", seed, asked.python, asked.limit, folder, start=start)
        if "failed" not in row:
            row["steps_per_s"] = float(np.load(folder / "labels.npy")[0])
        yield {"what": "ensemble", "city": city.name, "units": city.graph.n, "method": "GerryChain", **row}


# ── Telling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def tables(rows: list[Row]) -> None:
    """The rows as Markdown; several seeds of one kind and size are averaged (worst: the worst of them)."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        kind = row["city"].rsplit("-", 1)[0]
        groups.setdefault((row["what"], kind, row["method"]), []).append(row)
    told: set[tuple[str, str]] = set()
    for (what, kind, method), several in groups.items():
        if (what, kind) not in told:
            told.add((what, kind))
            print(f"\n{HEADS[what].format(kind=kind, units=several[0]['units'])}")
        good = [row for row in several if "failed" not in row]
        if not good:
            print(f"| {NAMES.get(method, method)} | {several[0]['failed']} |")
            continue
        print(f"| {NAMES.get(method, method)} | " + " | ".join(_cells(what, good)) + " |")


HEADS = {
    "partition": "#### {kind} ({units} units)\n\n| method | s | cpu s | MB | worst* % | mean % | within 5 % | contiguous % "
    "| PP | cut edges | crossing % |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    "rebalance": "#### Rebalance, {kind} ({units} units)\n\n| way | s | cpu s | outside before | outside after | moved % "
    "| bound % | moved ÷ bound | PP | contiguous % |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    "districts": "#### {kind}, 4 districts ({units} units)\n\n| method | s | cpu s | MB | worst* % | mean % | within 1 % "
    "| contiguous % | PP | cut edges | crossing % |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    "ensemble": "#### Ensemble, {kind} ({units} units)\n\n| way | s | cpu s | steps per s |\n|---|---:|---:|---:|",
}


def _cells(what: str, rows: list[Row]) -> list[str]:
    def mean(name: str) -> float:
        values = [row[name] for row in rows if name in row]
        return float(np.mean(values)) if values else float("nan")

    clock = [f"{mean('seconds'):.2f}", f"{mean('cpu_s'):.2f}"]
    if what == "ensemble":
        return [*clock, f"{mean('steps_per_s'):,.0f}"]
    if what == "rebalance":
        shape = [f"{mean('compactness'):.3f}", f"{100 * mean('contiguous'):.1f}"]
        if "least" not in rows[0]:
            return [*clock, "", "", f"{100 * mean('moved'):.2f}", "", "", *shape]
        before, after, heavy = mean("outside_before"), mean("outside_after"), mean("heavy_units")
        return [
            *clock, f"{before:.0f} of {mean('grids'):.0f}", f"{after:.1f} ({heavy:.1f} for heavy units)",
            f"{100 * mean('moved'):.2f}", f"{100 * mean('least'):.2f}", f"{mean('moved') / mean('least'):.2f}", *shape,
        ]  # fmt: skip
    return [
        *clock, f"{mean('peak_mb'):.0f}", f"{100 * max(row['worst'] for row in rows):.1f}", f"{100 * mean('mean'):.2f}",
        f"{100 * mean('within'):.2f}", f"{100 * mean('contiguous'):.1f}", _roundness(mean("compactness")),
        f"{mean('cut'):,.0f}", f"{100 * mean('crossing'):.0f}",
    ]  # fmt: skip


def _roundness(value: float) -> str:
    """Polsby-Popper; none where the borders' lengths are only guessed (Arkansas), which shows in values above 1."""
    return f"{value:.3f}" if value <= 1 else "–"


def main() -> None:
    """Runs what is asked and prints the tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--kinds", default="hexagons,blocks")
    ask.add_argument("--sizes", default="2000,20000")
    ask.add_argument("--seeds", default="7,8,9")
    ask.add_argument("--methods", default=",".join((*OURS, *PEERS)))
    ask.add_argument("--only", default="partition,rebalance,ensemble,districts")
    ask.add_argument("--limit", type=float, default=300.0, help="seconds for one run")
    ask.add_argument("--plans", type=int, default=1000)
    ask.add_argument("--real", type=Path, help="folder of published instances (see districts.py)")
    ask.add_argument("--python", default=sys.executable)
    ask.add_argument("--save", type=Path)
    ask.add_argument("--show", type=Path, help="print the tables of a saved file and stop")
    ask.add_argument("--child")
    ask.add_argument("--city", nargs=2)
    asked = ask.parse_args()
    if asked.child:
        name, wanted = asked.city
        child(asked.child, name, wanted, asked.real)
        return
    if asked.show:
        tables([json.loads(line) for line in asked.show.read_text().splitlines()])
        return
    synthetic = {"partition", "rebalance", "ensemble"} & set(asked.only.split(","))
    cities = [
        make(kind, int(size), int(seed))
        for size in (asked.sizes.split(",") if synthetic else ()) for kind in asked.kinds.split(",")
        for seed in asked.seeds.split(",")
    ]  # fmt: skip
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        parts = {
            "partition": lambda: partitions(cities, asked, Path(folder)),
            "districts": lambda: states(asked, Path(folder)),
            "rebalance": lambda: rebalances(cities, asked),
            "ensemble": lambda: ensembles(cities, asked, Path(folder)),
        }
        for what in asked.only.split(","):
            for row in parts[what]():
                rows.append(row)
                print(json.dumps(row), flush=True)
                if asked.save:
                    with asked.save.open("a") as out:
                        out.write(json.dumps(row) + "\n")
    tables(rows)


if __name__ == "__main__":
    main()
