"""From rows as delivered to rows that may be stored: one batch in, typed columns, rejects and notices out.

Every row of a batch is kept or rejected, never changed silently. Cleaning is vectorised: a check makes a mask, the first
problem of a row is its reject. Nothing here touches the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl import privacy
from etl.cleaning import positions, string_kernels, times
from etl.cleaning.attributes import as_json
from etl.cleaning.distinct import repeats_itself
from etl.cleaning.problems import NUL_SHOWN, SAME_CODE, reject
from etl.cleaning.strings import any_ends_with, text_buffers, trimmed
from etl.cleaning.times import DAY_US, NOT_A_TIME
from etl.cleaning.words import lookup, map_words
from etl.rejects import KEPT_REJECTS, Reject
from etl.sources import TIME_FIELDS, Layout, words
from etl.tables.table import RawBatch
from geo import crs as crs_
from geo.cases import ORIGIN, STATUS
from geo.exports.safety import STARTS

FLAG_CLOSED_DROPPED, FLAG_TIME_MOVED = 1, 2
LIMITS = {
    "id": 200,
    "category": 200,
    "subcategory": 200,
    "responsible_body": 200,
    "repeat_of": 200,
    "description": 20_000,
    "wkt": 1_000_000,
}
ATTRIBUTE_LIMIT = 4_000
UNKNOWN = -9


@dataclass(frozen=True)
class Rules:
    """How the batches of one file are cleaned: decided once, before the first row is kept."""

    layout: Layout
    zone: str
    now_us: int
    crs: str = "EPSG:4326"
    order_of: Callable[[str], str | None] = lambda name: (
        None
    )  # field → `day` or `month` for 03/04/2025, asked when met
    personal: frozenset[str] = frozenset()  # headers that are dropped
    decimal_comma: bool = False
    own: bool = False  # an export or reject list of ours: apostrophes before formulas are taken away again
    word: str = "line"  # what a row number counts: line, row, feature


@dataclass
class Seen:
    """What cleaning noticed in a batch without rejecting: code → row numbers."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    masked: dict[str, int] = field(default_factory=dict)
    personal: dict[str, int] = field(default_factory=dict)
    empty: int = 0

    def add(self, code: str, rows: NDArray[np.int64]) -> None:
        """Remember rows under a code."""
        if len(rows):
            self.rows.setdefault(code, []).extend(rows.tolist())


@dataclass
class Cleaned:
    """The kept rows of a batch, column by column; lon/lat NaN means unplaced; times in µs UTC."""

    rows: NDArray[np.int64]
    id: pa.StringArray
    opened: NDArray[np.int64]
    closed: NDArray[np.int64]
    due: NDArray[np.int64]
    dispatched: NDArray[np.int64]
    top: pa.StringArray
    sub: pa.StringArray
    status: NDArray[np.int16]
    origin: NDArray[np.int16]
    urgency: NDArray[np.int16]  # -1: none
    satisfied: NDArray[np.int16]  # -1: none
    flags: NDArray[np.int16]
    body: pa.StringArray
    repeat_of: pa.StringArray
    description: pa.StringArray
    attributes: pa.StringArray
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    rows_in: int = 0
    rejects: list[Reject] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)  # code → rows, all of them
    seen: Seen = field(default_factory=Seen)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, keep: NDArray[np.bool_]) -> Cleaned:
        """The same with only some of the kept rows."""
        mask = pa.array(keep)
        values: dict[str, Any] = {
            name: value[keep] if isinstance(value, np.ndarray) else value.filter(mask)
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray | pa.Array)
        }
        return replace(self, **values)


class _Batch:
    """A batch being cleaned: columns by field, and the first problem of every row."""

    def __init__(self, raw: RawBatch, rules: Rules) -> None:
        self.raw, self.rules, self.n = raw, rules, len(raw.rows)
        self.problems: list[tuple[str, str]] = []  # (problem, header), in the order they were met
        self.problem = np.full(self.n, -1, np.int32)  # of every row, its place in `problems`
        self.bad = np.zeros(self.n, np.bool_)
        self.seen = Seen()
        self._texts: dict[str, pa.StringArray] = {}

    def text(self, name: str) -> pa.StringArray:
        """A field's column, trimmed; all null when the file has none."""
        if name not in self._texts:
            header = self.rules.layout.columns.get(name)
            known = header is not None and header not in self.rules.personal
            column = self.header(header) if known and header else pa.nulls(self.n, pa.string())
            self._texts[name] = trimmed(column) if known and name != "description" else column
        return self._texts[name]

    def header(self, name: str) -> pa.StringArray:
        """A column by its header, as one array."""
        column = self.raw.table.column(name)
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def refuse(self, mask: NDArray[np.bool_], problem: str, name: str) -> None:
        """Give the rows of `mask` that are still fine a problem, in the column of field `name`."""
        if not mask.any():
            return
        new = mask & ~self.bad
        if new.any():
            self.bad |= new
            self.problem[new] = len(self.problems)
            self.problems.append((problem, self.rules.layout.columns.get(name, name)))


def clean(raw: RawBatch, rules: Rules) -> Cleaned:
    """Clean one batch of case rows by the rules of its file."""
    batch = _Batch(_without_empty_rows(_restored(raw) if rules.own else raw), rules)
    _check_cells(batch)
    _check_texts(batch)
    ids = batch.text("id")
    batch.refuse(np.asarray(ids.is_null()), "id-missing", "id")
    instants, flags = _times(batch)
    lon, lat = _positions(batch)
    status = _status(batch, instants["closed_kept"])
    origin = _coded(batch, "origin", ORIGIN, ORIGIN["unknown"], ORIGIN["other"])
    satisfied = _coded(batch, "satisfied", {"yes": 1, "no": 0, "none": -1}, -1, -1)
    urgency = _coded(batch, "urgency", {str(i): i for i in range(1, 5)}, -1, -1)
    description = _masked(batch, "description", batch.text("description"))
    attributes = _attributes(batch)
    found = Cleaned(
        batch.raw.rows,
        _plain_ids(ids),
        instants["opened_at"],
        instants["closed_at"],
        instants["due_at"],
        instants["dispatched_at"],
        batch.text("category"),
        batch.text("subcategory"),
        status,
        origin,
        urgency,
        satisfied,
        flags,
        batch.text("responsible_body"),
        batch.text("repeat_of"),
        description,
        attributes,
        lon,
        lat,
    )
    return _divide(batch, found, raw)


def _restored(raw: RawBatch) -> RawBatch:
    """Our own file as it was before export: no `reject_…` columns, no apostrophes in front of formulas."""
    table = raw.table.select([name for name in raw.table.column_names if not name.startswith("reject_")])
    columns = [pc.replace_substring_regex(c, f"^'((?:'*)[{STARTS}])", r"\1") for c in table.columns]
    return replace(raw, table=pa.table(columns, names=table.column_names))


def _without_empty_rows(raw: RawBatch) -> RawBatch:
    """Rows of which every field is empty are no rows (spreadsheets export them by the thousand)."""
    first = raw.table.columns[0] if raw.table.num_columns else None
    if first is None or not first.null_count:
        return raw
    empty = np.asarray(first.is_null())
    for column in raw.table.columns[1:]:
        empty &= np.asarray(column.is_null())
        if not empty.any():
            return raw
    if raw.x is not None:
        return raw
    return RawBatch(raw.table.filter(pa.array(~empty)), raw.rows[~empty], raw.rejects, odd=raw.odd)


# ── Texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_texts(batch: _Batch) -> None:
    """Length limits and control characters in every column that is kept."""
    fields = {header: name for name, header in batch.rules.layout.columns.items()}
    for header in batch.raw.table.column_names:
        if header in batch.rules.personal:
            continue
        column = batch.header(header)
        name = fields.get(header, header)
        offsets, data = text_buffers(column)
        limit = LIMITS.get(name, ATTRIBUTE_LIMIT)
        if string_kernels.longest(offsets) > limit:
            long = pc.fill_null(pc.greater(pc.utf8_length(column), limit), False)
            batch.refuse(np.asarray(long), "field-too-long", name)
        used = data[offsets[0] : offsets[-1]] if len(offsets) else data
        if string_kernels.has_control(used):
            held = pc.fill_null(pc.match_substring_regex(column, "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f]"), False)
            batch.refuse(np.asarray(held), "control-character", name)


def _check_cells(batch: _Batch) -> None:
    """Single cells that the reader found odd: formulas without a value anywhere, identifiers that lost digits."""
    for number, header, problem in batch.raw.odd:
        name = batch.rules.layout.field_of(header)
        if name is not None and (problem != "id-precision" or name in ("id", "repeat_of")):
            batch.refuse(batch.raw.rows == number, problem, name)


def _plain_ids(ids: pa.StringArray) -> pa.StringArray:
    """`101.0` of a spreadsheet or a float column is `101`."""
    if not any_ends_with(ids, b".0"):
        return ids
    floats = pc.fill_null(pc.match_substring_regex(ids, r"^[0-9]+\.0$"), False)
    if not pc.any(floats).as_py():
        return ids
    return pc.if_else(floats, pc.replace_substring_regex(ids, r"\.0$", ""), ids)


def _masked(batch: _Batch, header: str, column: pa.StringArray) -> pa.StringArray:
    if column.null_count == len(column):
        return column
    if repeats_itself(column) and not privacy.mask_column(pc.unique(column).drop_null()).rows:
        return column
    found = privacy.mask_column(column)
    if found.rows:
        batch.seen.add(
            f"personal-data:{batch.rules.layout.columns.get(header, header)}", batch.raw.rows[found.rows]
        )
        for kind, count in found.kinds.items():
            batch.seen.masked[kind] = batch.seen.masked.get(kind, 0) + count
    return found.column


def _attributes(batch: _Batch) -> pa.StringArray:
    """Unknown columns as JSON, masked; personal ones are counted and left behind."""
    used = set(batch.rules.layout.columns.values())
    kept: dict[str, pa.StringArray] = {}
    for header in batch.raw.table.column_names:
        column = batch.header(header)
        if header in batch.rules.personal:
            batch.seen.personal[header] = batch.seen.personal.get(header, 0) + len(column) - column.null_count
        elif header not in used and header and column.null_count < len(column):
            kept[header] = _masked(batch, header, trimmed(column))
    return as_json(kept, batch.n)


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table_of(batch: _Batch, name: str) -> Mapping[str, str]:
    return {**words()[name], **batch.rules.layout.words.get(name, {})}


def _coded(
    batch: _Batch, name: str, codes: Mapping[str, int], missing: int, unknown: int
) -> NDArray[np.int16]:
    """A word column as small numbers; unknown words are collected and become `unknown`."""
    if batch.text(name).null_count == batch.n:
        return np.full(batch.n, missing, np.int16)
    found = map_words(batch.text(name), lookup(_table_of(batch, name), codes, UNKNOWN), missing)
    strange = found == UNKNOWN
    if strange.any():
        strange &= ~np.asarray(batch.text(name).is_null())
    if strange.any():
        batch.seen.add(f"word-unknown:{name}", batch.raw.rows[strange])
        values = pc.unique(batch.text(name).filter(pa.array(strange))).to_pylist()
        batch.seen.words.setdefault(name, set()).update(privacy.mask(v)[0][:80] for v in values[:100])
        found[strange] = unknown
    return found


def _status(batch: _Batch, closed: NDArray[np.int64]) -> NDArray[np.int16]:
    """The source's word; where there is none or it is unknown: closed when a closed time is there."""
    by_time = np.where(closed != NOT_A_TIME, STATUS["closed"], STATUS["open"])
    found = _coded(batch, "status", STATUS, UNKNOWN, UNKNOWN)
    return np.where(found == UNKNOWN, by_time, found).astype(np.int16)


# ── Times ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _times(batch: _Batch) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int16]]:
    found: dict[str, NDArray[np.int64]] = {}
    flags = np.zeros(batch.n, np.int16)
    for name in TIME_FIELDS:
        column = batch.text(name)
        if column.null_count == len(column):
            found[name] = np.full(batch.n, NOT_A_TIME, np.int64)
            continue
        rules, formats = batch.rules, tuple(batch.rules.layout.formats.get(name, ()))
        parsed = times.parse(column, rules.zone, formats)
        if (parsed.problem == times.AMBIGUOUS).any():
            parsed = times.parse(column, rules.zone, formats, rules.order_of(name))
        batch.refuse(parsed.problem == times.INVALID, "date-invalid", name)
        batch.refuse(parsed.problem == times.AMBIGUOUS, "date-ambiguous", name)
        if name != "due_at":
            batch.refuse(parsed.us > rules.now_us + DAY_US, "date-future", name)
        flags[parsed.moved] |= FLAG_TIME_MOVED
        batch.seen.add(f"time-nonexistent:{name}", batch.raw.rows[parsed.moved])
        batch.seen.add(f"time-ambiguous:{name}", batch.raw.rows[parsed.twice])
        found[name] = parsed.us
    batch.refuse((found["opened_at"] == NOT_A_TIME) & ~batch.bad, "opened-missing", "opened_at")
    early = (found["closed_at"] != NOT_A_TIME) & (found["closed_at"] < found["opened_at"])
    flags[early] |= FLAG_CLOSED_DROPPED
    batch.seen.add("date-order", batch.raw.rows[early & ~batch.bad])
    found["closed_kept"] = found["closed_at"]
    found["closed_at"] = np.where(early, NOT_A_TIME, found["closed_at"])
    return found, flags


# ── Places ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _positions(batch: _Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude (EPSG:4326) of every row, NaN where unplaced."""
    columns, comma = batch.rules.layout.columns, batch.rules.decimal_comma
    if batch.raw.x is not None and batch.raw.y is not None:
        zeros = np.zeros(batch.n, np.uint8)
        x, y = positions.Numbers(batch.raw.x, zeros.copy()), positions.Numbers(batch.raw.y, zeros)
        names = ("geometry", "geometry")
    elif "wkt" in columns and not ("lon" in columns and "lat" in columns):
        x, y, wrong = positions.from_wkt(batch.text("wkt"))
        batch.refuse(wrong, "geometry-type", "wkt")
        names = ("wkt", "wkt")
    else:
        names = ("lon", "lat") if "lon" in columns else ("x", "y")
        degrees = names[0] == "lon"
        x = positions.numbers(batch.text(names[0]), degrees=degrees, decimal_comma=comma)
        y = positions.numbers(batch.text(names[1]), degrees=degrees, decimal_comma=comma)
    missing = _locate(batch, x, y, names)
    lon, lat = np.where(missing, np.nan, x.values), np.where(missing, np.nan, y.values)
    batch.seen.add("unplaced", batch.raw.rows[missing & ~batch.bad])
    return lon, lat


def _locate(
    batch: _Batch, x: positions.Numbers, y: positions.Numbers, names: tuple[str, str]
) -> NDArray[np.bool_]:
    """Checks the numbers, turns them into EPSG:4326 in place, and returns the unplaced rows."""
    crs = batch.rules.crs
    if crs in ("EPSG:4326", "EPSG:4490", *crs_.SHIFTED):
        missing = positions.check_degrees(x, y)
        _refuse_numbers(batch, x, y, names)
        if crs in crs_.SHIFTED:
            x.values, y.values = _transform(x.values, y.values, crs)
        return missing
    with np.errstate(invalid="ignore"):
        zero = (x.values == 0) & (y.values == 0)
    missing = positions.unplaced(x, y, zero)
    lon, lat = _transform(np.where(missing, np.nan, x.values), np.where(missing, np.nan, y.values), crs)
    with np.errstate(invalid="ignore"):
        lost = ~missing & (x.problem == 0) & (y.problem == 0)
        lost &= ~(np.isfinite(lon) & np.isfinite(lat)) | (np.abs(lon) > 180) | (np.abs(lat) > 90)
    _refuse_numbers(batch, x, y, names)
    batch.refuse(lost, "coordinate-crs", names[0])
    x.values, y.values = lon, lat
    return missing


def _refuse_numbers(
    batch: _Batch, x: positions.Numbers, y: positions.Numbers, names: tuple[str, str]
) -> None:
    for problem, code in (
        (positions.FORMAT, "number-format"),
        (positions.NOT_FINITE, "coordinate-not-finite"),
        (positions.SWAPPED, "coordinate-swapped"),
        (positions.RANGE, "coordinate-range"),
    ):
        batch.refuse(x.problem == problem, code, names[0])
        batch.refuse(y.problem == problem, code, names[1])


def _transform(
    x: NDArray[np.float64], y: NDArray[np.float64], crs: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """EPSG:4326 of the rows that have both numbers; NaN elsewhere."""
    known = ~(np.isnan(x) | np.isnan(y))
    lon, lat = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if known.any():
        lon[known], lat[known] = crs_.to_wgs84(x[known], y[known], crs)
    return lon, lat


# ── Kept and rejected ───────────────────────────────────────────────────────────────────────────────────────────────


def _divide(batch: _Batch, found: Cleaned, delivered: RawBatch) -> Cleaned:
    """Kept rows, and a reject for every other one (at most KEPT_REJECTS with words, all of them counted)."""
    kept = found if not batch.bad.any() else found.take(~batch.bad)
    kept.seen = batch.seen
    kept.rows_in = batch.n + len(delivered.rejects)
    kept.seen.empty = len(delivered.rows) - batch.n
    for item in delivered.rejects:
        kept.rejected[item.code] = kept.rejected.get(item.code, 0) + 1
    kept.rejects = delivered.rejects[:KEPT_REJECTS]
    rows = np.flatnonzero(batch.bad)
    made = [_reject(batch, int(row)) for row in rows[:KEPT_REJECTS]]
    counts = np.bincount(batch.problem[rows], minlength=len(batch.problems))
    for (problem, _), count in zip(batch.problems, counts.tolist(), strict=True):
        code = SAME_CODE.get(problem, problem)
        kept.rejected[code] = kept.rejected.get(code, 0) + count
    kept.rejects = sorted([*kept.rejects, *made], key=lambda r: r.row)
    return kept


def _reject(batch: _Batch, row: int) -> Reject:
    problem, header = batch.problems[batch.problem[row]]
    field_name = batch.rules.layout.field_of(header) or header
    known = header in batch.raw.table.column_names
    value = batch.raw.table.column(header)[row].as_py() if known else None
    allowed = LIMITS.get(field_name, ATTRIBUTE_LIMIT)
    return reject(
        int(batch.raw.rows[row]),
        problem,
        column=header,
        value=None if value is None else privacy.mask(value[:200])[0],
        original=original(batch.raw.table, row, batch.rules.personal),
        allowed=allowed,
    )


def original(table: pa.Table, row: int, personal: frozenset[str]) -> dict[str, str | None]:
    """The row as delivered, without personal columns, texts masked and cut: to be corrected and loaded again."""
    found: dict[str, str | None] = {}
    for header in table.column_names:
        if header not in personal:
            value = table.column(header)[row].as_py()
            found[header] = (
                None if value is None else privacy.mask(value[:2000])[0].replace("\x00", NUL_SHOWN)
            )
    return found


def now_us(now: dt.datetime | None = None) -> int:
    """Microseconds since 1970 of a moment, by default this one."""
    moment = now or dt.datetime.now(dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
