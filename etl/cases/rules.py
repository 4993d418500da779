"""What is decided about a file before its first row is kept: layout, clock, CRS, day or month first, personal columns."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import privacy
from etl.cases.batch import Rules
from etl.cleaning import times
from etl.cleaning.strings import trimmed
from etl.sources import Layout, check_timezone, detect, need
from etl.tables.table import Table
from geo import crs as crs_
from geo.errors import RefusedArgument, RefusedFile

DEFAULT_ZONE = "Asia/Shanghai"


def settle(
    session: Session, table: Table, source: str, *, map_file: Path | None, crs: str, now: int
) -> Rules:
    """The rules of a file; refuses one that lacks what a case needs."""
    layout = detect(table.header, map_file=map_file)
    need(layout, table.header, has_geometry=table.has_geometry)
    layout = _one_position(layout, table)
    return Rules(
        layout,
        zone_of(session, source, layout),
        now,
        choose_crs(layout, table, crs),
        OrderOf(table, layout),
        personal_columns(table, layout),
        decimal_comma=table.delimiter in (";", "\t"),
        own=own_file(table.header),
        word=table.word,
    )


def zone_of(session: Session, source: str, layout: Layout) -> str:
    """The clock of a source: its layout's, what the database knows of it, the city's, China's."""
    if layout.timezone:
        return layout.timezone
    known = session.scalar(text("SELECT timezone FROM source WHERE name = :name"), {"name": source})
    city = known or session.scalar(text("SELECT timezone FROM city WHERE id = 1"))
    return check_timezone(str(city or DEFAULT_ZONE))


def choose_crs(layout: Layout, table: Table, wish: str) -> str:
    """The CRS of the positions: `--crs`, the layout's, the file's, or EPSG:4326 for longitude and latitude."""
    named = wish if wish != "auto" else layout.crs or table.crs
    if named is not None:
        if named.lower() in crs_.SHIFTED:
            return named.lower()
        found = crs_.canonical(named)
        if found is None:
            raise RefusedArgument(f"没有坐标系 {named}。", f"There is no CRS {named}.", field="crs")
        return found
    if "lon" in layout.columns or table.has_geometry or "wkt" in layout.columns:
        return crs_.WGS84
    raise RefusedFile(
        f"只有平面坐标 {layout.columns['x']}、{layout.columns['y']}，没有坐标系。",
        f"Only projected coordinates {layout.columns['x']}, {layout.columns['y']} and no CRS.",
        code="crs-missing",
        field="crs",
        do_zh="用 --crs EPSG:n 指定。",
        do_en="Name it with --crs EPSG:n.",
    )


def personal_columns(table: Table, layout: Layout) -> frozenset[str]:
    """Headers that are personal by name, or by what the first batch holds; columns chosen for a field by name only
    where the field may be dropped."""
    used = {header: name for name, header in layout.columns.items()}
    found = {header for header in table.header if header not in used and privacy.personal_by_name(header)}
    found |= {
        h
        for h, name in used.items()
        if name in ("responsible_body", "description") and privacy.personal_by_name(h)
    }
    for batch in islice(table.batches(), 1):
        for header in table.header:
            if header in found or used.get(header) not in (
                None,
                "responsible_body",
                "repeat_of",
                "category",
                "subcategory",
            ):
                continue
            if privacy.personal_by_content(batch.table.column(header).combine_chunks()):
                found.add(header)
    return frozenset(found)


def _one_position(layout: Layout, table: Table) -> Layout:
    """Longitude and latitude win over x and y; what is not used stays an ordinary column."""
    columns = dict(layout.columns)
    if table.has_geometry or ("lon" in columns and "lat" in columns):
        drop = {"x", "y", "wkt"} | ({"lon", "lat"} if table.has_geometry else set())
    elif "wkt" in columns:
        drop = {"x", "y", "lon", "lat"}
    else:
        drop = {"lon", "lat"}
    kept = {name: header for name, header in columns.items() if name not in drop}
    return Layout(
        layout.name,
        kept,
        layout.reason_zh,
        layout.reason_en,
        layout.timezone,
        layout.crs,
        layout.formats,
        layout.words,
    )


def own_file(header: list[str]) -> bool:
    """Whether the headers are those of our own reject list or case export.

    >>> own_file(["编号", "reject_code"]), own_file(["id", "lon"])
    (True, False)
    """
    return "reject_code" in header or {"source_case_id", "opened_at"} <= set(header)


class OrderOf:
    """Day or month first in a time field, decided from its whole column: read once, when the first doubt is met."""

    def __init__(self, table: Table, layout: Layout) -> None:
        self._table, self._layout = table, layout
        self._known: dict[str, str | None] = {}

    def __call__(self, name: str) -> str | None:
        """`day`, `month`, or None where no value decides it, or some decide it one way and some the other.

        A later time of the same file follows the opened time where its own column is silent.
        """
        if name not in self._known:
            header, seen = self._layout.columns[name], times.Order()
            for batch in self._table.batches():
                found = times.parse(trimmed(batch.table.column(header).combine_chunks()), "UTC").order
                seen.day_first += found.day_first
                seen.month_first += found.month_first
            silent = not seen.day_first and not seen.month_first
            self._known[name] = self("opened_at") if silent and name != "opened_at" else seen.decided
        return self._known[name]
