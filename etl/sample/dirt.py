"""Damaged rows of every kind a case file brings, each with what the loader must make of it.

The generator keeps the account (`Account`), the files carry the rows, the test compares the loader's report with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Row = dict[str, str]  # role -> text, in the file's column order
Lines = list[list[str]]  # cells; a line may be shorter or longer than the header


@dataclass
class Account:
    """What the loader must report for one file: rows in, what was rejected by code, unplaced, outside, flagged."""

    rows: int = 0
    duplicate: int = 0
    unplaced: int = 0
    outside: int = 0
    masked: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "rows": self.rows,
            "added": self.rows - self.duplicate - sum(self.rejected.values()),
            "duplicate": self.duplicate,
            "unplaced": self.unplaced,
            "outside": self.outside,
            "masked": self.masked,
            "rejects_by_code": dict(sorted(self.rejected.items())),
            "notices": dict(sorted(self.notices.items())),
            "dirty_rows_by_kind": dict(sorted(self.kinds.items())),
        }


@dataclass(frozen=True)
class Kind:
    """One way of being wrong. `share`: of the dirty rows, relative; `code`: the reject, else it is kept."""

    name: str
    spoil: Callable[[Row, np.random.Generator], list[Row] | Lines]
    share: float = 1.0
    code: str | None = None
    notice: str | None = None
    unplaced: bool = False
    outside: bool = False
    duplicate: int = 0
    text_only: bool = False  # makes sense in CSV, not in a workbook


def _set(**values: str) -> Callable[[Row, np.random.Generator], list[Row]]:
    return lambda row, rng: [{**row, **values}]


def _one_of(role: str, *texts: str) -> Callable[[Row, np.random.Generator], list[Row]]:
    return lambda row, rng: [{**row, role: texts[int(rng.integers(len(texts)))]}]


def _ambiguous(row: Row, rng: np.random.Generator) -> list[Row]:
    """03/04/2025: nothing in the file says which is the day."""
    return [{**row, "opened": f"0{rng.integers(1, 6)}/0{rng.integers(6, 10)}/2025 09:{rng.integers(10, 60)}"}]


def _swapped(row: Row, rng: np.random.Generator) -> list[Row]:
    return [{**row, "lon": row["lat"], "lat": row["lon"]}]


def _far(row: Row, rng: np.random.Generator) -> list[Row]:
    """A usable position in another part of the country, such as the head office of a contractor."""
    return [{**row, "lon": f"{104.1 + rng.uniform(0, 0.2):.6f}", "lat": f"{30.6 + rng.uniform(0, 0.2):.6f}"}]


def _too_early(row: Row, rng: np.random.Generator) -> list[Row]:
    return [{**row, "closed": "2019-01-01 08:00:00"}]


def _twice(row: Row, rng: np.random.Generator) -> list[Row]:
    return [dict(row), dict(row)]


def _contradiction(row: Row, rng: np.random.Generator) -> list[Row]:
    """The same number twice with different urgency: nobody can say which one is right."""
    return [{**row, "urgency": "一级"}, {**row, "urgency": "四级"}]


def _short(row: Row, rng: np.random.Generator) -> Lines:
    return [list(row.values())[:4]]


def _long(row: Row, rng: np.random.Generator) -> Lines:
    return [[*row.values(), "多出", "的列"]]


def _two_lines(row: Row, rng: np.random.Generator) -> list[Row]:
    return [{**row, "text": row["text"] + "\n（补充：现场已围挡。）"}]


KINDS: tuple[Kind, ...] = (
    Kind("bad date", _one_of("opened", "2025-02-30 08:00:00", "2025年13月1日", "昨天上午", "2025-06-31"), 2.0, "date-invalid"),
    Kind("year 10000", _set(opened="10000-01-01 00:00:00"), 0.4, "date-invalid"),
    Kind("future", _set(opened="2099-01-01 00:00:00", closed="", dispatched="", due=""), 0.6, "date-future"),
    Kind("ambiguous date", _ambiguous, 1.5, "date-ambiguous"),
    Kind("no date", _set(opened=""), 0.8, "value-missing"),
    Kind("no number", _set(id=""), 0.6, "value-missing"),
    Kind("swapped axes", _swapped, 2.5, "coordinate-range"),
    Kind("not a number", _one_of("lon", "NaN", "Infinity", "1e400"), 1.0, "coordinate-not-finite"),
    Kind("words as coordinate", _one_of("lat", "约33.6", "北纬", "33,62"), 1.0, "number-format"),
    Kind("latitude 91", _set(lat="91.2"), 0.6, "coordinate-range"),
    Kind("null island", _one_of("lon", "0", "0.0"), 6.0, unplaced=True),
    Kind("no position", _set(lon="", lat=""), 8.0, unplaced=True),
    Kind("half a position", _set(lat=""), 1.0, unplaced=True),
    Kind("whole degrees", _set(lon="110", lat="34"), 1.5, unplaced=True),
    Kind("far away", _far, 3.0, outside=True),
    Kind("closed before opened", _too_early, 3.0, notice="date-order"),
    Kind("same row twice", _twice, 2.0, duplicate=1),
    Kind("two versions", _contradiction, 1.0, "row-conflict"),
    Kind("short row", _short, 1.0, "column-count", text_only=True),
    Kind("long row", _long, 0.6, "column-count", text_only=True),
    Kind("line break in a cell", _two_lines, 1.0),
    Kind("formula", _one_of("text", "=HYPERLINK(\"http://example.invalid\",\"点击\")", "+1+1", "@SUM(A1)"), 0.6),
    Kind("markup", _set(text="<img src=x onerror=alert(1)>反映路灯不亮"), 0.4),
    Kind("control character", _set(text="文本里有\x00不可见字符"), 0.4, "control-character", text_only=True),
    Kind("spaces around", _one_of("status", "  处理中 ", "\u3000处理中"), 1.0),
)  # fmt: skip


def plan(total: int, *, workbook: bool) -> list[Kind]:
    """Which kinds, each at least once (none for a total of 0), in proportion to their shares."""
    if total <= 0:
        return []
    usable = [kind for kind in KINDS if not (workbook and kind.text_only)]
    whole = sum(kind.share for kind in usable)
    return [kind for kind in usable for _ in range(max(1, round(total * kind.share / whole)))]


def spoil(kind: Kind, row: Row, rng: np.random.Generator, account: Account) -> Lines:
    """The damaged line or lines made from a good row, counted in the account."""
    made = kind.spoil(_clean(kind, row), rng)
    lines = [list(line.values()) if isinstance(line, dict) else line for line in made]
    account.rows += len(lines)
    account.kinds[kind.name] += len(lines)
    account.duplicate += kind.duplicate
    if kind.code:
        account.rejected[kind.code] += len(lines)
    if kind.notice:
        account.notices[kind.notice] += 1
    account.unplaced += kind.unplaced
    account.outside += kind.outside
    return lines


def _clean(kind: Kind, row: Row) -> Row:
    """The row to damage: only one thing shall be wrong with it."""
    base = {**row, "repeat": "", "phone_free": ""} if "repeat" in row else dict(row)
    base.pop("phone_free", None)
    if kind.name == "null island":
        base["lat"] = "0"
    if kind.name == "closed before opened":
        base["status"] = "已办结"
    return base
