"""Other people's partitioners on one instance, each in a process of its own: `peers.py METHOD instance.npz labels.npy`.

Needs none of Wangge's modules, only numpy and the peer (`pip install pymetis kahip gerrychain spopt`). The time told is
that of the call itself; the data is in the peer's own form before the clock starts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], Any]
Instance = dict[str, Any]


def walk(city: Instance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The walkable graph as CSR: starts, neighbours, border lengths."""
    n = len(city["weight"])
    rows = np.repeat(np.arange(n), np.diff(city["indptr"]))
    keep = city["walkable"]
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(rows[keep], minlength=n), out=starts[1:])
    return starts, city["indices"][keep], city["length_m"][keep]


def metis(city: Instance) -> Work:
    """METIS k-way, contiguous, 3 % imbalance."""
    import pymetis

    starts, beside, _ = walk(city)
    options = pymetis.Options(contig=1, ufactor=30, seed=int(city["seed"]))
    weights = city["weight"].astype(int).tolist()
    xadj, adjacency = starts.tolist(), beside.tolist()
    return lambda: pymetis.part_graph(
        int(city["k"]), xadj=xadj, adjncy=adjacency, vweights=weights, recursive=False, options=options
    )[1]


def kahip(city: Instance) -> Work:
    """KaHIP strong, 5 % imbalance."""
    import kahip as library

    starts, beside, _ = walk(city)
    weights, xadj, adjacency = city["weight"].astype(int).tolist(), starts.tolist(), beside.tolist()
    ones = np.ones(len(beside), int).tolist()
    return lambda: library.kaffpa(
        weights, xadj, ones, adjacency, int(city["k"]), 0.05, True, int(city["seed"]), 2
    )[1]


def _gerrychain_graph(city: Instance) -> Any:
    import networkx as nx
    from gerrychain import Graph

    starts, beside, _ = walk(city)
    rows = np.repeat(np.arange(len(city["weight"])), np.diff(starts))
    graph = nx.Graph()
    graph.add_nodes_from((u, {"load": float(w)}) for u, w in enumerate(city["weight"].tolist()))
    graph.add_edges_from(zip(rows.tolist(), beside.tolist(), strict=True))
    return Graph.from_networkx(graph)


def gerrychain(city: Instance, epsilon: float = 0.30) -> Work:
    """GerryChain's recursive tree partition within 30 % of the target (5 % does not finish), or what the instance says."""
    import random

    from gerrychain.tree import recursive_tree_part

    random.seed(int(city["seed"]))
    graph, k = _gerrychain_graph(city), int(city["k"])
    target, epsilon = float(city["weight"].sum()) / k, float(city.get("epsilon", epsilon))

    def work() -> list[int]:
        found = recursive_tree_part(graph, range(k), target, "load", epsilon)
        return [found[u] for u in range(len(city["weight"]))]

    return work


def ward(city: Instance) -> Work:
    """spopt's spatially constrained Ward clustering on load and position."""
    import geopandas
    import shapely
    from libpysal.weights import W
    from spopt.region import WardSpatial

    starts, beside, _ = walk(city)
    near = {u: beside[starts[u] : starts[u + 1]].tolist() for u in range(len(city["weight"]))}
    frame = geopandas.GeoDataFrame(
        {"load": city["weight"], "x": city["x"], "y": city["y"]},
        geometry=shapely.points(city["x"], city["y"]),
    )
    model = WardSpatial(frame, W(near, silence_warnings=True), ["load", "x", "y"], n_clusters=int(city["k"]))

    def work() -> Any:
        model.solve()
        return model.labels_

    return work


def skater(city: Instance) -> Work:
    """spopt's Skater: a minimum spanning tree cut k − 1 times."""
    import geopandas
    import shapely
    from libpysal.weights import W
    from spopt.region import Skater

    starts, beside, _ = walk(city)
    near = {u: beside[starts[u] : starts[u + 1]].tolist() for u in range(len(city["weight"]))}
    frame = geopandas.GeoDataFrame({"load": city["weight"]}, geometry=shapely.points(city["x"], city["y"]))
    model = Skater(
        frame, W(near, silence_warnings=True), ["load"], n_clusters=int(city["k"]), islands="ignore"
    )

    def work() -> Any:
        model.solve()
        return model.labels_

    return work


def gerrychain_steps(city: Instance, seconds: float = 60.0) -> Work:
    """ReCom steps that GerryChain makes in a minute, from the plan in `start`, within 30 %; answers steps per second."""
    import random
    from functools import partial

    from gerrychain import MarkovChain, Partition
    from gerrychain.accept import always_accept
    from gerrychain.constraints import within_percent_of_ideal_population
    from gerrychain.proposals import recom
    from gerrychain.updaters import Tally

    random.seed(int(city["seed"]))
    graph, k = _gerrychain_graph(city), int(city["k"])
    start = Partition(
        graph,
        dict(enumerate(city["start"].tolist())),
        updaters={"population": Tally("load", alias="population")},
    )
    target = float(city["weight"].sum()) / k
    proposal = partial(recom, pop_col="load", pop_target=target, epsilon=0.30, node_repeats=1)
    bound = within_percent_of_ideal_population(start, 10.0)
    steps = MarkovChain(proposal, [bound], always_accept, start, 10**9)

    def work() -> Any:
        begun, count = time.perf_counter(), 0
        for _ in steps:
            count += 1
            if time.perf_counter() - begun > seconds:
                break
        return np.array([(count - 1) / (time.perf_counter() - begun)])

    return work


METHODS: dict[str, Callable[[Instance], Work]] = {
    "metis": metis, "kahip": kahip, "gerrychain": gerrychain, "ward": ward, "skater": skater,
    "gerrychain-steps": gerrychain_steps,
}  # fmt: skip


def peak_mb() -> float:
    """The most memory this process held (VmHWM; getrusage would tell the parent's after an exec)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Runs one method and prints what it took as a JSON line."""
    method, given, wanted = sys.argv[1:4]
    city = dict(np.load(Path(given)))
    work = METHODS[method](city)
    begun, used = time.perf_counter(), time.process_time()
    found = work()
    taken, cpu = time.perf_counter() - begun, time.process_time() - used
    np.save(wanted, np.asarray(found))
    peak = peak_mb()
    print(json.dumps({"seconds": taken, "cpu_s": cpu, "peak_mb": peak}))


if __name__ == "__main__":
    main()
