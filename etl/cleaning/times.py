"""Instants from text, a whole column at a time.

Strings are grouped by *shape* (every digit replaced by 9); one regular expression reads each distinct shape and a
compiled loop, or numpy, all strings of that shape at once. Zone-less times are wall clock in the source's zone: a time
that a clock change skips is moved over the gap by the offset before it, one that occurs twice is the first; both are
flagged.
Results are microseconds since 1970-01-01 UTC (int64), NOT_A_TIME where there is none.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.cleaning import clock_kernels as kernels
from etl.cleaning.strings import text_buffers
from etl.octets import words

NOT_A_TIME = np.iinfo(np.int64).min
DAY_US = 86_400_000_000
FIRST_YEAR, LAST_YEAR = 1900, 2199
LONGEST = 48  # bytes of a time
LOOKED_AT, SHAPES_COMPILED = 64, 8  # values whose shapes are tried first, and how many shapes

FINE, INVALID, AMBIGUOUS = 0, 1, 2

_CLOCK = (
    r"(?:(?:[T ,]| +|(?<=日))(?P<h>99?)[:时点](?P<m>99?)(?:[:分](?P<s>99)?秒?(?:[.,](?P<f>9{1,9}))?)?分?"
    r"(?: ?(?P<ap>[AaPp])\.?[Mm]\.?)?)?"
)
_ZONE = r"(?: ?(?:(?P<z>[Zz]|UTC|GMT)|(?P<sign>[+-])(?P<zh>99):?(?P<zm>99)?))?$"
SHAPES = (
    *(
        re.compile("^" + date + _CLOCK + _ZONE)
        for date in (
            r"(?P<Y>9999)-(?P<M>99?)-(?P<D>99?)",
            r"(?P<Y>9999)/(?P<M>99?)/(?P<D>99?)",
            r"(?P<Y>9999)\.(?P<M>99?)\.(?P<D>99?)",
            r"(?P<Y>9999)年(?P<M>99?)月(?P<D>99?)日",
            r"(?P<D>99?)\.(?P<M>99?)\.(?P<Y>9999)",
            r"(?P<A>99?)[/-](?P<B>99?)[/-](?P<Y>9999)",
        )
    ),
    re.compile(r"^(?P<Y>9999)(?P<M>99)(?P<D>99)(?:T?(?P<h>99)(?P<m>99)(?P<s>99))?" + _ZONE),
)


@dataclass
class Order:
    """What a column says about 03/04/2025: how many of its values can only be day first, or only month first."""

    day_first: int = 0
    month_first: int = 0

    @property
    def decided(self) -> str | None:
        """`day`, `month`, or None when nothing or both speak."""
        if bool(self.day_first) == bool(self.month_first):
            return None
        return "day" if self.day_first else "month"


@dataclass
class Times:
    """A column of instants: `us` UTC, `problem` FINE, INVALID or AMBIGUOUS, and which ones a clock change touched."""

    us: NDArray[np.int64]
    problem: NDArray[np.uint8]
    moved: NDArray[np.bool_]  # in a gap: does not exist on that clock
    twice: NDArray[np.bool_]  # in an overlap: the first is taken
    order: Order = field(default_factory=Order)


def parse(
    column: pa.StringArray, zone: str, formats: tuple[str, ...] = (), order: str | None = None
) -> Times:
    """Instants of a text column; null stays null and fine.

    `formats` are strptime formats tried before the known shapes; `order` is `day` or `month` for values like
    03/04/2025, which are AMBIGUOUS without it (05/05/2025 and 13/04/2025 speak for themselves).

    >>> t = parse(pa.array(["2025-03-01T08:00:00", "2025年3月1日 8:00", "2025-02-30", None]), "Asia/Shanghai")
    >>> t.us.astype("M8[us]")[:2].astype(str).tolist(), t.problem.tolist()
    (['2025-03-01T00:00:00.000000', '2025-03-01T00:00:00.000000'], [0, 0, 1, 0])
    """
    n = len(column)
    out = Times(
        np.full(n, NOT_A_TIME, np.int64), np.zeros(n, np.uint8), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    )
    local = np.full(n, NOT_A_TIME, np.int64)
    order = _declared_order(formats) or order
    out.problem[~np.asarray(column.is_null())] = INVALID
    _read_compiled(column, out, local)
    for rows, matrix in _by_length(column, out.problem == INVALID):
        _read_group(rows, matrix, out, local, order)
    if formats:
        _by_formats(column, formats, out, local)
    _to_utc(local, zone, out)
    return out


def _declared_order(formats: tuple[str, ...]) -> str | None:
    for text in formats:
        found = re.match(r"%(-?[dm])[/-]%-?[dm][/-]%Y", text)
        if found:
            return "day" if found.group(1).endswith("d") else "month"
    return None


def _read_compiled(column: pa.StringArray, out: Times, local: NDArray[np.int64]) -> None:
    """The commonest shapes in one compiled pass each, but for those in which day or month may come first."""
    offsets, data = text_buffers(column)
    met: set[bytes] = set()
    for row in np.flatnonzero(out.problem == INVALID)[:LOOKED_AT]:
        text = data[offsets[row] : offsets[row + 1]]
        if 8 <= len(text) <= LONGEST:
            met.add(np.where((text >= 48) & (text <= 57), np.uint8(57), text).tobytes())
    for shape in sorted(met)[:SHAPES_COMPILED]:
        plan = plan_of(shape)
        if plan is None or "A" in plan:
            continue
        spans = [plan.get(name, (0, 0)) for name in kernels.PARTS]
        kernels.read_shape(
            data,
            words(data),
            offsets,
            len(shape),
            kernels.pattern_of(shape),
            np.array([begin for begin, _ in spans]),
            np.array([end - begin for begin, end in spans]),
            plan["ap"][0] if "ap" in plan else -1,
            plan["sign"][0] if "sign" in plan else -1,
            "z" in plan or "sign" in plan,
            (FIRST_YEAR, LAST_YEAR),
            out.us,
            local,
            out.problem,
        )


def _by_length(
    column: pa.StringArray, todo: NDArray[np.bool_]
) -> list[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """(row numbers, character matrix) per distinct byte length."""
    if not len(column):
        return []
    offsets, data = text_buffers(column)
    lengths = np.diff(offsets)
    found = []
    for length in np.unique(lengths[todo]):
        if not 8 <= length <= LONGEST:
            continue
        rows = np.flatnonzero(todo & (lengths == length))
        if (
            offsets[-1] - offsets[0] == len(rows) * length
        ):  # all others are of no length: one behind the other
            matrix = data[offsets[0] : offsets[-1]].reshape(len(rows), length)
        else:
            matrix = data[offsets[rows][:, None] + np.arange(length)]
        found.append((rows, matrix))
    return found


def _read_group(
    rows: NDArray[np.int64],
    matrix: NDArray[np.uint8],
    out: Times,
    local: NDArray[np.int64],
    order: str | None,
) -> None:
    """All strings of one length, shape after shape."""
    shapes = np.where((matrix >= 48) & (matrix <= 57), np.uint8(57), matrix)
    left = np.arange(len(rows))
    for _ in range(64):  # more different shapes than this is no column of times
        if not len(left):
            return
        same = (shapes[left] == shapes[left[0]]).all(axis=1)
        group = left[same]
        plan = plan_of(shapes[group[0]].tobytes())
        if plan is not None:
            _read_shape(
                plan,
                rows[group],
                matrix[group] if not same.all() or len(group) < len(rows) else matrix,
                out,
                local,
                order,
            )
        left = left[~same]


@lru_cache(maxsize=1024)
def plan_of(shape: bytes) -> dict[str, tuple[int, int]] | None:
    """Part → (first byte, last byte + 1) of a shape such as b"9999-99-99", or None when it is not a time."""
    try:
        text = shape.decode("utf-8")
    except UnicodeDecodeError:
        return None
    head = len(text) - len(text.lstrip())
    for pattern in SHAPES:
        found = pattern.match(text.strip())
        if found:
            return {
                name: tuple(len(text[: head + at].encode()) for at in found.span(name))  # type: ignore[misc]
                for name, value in found.groupdict().items()
                if value is not None
            }
    return None


def _read_shape(
    plan: dict[str, tuple[int, int]],
    rows: NDArray[np.int64],
    matrix: NDArray[np.uint8],
    out: Times,
    local: NDArray[np.int64],
    order: str | None,
) -> None:
    def number(name: str) -> NDArray[np.int64]:
        if name not in plan:
            return np.zeros(len(rows), np.int64)
        value = np.zeros(len(rows), np.int64)
        for at in range(*plan[name]):
            value = value * 10 + (matrix[:, at] - 48)
        return value

    year, problem = number("Y"), np.zeros(len(rows), np.uint8)
    if "A" in plan:
        month, day, problem = _choose(number("A"), number("B"), out.order, order)
    else:
        month, day = number("M"), number("D")
    hour, minute, second = number("h"), number("m"), number("s")
    bad = (hour > 23) | (minute > 59) | (second > 59)
    if "ap" in plan:
        afternoon = np.isin(matrix[:, plan["ap"][0]], (ord("P"), ord("p")))
        bad |= (hour < 1) | (hour > 12)
        hour = hour % 12 + 12 * afternoon
    bad |= (year < FIRST_YEAR) | (year > LAST_YEAR) | (month < 1) | (month > 12) | (day < 1)
    month_start = ((np.clip(year, 1, 9999) - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("M8[M]")
    first = month_start.astype("M8[D]")
    bad |= day > ((month_start + 1).astype("M8[D]") - first).astype(np.int64)
    us = (first.astype(np.int64) + day - 1) * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
    if "f" in plan:
        width = plan["f"][1] - plan["f"][0]
        us += number("f") * 10**6 // 10**width
    problem[bad] = INVALID
    out.problem[rows] = problem
    good = problem == FINE
    if "z" in plan or "sign" in plan:
        shift = (number("zh") * 60 + number("zm")) * 60_000_000
        if "sign" in plan:
            shift = np.where(matrix[:, plan["sign"][0]] == ord("-"), -shift, shift)
        out.us[rows[good]] = (us - shift)[good]
    else:
        local[rows[good]] = us[good]


def _choose(
    a: NDArray[np.int64], b: NDArray[np.int64], seen: Order, order: str | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """(month, day, problem) of values a/b/year."""
    only_day, only_month = (a > 12) & (b <= 12), (b > 12) & (a <= 12)
    seen.day_first += int(only_day.sum())
    seen.month_first += int(only_month.sum())
    open_ = (a <= 12) & (b <= 12) & (a != b)
    day_first = only_day | (open_ & (order == "day"))
    problem = np.where(open_ & (order is None), AMBIGUOUS, FINE).astype(np.uint8)
    if order is not None:
        problem[only_day if order == "month" else only_month] = INVALID
    return np.where(day_first, b, a), np.where(day_first, a, b), problem


def _by_formats(
    column: pa.StringArray, formats: tuple[str, ...], out: Times, local: NDArray[np.int64]
) -> None:
    """What no shape could read, by the declared formats, one value at a time."""
    for row in np.flatnonzero(out.problem == INVALID):
        value = column[int(row)].as_py().strip()
        for text in formats:
            try:
                found = dt.datetime.strptime(value, text)  # noqa: DTZ007  the zone, if any, is handled below
            except ValueError:
                continue
            if FIRST_YEAR <= found.year <= LAST_YEAR:
                target = local if found.tzinfo is None else out.us
                moment = found.replace(tzinfo=found.tzinfo or dt.UTC)
                target[row] = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(
                    microseconds=1
                )
                out.problem[row] = FINE
            break


# ── Wall clocks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_utc(local: NDArray[np.int64], zone: str, out: Times) -> None:
    """Wall clock → UTC, by the offset of each local day; days with a clock change one value at a time."""
    first, last = kernels.span(local, NOT_A_TIME)
    if last < first:
        return
    met = np.zeros(last - first + 1, np.bool_)
    kernels.mark_days(local, NOT_A_TIME, first, met)
    shifts = np.full(len(met), NOT_A_TIME, np.int64)
    for at in np.flatnonzero(met).tolist():
        shifts[at] = day_offset_us(zone, first + at)
    if not kernels.to_utc(local, NOT_A_TIME, first, shifts, out.us):
        return
    known = np.flatnonzero(local != NOT_A_TIME)
    for row in known[shifts[local[known] // DAY_US - first] == NOT_A_TIME].tolist():
        out.us[row], out.moved[row], out.twice[row] = _one_to_utc(int(local[row]), ZoneInfo(zone))


@lru_cache(maxsize=200_000)
def day_offset_us(zone: str, day: int) -> int:
    """The UTC offset (µs) that holds through a whole local day (days since 1970), or NOT_A_TIME when it changes."""
    start = dt.datetime(1970, 1, 1) + dt.timedelta(days=day)  # noqa: DTZ001  a wall clock
    info = ZoneInfo(zone)
    moments = (
        start + dt.timedelta(hours=hours) for hours in (-3, 7, 17, 27)
    )  # no zone changes twice in ten hours
    found = {_offset_us(moment, info, 0) for moment in moments}
    return found.pop() if len(found) == 1 else NOT_A_TIME


def _offset_us(clock: dt.datetime, zone: ZoneInfo, fold: int) -> int:
    offset = clock.replace(tzinfo=zone, fold=fold).utcoffset() or dt.timedelta()
    return offset // dt.timedelta(microseconds=1)


def _one_to_utc(value: int, zone: ZoneInfo) -> tuple[int, bool, bool]:
    """(UTC, in a gap, in an overlap): fold 0 is the offset before the change."""
    clock = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=value)  # noqa: DTZ001
    before, after = _offset_us(clock, zone, 0), _offset_us(clock, zone, 1)
    return value - before, before < after, before > after


def warm() -> None:
    """Compiles the loops once (they stay cached on disk), so that no load waits for it."""
    parse(pa.array(["2025-03-01 08:00:00", None]), "UTC")
