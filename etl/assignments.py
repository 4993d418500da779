"""A table that says which unit belongs to which grid: every row counts as one assignment, a duplicate or a reject.

Columns are found by name, Chinese or English: unit code, grid code, and where there are any grid name, posts and lock. A
row with an empty grid leaves its unit open. A unit that was cut since stands for all its parts, unless they have rows of
their own. Our own export reads back as the same plan.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from etl.rejects import LoadReport, Reject, store
from etl.sources import normal
from etl.tables import open_table, sha256
from geo.db.clock import city_today
from geo.errors import RefusedFile
from geo.exports.safety import restore

COLUMNS: dict[str, tuple[str, ...]] = {
    "unit": ("unit", "unit_code", "unit_id", "单元", "单元编码", "单元网格", "单元网格编码", "单元代码", "block", "block_code"),
    "grid": ("grid", "grid_code", "grid_id", "网格", "网格编码", "网格代码", "网格编号", "所属网格", "综合网格", "综合网格编码"),
    "name": ("grid_name", "网格名称", "网格名", "综合网格名称"),
    "posts": ("posts", "grid_posts", "岗位数", "岗位", "岗数"),
    "locked": ("locked", "grid_locked", "锁定"),
}  # fmt: skip
YES = frozenset({"1", "true", "yes", "t", "y", "是", "锁定"})
MOST_CHARACTERS = 80


@dataclass
class Assignments:
    """What a table says: `grid_of` unit code → grid code (None: left open), and what it says of grids by code."""

    report: LoadReport
    grid_of: dict[str, str | None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    posts: dict[str, float] = field(default_factory=dict)
    locked: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    number: int
    unit: str
    grid: str | None
    original: dict[str, str | None]


def is_table(path: Path) -> bool:
    """Whether a file is read as a table of assignments and not as a layer of polygons, by its name."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods"))


def read(
    session: Session, path: Path, *, name: str, unit_field: str | None = None, code_field: str | None = None,
    name_field: str | None = None, encoding: str | None = None,
) -> Assignments:  # fmt: skip
    """All assignments of a file and the report of its load run (not stored yet: see `keep`).

    Raises RefusedFile `column-missing` when there is no column of units or of grids.
    """
    started = dt.datetime.now(dt.UTC)
    table = open_table(path, encoding=encoding)
    columns = _columns(table.header, {"unit": unit_field, "grid": code_field, "name": name_field})
    report = LoadReport("plan", name, path.name, sha256(path), started)
    report.encoding, report.layout = table.encoding, dict(columns)
    report.details |= {"driver": table.driver, "row_word": table.word}
    found = Assignments(report)
    units = _units(session)
    rows: dict[str, list[_Row]] = {}
    for batch in table.batches():
        report.rows_in += len(batch.rows) + len(batch.rejects)
        for reject in batch.rejects:
            report.reject(reject)
        texts = {header: batch.table.column(header).to_pylist() for header in table.header}
        for i, number in enumerate(batch.rows.tolist()):
            original = {header: values[i] for header, values in texts.items()}
            row = _row(found, columns, int(number), original, units)
            if row is not None:
                rows.setdefault(row.unit, []).append(row)
    _settle(found, rows, units, columns["unit"])
    return found


def keep(session: Session, found: Assignments) -> int:
    """Stores the load run with its rejects; returns its id."""
    return store(session, found.report)


def _columns(header: list[str], asked: dict[str, str | None]) -> dict[str, str]:
    """Which column is what: as asked, else by name."""
    found: dict[str, str] = {}
    for what, names in COLUMNS.items():
        wish = asked.get(what)
        known = {normal(wish)} if wish else {normal(n) for n in names}
        match = next((h for h in header if normal(h) in known), None)
        if match is not None:
            found[what] = match
        elif wish or what in ("unit", "grid"):
            raise _missing(what, wish, header)
    return found


def _missing(what: str, wish: str | None, header: list[str]) -> RefusedFile:
    zh, en = {"unit": ("单元编码", "unit codes"), "grid": ("网格编码", "grid codes")}.get(
        what, ("网格名称", "grid names")
    )
    shown = ", ".join(header[:40])
    return RefusedFile(
        f"没有{zh}列{f'“{wish}”' if wish else ''}。文件里的列：{shown}。",
        f"There is no column of {en}{f' {wish!r}' if wish else ''}. The file has: {shown}.",
        code="column-missing", field={"unit": "unit-field", "grid": "code-field"}.get(what, "name-field"),
        do_zh=f"列名如 {'、'.join(COLUMNS[what][:4])}；或用 --unit-field、--code-field 指定。",
        do_en=f"Known names: {', '.join(COLUMNS[what][:4])}; or name them with --unit-field, --code-field.",
    )  # fmt: skip


def _units(session: Session) -> dict[str, list[str]]:
    """The leaves that each unit stands for: itself, or the parts it was cut into."""
    rows = session.execute(
        text(
            "WITH RECURSIVE up AS (SELECT id AS leaf, code AS leaf_code, id, code, parent_id FROM unit u WHERE NOT EXISTS "
            "(SELECT 1 FROM unit k WHERE k.parent_id = u.id) AND (upper_inf(during) OR upper(during) > :today) "
            "UNION ALL SELECT up.leaf, up.leaf_code, p.id, p.code, p.parent_id FROM up JOIN unit p ON p.id = up.parent_id) "
            "SELECT code, array_agg(leaf_code ORDER BY leaf_code) AS leaves FROM up GROUP BY code"
        ),
        {"today": city_today(session)},
    )
    return {row.code: row.leaves for row in rows}


def _row(
    found: Assignments,
    columns: dict[str, str],
    number: int,
    original: dict[str, str | None],
    units: dict[str, list[str]],
) -> _Row | None:
    """One row as an assignment; None when it was rejected."""

    def cell(what: str) -> str | None:
        value = original.get(columns[what]) if what in columns else None
        value = restore(value.strip()) if value is not None else ""
        return value or None

    unit, grid = cell("unit"), cell("grid")
    if unit is None:
        _rejected(found, number, columns["unit"], None, "unit-missing", original)
        return None
    if unit not in units:
        _rejected(found, number, columns["unit"], unit, "unit-unknown", original)
        return None
    if grid is not None and (len(grid) > MOST_CHARACTERS or not grid.isprintable()):
        _rejected(found, number, columns["grid"], grid, "grid-code", original)
        return None
    posts = cell("posts")
    if grid is not None and posts is not None:
        value = _number(posts)
        if value is None:
            _rejected(found, number, columns["posts"], posts, "posts-invalid", original)
            return None
        found.posts.setdefault(grid, value)
    if grid is not None:
        name = cell("name")
        if (
            name is not None
            and found.names.setdefault(grid, name[:MOST_CHARACTERS]) != name[:MOST_CHARACTERS]
        ):
            zh, en = "同一网格有不同名称，采用第一个", "a grid has several names; the first is taken"
            found.report.notice("grid-names-differ", zh, en, [number])
        if (locked := cell("locked")) is not None:
            found.locked.setdefault(grid, locked.lower() in YES)
    return _Row(number, unit, grid, original)


def _number(written: str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return value if 0 < value < 1e6 else None


WHY = {
    "unit-missing": ("没有单元编码", "there is no unit code", "补上编码", "fill it in"),
    "unit-unknown": (
        "没有这个单元", "there is no such unit", "对照导出的单元编码改正", "compare with the codes of exported units",
    ),
    "grid-code": (
        "网格编码过长或含不可见字符", "the grid code is too long or holds invisible characters", "改为 1–80 个可见字符",
        "use 1 to 80 visible characters",
    ),
    "posts-invalid": ("岗位数不是正数", "posts is no positive number", "改为正数或留空", "give a positive number or none"),
    "row-conflict": (
        "同一单元分给了不同网格", "the unit is given to different grids", "只保留正确的一行", "keep the right row",
    ),
}  # fmt: skip


def _rejected(
    found: Assignments,
    number: int,
    column: str,
    value: str | None,
    code: str,
    original: dict[str, str | None],
) -> None:
    why_zh, why_en, do_zh, do_en = WHY[code]
    found.report.reject(Reject(number, code, why_zh, why_en, column, value, do_zh, do_en, dict(original)))


def _settle(
    found: Assignments, rows: dict[str, list[_Row]], units: dict[str, list[str]], column: str
) -> None:
    """One word per unit: equal rows count once, rows that differ are all rejected; then units stand for their parts."""
    kept: dict[str, str | None] = {}
    for unit, same in rows.items():
        if len({row.grid for row in same}) > 1:
            for row in same:
                _rejected(found, row.number, column, unit, "row-conflict", row.original)
            continue
        kept[unit] = same[0].grid
        found.report.added += 1
        if len(same) > 1:
            found.report.duplicate += len(same) - 1
            zh, en = "重复的行（内容相同），只保留第一行", "repeated rows (equal content); the first is kept"
            found.report.notice("row-duplicate", zh, en, [row.number for row in same[1:]])
    for unit in sorted(kept, key=lambda u: -len(units[u])):  # a cut unit first, its parts' own rows after it
        for leaf in units[unit]:
            found.grid_of[leaf] = kept[unit]
