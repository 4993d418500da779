"""`wangge load weights`: households, people … per unit, from values by code, point or polygon."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl.drawn import shapes
from etl.locks import wait_for
from etl.rejects import LoadReport, Reject, reserve_run_id, store
from etl.tables import sha256
from etl.weights import rows as files
from etl.weights.rows import Rows
from etl.weights.spread import Shares, by_member, by_polygon
from etl.weights.targets import Target, Units, targets, units
from geo import crs as coordinates
from geo.attribution import place, unit_index
from geo.db.session import raw
from geo.db.versions import bump
from geo.errors import RefusedArgument, RefusedFile
from geo.progress import Progress, silent

NAME = re.compile(r"[\w一-鿿][\w一-鿿 .-]{0,39}")
TAKEN = frozenset({"cases", "workload", "area"})  # weights that are counted, not loaded
DENIED = ("姓名", "身份证", "电话", "手机", "name", "phone", "id_card", "person_id")


def load(
    session: Session,
    path: Path,
    *,
    column: str,
    value_field: str | None = None,
    code_field: str | None = None,
    crs: str = "auto",
    layer: str | None = None,
    encoding: str | None = None,
    dry_run: bool = False,
    who: str = "operator",
    progress: Progress = silent,
) -> LoadReport:
    """Loads one weight column; what was loaded under that name before is replaced. Flushes, never commits.

    Rows by code (of a unit or of an area of any level) and by polygon are shared out to units by area, built-up
    units first; rows by point are summed. The total of the loaded rows is kept. Unmatched rows are rejects.
    """
    _check_name(column)
    started = dt.datetime.now(dt.UTC)
    wait_for(session, "weights", column)
    ground = units(session)
    progress("read", 0, None)
    rows = files.read(path, column, value_field=value_field, crs=crs, layer=layer, encoding=encoding)
    report = LoadReport("weights", column, path.name, sha256(path), started)
    report.who = who
    report.rows_in, report.crs, report.encoding = rows.rows_in, rows.crs, rows.encoding
    report.personal_columns = rows.personal
    for reject in rows.rejects:
        report.reject(reject)
    report.drawn = None if rows.shapes is None else shapes(rows.shapes)
    progress("share", 0, len(rows.numbers))
    shares = _shares(session, rows, ground, code_field, report)
    value = shares.total(rows.values, len(ground.ids))
    placed = len(np.unique(shares.row))
    report.details |= {
        "total": float(rows.values[np.unique(shares.row)].sum()),
        "stored_total": float(value.sum()),
        "units": int((value > 0).sum()),
    }
    if dry_run:
        report.added = placed
        report.check()
        return report
    _write(session, report, column, ground, value, placed)
    progress("share", len(rows.numbers), len(rows.numbers))
    return report


def _shares(
    session: Session, rows: Rows, ground: Units, code_field: str | None, report: LoadReport
) -> Shares:
    """How every row is shared out, rejecting those that fall on no unit; a row given twice is a duplicate."""
    if rows.shapes is not None and code_field is None:
        shares = _by_shape(session, rows, ground)
        report.layout = {"value": rows.value_column, "place": "geometry"}
        _reject_lost(rows, shares, report, None)
        return shares
    target, name = _code_column(rows, targets(session, ground), code_field)
    report.layout = {"value": rows.value_column, "code": name, "level": target.level}
    shares, repeated = _by_code(rows, target, rows.texts[name], ground, report)
    _reject_lost(rows, shares, report, name, repeated)
    return shares


def _by_shape(session: Session, rows: Rows, ground: Units) -> Shares:
    shapes = rows.shapes
    assert shapes is not None
    point = np.array([s is not None and s.geom_type == "Point" for s in shapes], bool)
    surface = np.array([s is not None and s.geom_type.endswith("Polygon") for s in shapes], bool)
    at = np.flatnonzero(point)
    where = place(shapely.get_x(shapes[at]), shapely.get_y(shapes[at]), unit_index(session))
    number = np.searchsorted(ground.ids, np.maximum(where, 0))
    inside = where >= 0
    on = np.flatnonzero(surface)
    spread = by_polygon(
        coordinates.project(shapes[on], ground.measuring_crs),
        coordinates.project(ground.geometry, ground.measuring_crs),
        ground.built_up,
    )
    return Shares(
        np.concatenate([at[inside], on[spread.row]]).astype(np.int64),
        np.concatenate([number[inside], spread.unit]).astype(np.int64),
        np.concatenate([np.ones(int(inside.sum())), spread.share]),
    )


def _code_column(rows: Rows, known: list[Target], asked: str | None) -> tuple[Target, str]:
    """The column and the level whose codes match most rows."""
    names = [asked] if asked is not None else [n for n in rows.texts if n != rows.value_column]
    best: tuple[int, Target, str] | None = None
    for name in names:
        if name not in rows.texts:
            raise RefusedArgument(
                f"没有列“{name}”。", f"There is no column {name!r}.", code="code-column", field="code-field"
            )
        for target in known:
            hits = sum(v in target.members for v in rows.texts[name])
            if hits and (best is None or hits > best[0]):
                best = (hits, target, name)
    if best is None:
        levels = "、".join(t.level for t in known), ", ".join(t.level for t in known)
        raise RefusedFile(
            f"没有一列与单元或边界的编码相符（{levels[0]}），也没有坐标。",
            f"No column holds codes of units or boundaries ({levels[1]}), and there are no coordinates.",
            code="code-column",
            field="code-field",
            do_zh="请检查编码列，或用 --code-field 指定。",
            do_en="Check the codes, or choose the column with --code-field.",
        )
    return best[1], best[2]


def _by_code(
    rows: Rows, target: Target, codes: list[str | None], ground: Units, report: LoadReport
) -> tuple[Shares, set[int]]:
    """Shares of rows by code, and the rows that said a code a second time."""
    first: dict[str, int] = {}
    repeated: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for i, code in enumerate(codes):
        members = target.members.get(code) if code is not None else None
        if code is None or members is None:
            continue
        j = first.setdefault(code, i)
        if j != i:
            repeated.add(i)
            if rows.values[i] == rows.values[j]:
                report.duplicate += 1
            else:
                report.reject(_conflict(rows, i, j, code))
            continue
        pairs += [(i, int(u)) for u in members]
    row, unit = np.array(pairs, np.int64).reshape(-1, 2).T
    return by_member(row, unit, ground.area_m2[unit], ground.built_up), repeated


def _reject_lost(
    rows: Rows, shares: Shares, report: LoadReport, column: str | None, repeated: set[int] | None = None
) -> None:
    lost = set(range(len(rows.numbers))) - set(shares.row.tolist()) - (repeated or set())
    for i in sorted(lost):
        by_code = column is not None
        report.reject(
            Reject(
                rows.numbers[i],
                "code-unknown" if by_code else "outside-units",
                "编码不是任何单元或区域的编码，或该区域没有单元"
                if by_code
                else "没有可用位置，或不在任何单元内",
                "no unit or area with units has this code" if by_code else "no usable place, or in no unit",
                column=column,
                value=rows.texts[column][i] if column is not None else None,
                do_zh="改正后重新装载",
                do_en="correct it and load again",
                original={name: values[i] for name, values in rows.texts.items()},
            )
        )


def _conflict(rows: Rows, i: int, j: int, code: str) -> Reject:
    return Reject(
        rows.numbers[i],
        "row-conflict",
        f"编码 {code} 在第 {rows.numbers[j]} 行已有不同的数值",
        f"code {code} has another value in row {rows.numbers[j]}",
        value=code,
        do_zh="只保留正确的一行",
        do_en="keep the right one",
        original={name: values[i] for name, values in rows.texts.items()},
    )


def _write(
    session: Session, report: LoadReport, column: str, ground: Units, value: NDArray[np.float64], placed: int
) -> None:
    """Replaces the column when anything differs; says added (new), updated or unchanged."""
    before = session.execute(
        text('SELECT unit_id, value FROM weight WHERE "column" = :c ORDER BY unit_id'), {"c": column}
    ).all()
    same = [(r.unit_id, r.value) for r in before] == list(
        zip(ground.ids.tolist(), value.tolist(), strict=True)
    )
    if same:
        report.unchanged = placed
    elif before:
        report.updated = placed
    else:
        report.added = placed
    report.run_id = reserve_run_id(session)
    store(session, report)
    if same:
        return
    session.execute(text('DELETE FROM weight WHERE "column" = :c'), {"c": column})
    with (
        raw(session).cursor() as cursor,
        cursor.copy('COPY weight ("column", unit_id, value, load_run_id) FROM STDIN') as copy,
    ):
        for unit, number in zip(ground.ids.tolist(), value.tolist(), strict=True):
            copy.write_row((column, unit, number, report.run_id))
    bump(session, "weights")


def _check_name(column: str) -> None:
    if not NAME.fullmatch(column) or column in TAKEN or any(word in column.lower() for word in DENIED):
        raise RefusedArgument(
            f"权重名“{column[:40]}”不可用。",
            f"{column[:40]!r} cannot be a weight's name.",
            code="weight-name",
            field="column",
            do_zh="请用 1–40 个字的名称，如 households、人口；不能是 cases、workload、area，也不能涉及个人。",
            do_en="Use 1 to 40 characters such as households; not cases, workload or area, and nothing about persons.",
        )
