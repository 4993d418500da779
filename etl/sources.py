"""Layouts: which column of a delivery is which field, and why we think so.

A file's headers are compared with the known deliveries in `data/sources.toml`, then with its synonym table (Chinese and
English). `--map layout.toml` overrides both, in the form of one `[[layout]]` of that file:

    timezone = "Asia/Shanghai"
    crs = "gcj02"
    [fields]
    id = "编号"
    opened_at = "时间"
    [formats]
    opened_at = ["%d/%m/%Y %H:%M"]
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from geo.errors import RefusedArgument, RefusedFile
from geo.settings import reference

TIME_FIELDS = ("opened_at", "closed_at", "due_at", "dispatched_at")
POSITION_FIELDS = ("lon", "lat", "x", "y", "wkt")


@dataclass(frozen=True)
class Layout:
    """How one delivery is read: field → header as written in the file, the clock, the formats, the reason."""

    name: str
    columns: Mapping[str, str]
    reason_zh: str
    reason_en: str
    timezone: str | None = None
    crs: str | None = None
    formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def field_of(self, header: str) -> str | None:
        """The field a header was chosen for, or None."""
        return next((name for name, column in self.columns.items() if column == header), None)

    def as_dict(self) -> dict[str, Any]:
        """For the load run and `--json`."""
        return {
            "layout": self.name,
            "fields": dict(self.columns),
            "timezone": self.timezone,
            "reason": {"zh": self.reason_zh, "en": self.reason_en},
        }


def normal(header: str) -> str:
    """A header as it is compared: NFKC, lower case, only letters, digits and Chinese characters.

    >>> normal(" Created_Date "), normal("X Coordinate (State Plane)"), normal("经度　")
    ('createddate', 'xcoordinatestateplane', '经度')
    """
    folded = unicodedata.normalize("NFKC", header).casefold()
    return "".join(c for c in folded if c.isalnum())


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Any]:
    """`data/sources.toml`, read once."""
    return tomllib.loads(reference("sources.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """Field → (word in lower case → value): `words()["status"]["已办结"] == "closed"`."""
    return {name: _flat(groups) for name, groups in catalogue()["words"].items()}


def detect(headers: list[str], *, kind: str = "cases", map_file: Path | None = None) -> Layout:
    """The layout of a file with these headers; refuses two headers that mean the same column.

    >>> found = detect(["CASE_ENQUIRY_ID", "OPEN_DT", "CASE_STATUS", "LATITUDE", "LONGITUDE"])
    >>> found.name, found.timezone
    ('boston_311', 'America/New_York')
    >>> detect(["工单编号", "受理时间", "经度", "纬度"]).columns["opened_at"]
    '受理时间'
    """
    _refuse_duplicates(headers)
    by_normal: dict[str, str] = {}
    for header in headers:
        by_normal.setdefault(normal(header), header)
    synonyms: dict[str, list[str]] = catalogue()["synonyms"][kind]
    if map_file is not None:
        return _mapped(_read_map(map_file), headers, by_normal, synonyms, map_file.name)
    if kind == "cases":
        for entry in catalogue()["layout"]:
            if _matches(entry, headers, by_normal):
                return _known(entry, by_normal, synonyms)
    columns = _by_synonyms(by_normal, synonyms, {})
    return Layout(
        "synonyms",
        columns,
        "按同义词表识别：" + "，".join(f"{f}={c}" for f, c in columns.items()),
        "by the synonym table: " + ", ".join(f"{f}={c}" for f, c in columns.items()),
    )


def need(layout: Layout, headers: list[str], *, has_geometry: bool = False) -> None:
    """Refuse a case file without identifier, opened time or place, naming what was looked for and what is there."""
    missing = [name for name in ("id", "opened_at") if name not in layout.columns]
    pairs = (("lon", "lat"), ("x", "y"))
    placed = (
        has_geometry
        or "wkt" in layout.columns
        or any(all(p in layout.columns for p in pair) for pair in pairs)
    )
    if not placed:
        missing += [name for name in ("lon", "lat") if name not in layout.columns]
    if not missing:
        return
    synonyms = catalogue()["synonyms"]["cases"]
    hints = "; ".join(f"{name}: {', '.join(synonyms[name][:4])} …" for name in missing)
    shown = ", ".join(headers[:40])
    raise RefusedFile(
        f"缺少列 {', '.join(missing)}。文件里的列：{shown}。",
        f"Columns missing: {', '.join(missing)}. The file has: {shown}.",
        code="column-missing",
        field=missing[0],
        do_zh=f"可识别的列名例如 {hints}；或用 --map layout.toml 指定。",
        do_en=f"Names that are known: {hints}; or name the columns with --map layout.toml.",
        missing=missing,
    )


def check_timezone(name: str) -> str:
    """The name of a time zone that exists here; refuses others.

    >>> check_timezone("Asia/Shanghai")
    'Asia/Shanghai'
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise RefusedArgument(
            f"没有时区 {name!r}。", f"There is no time zone {name!r}.", code="timezone"
        ) from problem
    return name


def _flat(groups: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {word.casefold(): value for value, listed in groups.items() for word in listed}


def _refuse_duplicates(headers: list[str]) -> None:
    seen: dict[str, str] = {}
    for header in headers:
        key = unicodedata.normalize("NFKC", header).strip().casefold()
        if key and key in seen:
            raise RefusedFile(
                f"表头有两列同名：{header!r}。",
                f"Two columns have the same name: {header!r}.",
                code="column-duplicate",
                field=header,
                do_zh="请改名或删除其中一列。",
                do_en="Rename or drop one of them.",
            )
        seen[key] = header


def _matches(entry: Mapping[str, Any], headers: list[str], by_normal: Mapping[str, str]) -> bool:
    spelled = set(entry.get("spelled", ()))
    return spelled <= set(headers) and all(normal(name) in by_normal for name in entry["needs"])


def _known(
    entry: Mapping[str, Any], by_normal: Mapping[str, str], synonyms: Mapping[str, list[str]]
) -> Layout:
    given = {f: by_normal[normal(c)] for f, c in entry["fields"].items() if normal(c) in by_normal}
    needs = ", ".join(entry["needs"])
    return Layout(
        entry["name"],
        _by_synonyms(by_normal, synonyms, given),
        f"列 {needs} 是“{entry['title']}”的格式",
        f"the columns {needs} are those of: {entry['title']}",
        timezone=entry.get("timezone"),
        crs=entry.get("crs"),
        formats=_formats(entry),
        words={name: _flat(groups) for name, groups in entry.get("words", {}).items()},
    )


def _mapped(
    entry: Mapping[str, Any],
    headers: list[str],
    by_normal: Mapping[str, str],
    synonyms: Mapping[str, list[str]],
    file_name: str,
) -> Layout:
    given: dict[str, str] = {}
    for name, column in entry.get("fields", {}).items():
        if name not in synonyms:
            allowed = ", ".join(synonyms)
            raise RefusedArgument(
                f"{file_name}：没有字段 {name!r}，可用：{allowed}。",
                f"{file_name}: no field {name!r}; one of {allowed}.",
            )
        if normal(str(column)) not in by_normal:
            raise RefusedFile(
                f"{file_name} 指定 {name} = {column!r}，但文件没有这一列：{', '.join(headers[:40])}。",
                f"{file_name} says {name} = {column!r}, but the file has no such column: {', '.join(headers[:40])}.",
                code="column-missing",
                field=name,
            )
        given[name] = by_normal[normal(str(column))]
    zone = entry.get("timezone")
    return Layout(
        str(entry.get("name", "map")),
        _by_synonyms(by_normal, synonyms, given),
        f"按 {file_name} 指定",
        f"as {file_name} says",
        timezone=check_timezone(str(zone)) if zone else None,
        crs=entry.get("crs"),
        formats=_formats(entry),
        words={name: _flat(groups) for name, groups in entry.get("words", {}).items()},
    )


def _formats(entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in entry.get("formats", {}).items():
        listed = (value,) if isinstance(value, str) else tuple(str(v) for v in value)
        for text in listed:
            if not re.search(r"%[YyjDFc]", text):
                raise RefusedArgument(
                    f"时间格式 {text!r} 没有年份。", f"The time format {text!r} has no year."
                )
        found[name] = listed
    return found


def _by_synonyms(
    by_normal: Mapping[str, str], synonyms: Mapping[str, list[str]], given: Mapping[str, str]
) -> dict[str, str]:
    """Fields in the order of the table; a header serves one field, a given one first."""
    columns = dict(given)
    taken = set(columns.values())
    for name, listed in synonyms.items():
        if name in columns:
            continue
        for word in listed:
            header = by_normal.get(normal(word))
            if header is not None and header not in taken:
                columns[name] = header
                taken.add(header)
                break
    return columns


def _read_map(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as problem:
        raise RefusedArgument(
            f"没有文件 {path.name}。", f"There is no file {path.name}.", field="map"
        ) from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise RefusedArgument(
            f"{path.name} 不是正确的 TOML：{problem}。",
            f"{path.name} is not valid TOML: {problem}.",
            field="map",
        ) from problem
