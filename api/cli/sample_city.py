"""The synthetic city from files to an approved plan, through the same loaders as a real one.

The order serves the units: streets, facilities and the first case file say where something happens before the ground is
cut; what comes later is placed as it is loaded. Each file is a transaction of its own, as on the command line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import boundaries, cases, facilities, network, sample, weights
from etl import units as ground
from etl.rejects import LoadReport
from etl.sample import SampleSpec, Written
from geo.db import session as sessions
from geo.db.tables import City
from geo.db.versions import bump
from geo.errors import Conflict, Lang
from geo.progress import Progress
from geo.settings import Settings
from grids import plans, proposals

FULL_AREA_M2 = 135_000_000.0
EMPTY_TIMES = 20.0  # fields, water and parks: units of up to twenty targets
HOUSEHOLDS_PER_GRID = 400.0
PLAN_NAME = "首版网格方案（合成）"


@dataclass
class Made:
    """What came of it: the account of every file, the units and the plan."""

    folder: str
    reports: list[LoadReport] = field(default_factory=list)
    units: int = 0
    plan: str = PLAN_NAME
    grids: int = 0
    valid_from: str = ""

    @property
    def exit_code(self) -> int:
        """3 when rows were rejected, which is what the dirty rows are for."""
        return max((report.exit_code for report in self.reports), default=0)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "folder": self.folder,
            "loads": [
                self._line(report) | {"rejects_by_code": dict(report.rejects_by_code)}
                for report in self.reports
            ],
            "units": self.units,
            "plan": self.plan,
            "grids": self.grids,
            "valid_from": self.valid_from,
        }

    def lines(self, lang: Lang) -> list[dict[str, Any]]:
        """A table with a line per file."""
        words = {
            "run": "批次", "file": "文件", "as": "装载为", "rows": "读入", "added": "新增", "unchanged": "未变",
            "duplicate": "重复", "rejected": "拒收", "unplaced": "未定位",
        }  # fmt: skip
        return [
            {(words[k] if lang == "zh" else k): v for k, v in self._line(report).items()}
            for report in self.reports
        ]

    def summary(self) -> tuple[str, str]:
        """One sentence about the whole, zh and en."""
        codes: Counter[str] = Counter()
        for report in self.reports:
            codes.update(report.rejects_by_code)
        rejected = ", ".join(f"{code} {n}" for code, n in codes.most_common()) or "—"
        return (
            f"合成城市已装载：{self.units} 个单元，方案“{self.plan}”{self.grids} 个网格，自 {self.valid_from} 起生效。"
            f"拒收（合成数据中故意加入的脏行）：{rejected}。详见 wangge runs。",
            f"The synthetic city is loaded: {self.units} units, plan {self.plan!r} with {self.grids} grids from "
            f"{self.valid_from}. Rejected (the dirty rows that were put in on purpose): {rejected}. See wangge runs.",
        )

    @staticmethod
    def _line(report: LoadReport) -> dict[str, Any]:
        return {
            "run": report.run_id,
            "file": report.file_name,
            "as": f"{report.kind} {report.source}",
            "rows": report.rows_in,
            "added": report.added,
            "unchanged": report.unchanged,
            "duplicate": report.duplicate,
            "rejected": report.rejected,
            "unplaced": report.unplaced,
        }


def make(settings: Settings, spec: SampleSpec, units: int | None, progress: Progress) -> Made:
    """Write the files and load them; the same parameters again change nothing.

    Refuses (Conflict `not-empty`) when the database holds anything but this sample city.
    """

    def work() -> AbstractContextManager[Session]:
        return sessions.session(settings, "owner")

    with work() as session:
        _refuse_other_data(session, spec)
    written = sample.write(spec, settings.home / "sample", progress)
    made = Made(folder=str(written.manifest.parent))
    with work() as session:
        _profile(session, spec, written.name)
        sample.bind(session)
    for load in _loads_before_units(written, progress):
        with work() as session:
            made.reports.append(load(session))
    with work() as session:
        made.units = _units(session, spec, units, made, progress)
    for load in _loads_after_units(written, progress):
        with work() as session:
            made.reports.append(load(session))
    with work() as session:
        _plan(session, spec, made, progress)
    return made


Load = Callable[[Session], LoadReport]


def _loads_before_units(written: Written, progress: Progress) -> list[Load]:
    loads: list[Load] = []
    for file in written.ground_for("boundaries"):
        loads.append(partial(boundaries.load, path=file.path, level=file.name, progress=progress))
    for file in written.ground_for("network"):
        loads.append(partial(network.load, path=file.path, source="synthetic", progress=progress))
    for file in written.ground_for("facilities"):
        loads.append(partial(facilities.load, path=file.path, kind=file.name, progress=progress))
    return loads + _cases(written, progress, first=True)


def _loads_after_units(written: Written, progress: Progress) -> list[Load]:
    loads = _cases(written, progress, first=False)
    for file in written.ground_for("weights"):
        loads.append(partial(weights.load, path=file.path, column=file.name, progress=progress))
    return loads


def _cases(written: Written, progress: Progress, *, first: bool) -> list[Load]:
    """The workbook first: some tens of thousands of cases that show where the ground is in use."""
    chosen = [f for f in written.cases if (f.encoding == "xlsx") == first]
    return [
        partial(cases.load, path=file.path, source=file.source, crs=file.crs, progress=progress)
        for file in chosen
    ]


def _refuse_other_data(session: Session, spec: SampleSpec) -> None:
    city = session.get(City, 1)
    if city is not None and city.attributes.get("sample") == _key(spec):
        return
    held = session.execute(
        text("SELECT (SELECT count(*) FROM load_run) + (SELECT count(*) FROM source)")
    ).scalar_one()
    if city is None and not held:
        return
    what_zh = "另一座合成城市" if city is not None and city.synthetic else "其他数据"
    what_en = "another synthetic city" if city is not None and city.synthetic else "other data"
    raise Conflict(
        f"数据库里已有{what_zh}，合成城市不会与之混合。",
        f"The database already holds {what_en}; the sample does not mix with it.",
        code="not-empty",
        do_zh="请用 --data DIR 指定一个空的数据文件夹。",
        do_en="Name an empty data folder with --data DIR.",
    )


def _profile(session: Session, spec: SampleSpec, name: str) -> None:
    """The city row, marked synthetic from the first moment on."""
    city = session.get(City, 1)
    if city is None:
        city = City(id=1)
        session.add(city)
    elif city.attributes.get("sample") == _key(spec):
        return
    city.name, city.timezone, city.code_template = name, sample.TIMEZONE, "beijing-15"
    city.synthetic, city.attributes = True, {"sample": _key(spec)}
    session.flush()
    bump(session, "city")


def _key(spec: SampleSpec) -> dict[str, Any]:
    return {k: str(v) if k == "last_day" else v for k, v in asdict(spec).items()}


def _units(session: Session, spec: SampleSpec, wanted: int | None, made: Made, progress: Progress) -> int:
    """Cut the ground, unless it is cut already."""
    held = session.execute(text("SELECT count(*) FROM unit")).scalar_one()
    if held:
        return int(held)
    area = FULL_AREA_M2 * spec.scale**2
    target = 10_000.0 if wanted is None else max(500.0, 0.7 * area / wanted)
    report = ground.build(
        session, target_area_m2=target, empty_area_m2=EMPTY_TIMES * target, progress=progress
    )
    made.reports.append(report)
    return report.added


def _plan(session: Session, spec: SampleSpec, made: Made, progress: Progress) -> None:
    """Propose the first plan on households and let it hold from the first case on."""
    known = next((p for p in plans.listing(session) if p.name == PLAN_NAME), None)
    if known is None:
        plan = proposals.propose(
            session,
            name=PLAN_NAME,
            per_grid=HOUSEHOLDS_PER_GRID,
            weight="households",
            seed=spec.seed,
            progress=progress,
        ).plan_ids[0]
        plans.approve(session, plan, spec.first_day, "operator")
        known = next(p for p in plans.listing(session) if p.id == plan)
    made.grids, made.valid_from = known.grids, str(known.valid_from)
