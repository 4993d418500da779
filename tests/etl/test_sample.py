"""The synthetic city: the same every time, sound ground, plausible life, and dirt that is accounted for."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely
import shapely.ops

from etl.sample import MANIFEST, SampleSpec, Written, city, dirt, happenings, sites, workbook, write
from etl.sample.spec import PLANAR_CRS
from geo.errors import RefusedArgument

SMALL = SampleSpec(seed=7, cases=3_000, communities=24, workbook_rows=800)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(SMALL, tmp_path_factory.mktemp("sample"))


def level(written: Written, name: str) -> gpd.GeoDataFrame:
    path = next(f.path for f in written.ground if f.use == "boundaries" and f.name == name)
    return gpd.read_file(path, encoding="gbk")


# ── The same every time ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_city(
    small: Written, tmp_path: Path
) -> None:
    again = write(SMALL, tmp_path / "again")
    files = sorted(p.name for p in small.manifest.parent.iterdir())
    assert files == sorted(p.name for p in again.manifest.parent.iterdir())
    for name in files:
        assert (again.manifest.parent / name).read_bytes() == (small.manifest.parent / name).read_bytes(), (
            name
        )
    other = write(SampleSpec(seed=8, cases=300, communities=24), tmp_path / "other")
    assert not level(other, "city").geometry.iloc[0].equals(level(small, "city").geometry.iloc[0])


def test_more_cases_do_not_move_the_ground(small: Written, tmp_path: Path) -> None:
    more = write(SMALL.with_cases(4_000), tmp_path)
    for mine, theirs in zip(small.ground, more.ground, strict=True):
        assert mine.path.read_bytes() == theirs.path.read_bytes(), mine.path.name


def test_the_manifest_lists_every_file_with_its_hash(small: Written) -> None:
    manifest = json.loads(small.manifest.read_text(encoding="utf-8"))
    assert manifest["synthetic"] is True and "合成" in manifest["city"]
    listed = {f["file"]: f["sha256"] for f in manifest["ground"] + manifest["cases"]}
    found = {p.name for p in small.manifest.parent.iterdir()} - {MANIFEST}
    assert set(listed) == found and all(name.startswith("synthetic_") for name in found)
    for name, digest in listed.items():
        assert hashlib.sha256((small.manifest.parent / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"cases": -5}, {"communities": 3}, {"days": 1}])
def test_impossible_cities_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(RefusedArgument) as refused:
        SampleSpec(**wrong)
    assert refused.value.field in wrong


# ── Ground ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("seed", "communities"), [(1, 8), (3, 24), (1, 60)])
def test_levels_are_exact_coverages_that_nest(seed: int, communities: int) -> None:
    built = city.build(SampleSpec(seed=seed, communities=communities))
    fine = built.on_earth(built.areas.communities)
    assert len(fine) == communities
    for shapes in (built.areas.communities, built.areas.streets, built.areas.districts):
        earth = built.on_earth(shapes)
        assert shapely.is_valid(earth).all()
        assert shapely.coverage_is_valid(earth)
        assert set(shapely.get_type_id(earth)) == {shapely.GeometryType.POLYGON}
    for group, wholes in (
        (built.areas.street_of, built.areas.streets),
        (built.areas.district_of[built.areas.street_of], built.areas.districts),
    ):
        for index, whole in enumerate(built.on_earth(wholes)):
            assert shapely.equals(shapely.coverage_union_all(fine[group == index]), whole)


def test_no_community_lies_on_both_banks_of_the_river() -> None:
    built = city.build(SMALL)
    banks = shapely.get_parts(shapely.ops.split(built.lines.limit, built.lines.river))
    for community in built.areas.communities:
        share = shapely.area(shapely.intersection(banks, community)) / community.area
        assert share.max() > 0.999


def test_shapefiles_are_gbk_without_a_word_about_it(small: Written) -> None:
    import zipfile

    for file in small.ground_for("boundaries")[:4]:
        with zipfile.ZipFile(file.path) as archive:
            names = archive.namelist()
            assert not any(n.endswith(".cpg") for n in names)
            dbf = archive.read(next(n for n in names if n.endswith(".dbf")))
        assert dbf[29] == 0 and "区划代码".encode("gbk") in dbf[:200]
        with pytest.raises(UnicodeDecodeError):
            dbf.decode("utf-8")


def test_codes_nest_and_belong_to_no_province(small: Written) -> None:
    frames = {name: level(small, name) for name in ("city", "district", "street", "community")}
    assert [len(c) for c in frames["community"]["区划代码"].head(1)] == [12]
    for child, parent in (("district", "city"), ("street", "district"), ("community", "street")):
        assert set(frames[child]["上级代码"]) == set(frames[parent]["区划代码"])
        assert frames[child]["区划代码"].is_unique
    for child, digits in (("street", 6), ("community", 9)):
        assert (frames[child]["区划代码"].str[:digits] == frames[child]["上级代码"]).all()
    assert all(code.startswith("90") for code in frames["community"]["区划代码"])
    assert frames["community"]["名称"].is_unique


def test_the_network_is_noded_and_bridges_cross_the_river() -> None:
    built = city.build(SMALL)
    net = built.network
    assert set(net.way_class) == {"road", "bridge", "path", "rail", "water"}
    roads = net.geometry[net.lines_of("trunk", "primary", "secondary", "residential", "bridge", "track")]
    crossing = shapely.STRtree(roads).query(roads, predicate="crosses")
    assert crossing.size == 0, "roads meet in vertices that both have"
    bridges = net.geometry[net.lines_of("bridge")]
    assert shapely.crosses(bridges, built.lines.river).sum() >= 2
    dry = net.geometry[net.lines_of("trunk", "primary", "secondary", "residential")]
    assert not shapely.intersects(dry, shapely.buffer(built.lines.river, 70)).any()


def test_people_live_where_it_is_dense_and_add_up(small: Written) -> None:
    with next(f.path for f in small.ground if f.name == "households").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    points = shapely.points([float(r["经度"]) for r in rows], [float(r["纬度"]) for r in rows])
    whole = level(small, "city").geometry.iloc[0]
    assert shapely.contains(whole, points).all()
    households, people = (sum(int(r[c]) for r in rows) for c in ("households", "people"))
    assert people == pytest.approx(SMALL.people, rel=0.05)
    assert households == pytest.approx(SMALL.people / 2.6, rel=0.05)
    with next(f.path for f in small.ground if f.name == "population").open(encoding="utf-8") as file:
        assert sum(int(r["households"]) for r in csv.DictReader(file)) == households


def test_ten_kinds_of_facilities_inside_the_city(small: Written) -> None:
    files = small.ground_for("facilities")
    assert len(files) == 10 and {f.path.suffix for f in files} == {".geojson", ".xlsx"}
    whole = level(small, "city").geometry.iloc[0]
    for file in files:
        if file.path.suffix == ".geojson":
            frame = gpd.read_file(file.path)
            assert frame.within(whole).all() and (frame["capacity"] > 0).all()
        else:
            sheet = list(openpyxl.load_workbook(file.path).active.iter_rows(values_only=True))
            assert sheet[0][:5] == ("设施编号", "设施名称", "容量", "经度", "纬度")
            assert shapely.contains(
                whole, shapely.points([r[3] for r in sheet[1:]], [r[4] for r in sheet[1:]])
            ).all()


# ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def life() -> list[happenings.Batch]:
    built = city.build(SampleSpec(seed=7, cases=40_000, communities=24))
    places = sites.draw(built)
    return [b for origin in ("citizen", "patrol") for b in happenings.stream(built, places, origin)]


def test_the_number_of_cases_is_exact_and_times_are_in_order(life: list[happenings.Batch]) -> None:
    assert sum(len(b) for b in life) == 40_000
    for batch in life:
        assert (np.diff(batch.opened) >= 0).all()
        closed = batch.closed >= 0
        assert (batch.closed[closed] > batch.opened[closed]).all()
        assert (batch.dispatched[batch.dispatched >= 0] > batch.opened[batch.dispatched >= 0]).all()
        assert ((batch.status == 0) == ~closed).all()
        again = batch.repeat_of >= 0
        earlier = batch.repeat_of[again] - batch.first
        assert (earlier < np.flatnonzero(again)).all()
        assert (batch.category[earlier] == batch.category[again]).all()


def test_seasons_hours_and_lateness_show(life: list[happenings.Batch]) -> None:
    book = sites_book()
    opened = np.concatenate([b.opened for b in life])
    category = np.concatenate([b.category for b in life])
    month = (opened.astype("datetime64[s]").astype("datetime64[M]").astype(int)) % 12
    heating = category == book.code.index("S0702")
    assert heating[np.isin(month, (10, 11, 0, 1))].sum() > 20 * heating[np.isin(month, (4, 5, 6, 7))].sum()
    flooded = category == book.code.index("S0401")
    assert flooded[np.isin(month, (5, 6, 7))].sum() > 2 * flooded[np.isin(month, (11, 0, 1))].sum()
    patrol = life[-1]
    weekday = (patrol.opened // 86_400 + 3) % 7
    assert np.bincount(weekday)[6] < 0.7 * np.bincount(weekday)[0]
    late = np.concatenate([(b.closed > b.due)[b.closed >= 0] for b in life]).mean()
    assert 0.05 < late < 0.35


def sites_book() -> Any:
    from etl.sample import catalogue

    return catalogue.read()


def test_hot_spots_exist(life: list[happenings.Batch]) -> None:
    """The hottest hundredth of 100 m squares holds far more than a hundredth of the cases."""
    lonlat = np.concatenate([b.lonlat for b in life])
    cell = np.floor(lonlat / [0.00108, 0.0009]).astype(int)
    _, counts = np.unique(cell, axis=0, return_counts=True)
    counts = np.sort(counts)[::-1]
    assert counts[: len(counts) // 100 + 1].sum() > 0.06 * counts.sum()


def test_no_case_leaves_the_city_by_chance(life: list[happenings.Batch]) -> None:
    built = city.build(SampleSpec(seed=7, cases=40_000, communities=24))
    whole = built.on_earth(np.array([shapely.coverage_union_all(built.areas.communities)], dtype=object))[0]
    lonlat = np.concatenate([b.lonlat for b in life])
    assert shapely.contains_xy(whole, lonlat[:, 0], lonlat[:, 1]).all()


# ── Files and dirt ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_dirt_is_in_the_files_and_counted(small: Written) -> None:
    hotline = next(f for f in small.cases if f.source == "hotline")
    with hotline.path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    header, body = rows[0], rows[1:]
    assert len(body) == hotline.account.rows
    assert set(hotline.account.kinds) == {kind.name for kind in dirt.KINDS}
    odd = [r for r in body if len(r) != len(header)]
    assert len(odd) == hotline.account.rejected["column-count"]
    good = [dict(zip(header, r, strict=True)) for r in body if len(r) == len(header)]
    numbers = Counter(r["工单编号"] for r in good if r["工单编号"])
    twice = sum(c - 1 for c in numbers.values())
    assert twice == hotline.account.duplicate + hotline.account.rejected["row-conflict"] // 2
    assert sum("\x00" in r["诉求内容"] for r in good) == hotline.account.rejected["control-character"]
    assert sum("1300000" in r["诉求内容"] for r in good) == hotline.account.masked
    account: dict[str, Any] = hotline.account.as_dict()
    assert account["rows"] == account["added"] + account["duplicate"] + sum(
        account["rejects_by_code"].values()
    )


def test_dirt_can_be_left_out(tmp_path: Path) -> None:
    clean = write(SampleSpec(seed=7, cases=1_000, communities=8, dirt=0.0), tmp_path)
    for file in clean.cases:
        assert not file.account.kinds and file.account.unplaced == 0
    assert sum(f.account.rows for f in clean.cases) == 1_000


def test_the_workbook_opens_elsewhere_with_dates(small: Written) -> None:
    book = next(f for f in small.cases if f.encoding == "xlsx")
    rows = list(openpyxl.load_workbook(book.path, read_only=True).active.iter_rows(values_only=True))
    assert rows[0][:3] == ("案卷编号", "上报时间", "派遣时间")
    assert len(rows) - 1 == book.account.rows
    dates = [r[1] for r in rows[1:] if hasattr(r[1], "year")]
    assert len(dates) > 0.9 * len(rows) and {d.year for d in dates} <= {2024, 2025, 2026}


def test_patrol_that_does_not_fit_the_workbook_is_gb18030(small: Written) -> None:
    more = next(f for f in small.cases if f.encoding == "gb18030")
    text = more.path.read_bytes().decode("gb18030")
    assert text.startswith("案卷编号,") and more.account.rows > 400
    with pytest.raises(UnicodeDecodeError):
        more.path.read_bytes().decode("utf-8")


def test_workbook_cells_escape_markup(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    workbook.write(path, "a&b", ["x<y"], [["<img>&"], [None], [" 1 "], [2.5]], frozenset())
    sheet = openpyxl.load_workbook(path).active
    assert [r[0] for r in sheet.iter_rows(values_only=True)] == ["x<y", "<img>&", None, " 1 ", 2.5]


@pytest.mark.slow
def test_the_full_city_is_sound(tmp_path: Path) -> None:
    full = write(SampleSpec(), tmp_path)
    assert {f.name: f.features for f in full.ground_for("boundaries")} | {} == {
        "city": 1,
        "district": 4,
        "street": 22,
        "community": 240,
        "police_district": 9,
    }
    shapes = level(full, "community").to_crs(PLANAR_CRS)
    assert shapely.coverage_is_valid(level(full, "community").geometry.values)
    assert 1.0e8 < shapes.area.sum() < 1.8e8
    assert sum(f.account.rows for f in full.cases) > 200_000


@pytest.mark.slow
def test_two_million_cases_stream_in_bounded_memory(tmp_path: Path) -> None:
    """Peak memory does not grow with the number of cases (measured in a process of its own)."""
    program = (
        "import sys; from pathlib import Path; from etl.sample import SampleSpec, write;"
        "write(SampleSpec(seed=7, communities=24, cases=int(sys.argv[1])), Path(sys.argv[2]));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"  # ru_maxrss counts the parent's
    )
    peak = [
        int(
            subprocess.run(
                [sys.executable, "-c", program, n, str(tmp_path / n)], capture_output=True, check=True
            ).stdout
        )
        for n in ("400000", "2000000")
    ]
    assert peak[1] < 1_200_000 and peak[1] < 1.25 * peak[0] + 100_000, peak
