"""What became of a file: the account of its rows, how it was read, its rejects; stored loads."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from api.schemas.values import BBox
from api.shapes.shape import Shape
from api.shapes.words import Both

What = Literal["boundaries", "cases", "facilities", "network", "weights"]


class RejectTold(Shape):
    """A row that was not loaded: its physical number, what was wrong, what to do."""

    row: int
    column: str | None
    value: str | None
    code: str
    why: Both
    do: Both


class Warned(Shape):
    """A warning or a repair: how often, and the first rows."""

    code: str
    zh: str
    en: str
    count: int
    rows: list[int]


class LoadReport(Shape):
    """The account of one load: rows in = added + updated + unchanged + duplicate + rejected."""

    run: int | None
    kind: str
    source: str
    file: str
    sha256: str
    crs: str | None
    encoding: str | None
    layout: dict[str, Any]
    rows_in: int
    added: int
    updated: int
    unchanged: int
    duplicate: int
    rejected: int
    unplaced: int
    rejects_by_code: dict[str, int]
    rejects: list[RejectTold]
    warnings: list[Warned]
    personal_columns: dict[str, int]
    details: dict[str, Any]


class ColumnFound(Shape):
    """A field and the column it was taken from."""

    field: str
    column: str


class Evidence(Shape):
    """What speaks for and against the CRS: declared, asked, used; how well each datum fits (0–1); a sample (WGS 84)."""

    declared: str | None
    asked: str | None
    used: str | None
    datum: dict[str, float]
    datum_by: Literal["outline", "district", "inside"] | None
    better: str | None
    bbox: BBox | None
    sample: list[dict[str, Any]]


class Loaded(LoadReport):
    """What a job of loading answers; with `dry_run` nothing was written."""

    what: What
    dry_run: bool
    same_as_run: int | None
    columns: list[ColumnFound]
    reason: Both | None
    layout_name: str | None
    timezone: str | None
    header: list[str]
    evidence: Evidence


class Run(Shape):
    """A stored load, one line of the list."""

    id: int
    kind: str
    source: str
    file_name: str
    sha256: str
    crs: str | None
    encoding: str | None
    rows_in: int
    rows_added: int
    rows_updated: int
    rows_unchanged: int
    rows_duplicate: int
    rows_rejected: int
    rows_unplaced: int
    rejects_by_code: dict[str, int]
    started_at: dt.datetime
    finished_at: dt.datetime
    by: str | None


class Runs(Shape):
    """`/api/runs`, the latest first."""

    runs: list[Run]
    next: int | None


class Loads(Shape):
    """`/api/loads`, the latest first."""

    loads: list[Run]
    next: int | None


class RejectStored(Shape):
    """A rejected row as it was stored."""

    row: int
    column: str | None
    value: str | None
    code: str
    why_zh: str
    why_en: str
    do_zh: str
    do_en: str


class RunTold(Run):
    """One load with how it was read and its first rejects; `rejects_next` is the `after` of the page that follows."""

    options: dict[str, Any]
    layout: dict[str, Any]
    warnings: list[Warned]
    personal_columns: dict[str, int]
    report: dict[str, Any]
    rejects: list[RejectStored]
    rejects_next: int | None
