"""Damaged files by the hundred: an answer or a refusal each time, within seconds, and the child serves the next one."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from etl.reading import read_vector
from geo.errors import RefusedFile

FORMATS = ("geojson", "gpkg", "fgb", "parquet", "shp", "kml")
AREAS = geopandas.GeoDataFrame(
    {"code": [f"B{i}" for i in range(20)], "name": ["区"] * 20, "n": range(20)},
    geometry=[shapely.box(121 + i / 50, 31, 121 + (i + 1) / 50, 31.1) for i in range(20)],
    crs="EPSG:4326",
)


def sample(folder: Path, ending: str) -> Path:
    path = folder / f"a.{ending}"
    if ending == "parquet":
        AREAS.to_parquet(path)
    elif ending == "kml":
        AREAS.to_file(path, driver="LIBKML")
    else:
        AREAS.to_file(path)
    return path


def mutate(data: bytes, random: np.random.Generator) -> bytes:
    """Some bytes changed, a piece cut out, doubled or cut off."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 12))):
        out[int(random.integers(len(out)))] = int(random.integers(256))
    act, at = int(random.integers(5)), int(random.integers(len(out)))
    end = min(len(out), at + int(random.integers(1, 400)))
    if act == 0:
        del out[at:end]
    elif act == 1:
        out[at:at] = out[at:end]
    elif act == 2:
        del out[at:]
    elif act == 3:
        out[at:end] = b"\xff" * (end - at)
    return bytes(out)


def rounds(folder: Path, ending: str, count: int, seed: int) -> Counter[str]:
    random = np.random.default_rng(seed)
    path = sample(folder, ending)
    parts = sorted(p for p in folder.iterdir() if p.stem == "a")
    whole = {part: part.read_bytes() for part in parts}
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        victim = parts[int(random.integers(len(parts)))]
        for part, data in whole.items():
            part.write_bytes(mutate(data, random) if part == victim else data)
        begun = time.monotonic()
        try:
            frame = read_vector(path).frame
            outcomes["read"] += 1
            assert np.isfinite(shapely.get_coordinates(frame.geometry.array)).all()
        except RefusedFile as refused:
            outcomes[refused.code] += 1
            outcomes["crashed"] += "SIG" in str(refused.facts.get("ended", ""))
            assert str(folder) not in refused.text("en")
        assert time.monotonic() - begun < 60
    return outcomes


@pytest.mark.parametrize("ending", FORMATS)
def test_a_few_dozen_mutants(ending: str, tmp_path: Path) -> None:
    outcomes = rounds(tmp_path, ending, 12, seed=1)
    assert sum(n for code, n in outcomes.items() if code != "crashed") == 12


@pytest.mark.slow
@pytest.mark.parametrize("ending", FORMATS)
def test_many_mutants(ending: str, tmp_path: Path) -> None:
    count = 1_700
    outcomes = rounds(tmp_path, ending, count, seed=20261122)
    print(ending, dict(outcomes))
    assert sum(n for code, n in outcomes.items() if code != "crashed") == count
    assert outcomes["crashed"] <= count * 0.001
