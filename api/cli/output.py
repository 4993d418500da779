"""What the command line says: results as a table or as JSON, progress, sentences in one of two languages.

Results go to standard output, everything else (progress, notes, errors) to standard error, so that
`wangge heatmap --json | jq .total` works.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from api.cli import edge
from geo.errors import WanggeError
from geo.progress import Progress

AsJson = Annotated[bool, typer.Option("--json", help="结果以 JSON 输出 / print the result as JSON")]


def say(zh: str, en: str) -> None:
    """One sentence for the person, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(escape(zh if edge.lang() == "zh" else en))


def tell(text: str) -> None:
    """One line of a result, on standard output, exactly as given."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(found: Any, as_json: bool = False) -> None:
    """Prints a result: a dataclass or mapping as lines, a sequence of them as a table; with `as_json` as JSON."""
    if as_json:
        tell(to_json(found))
        return
    plain = _plain(found)
    if isinstance(plain, Mapping):
        _lines(plain)
    elif isinstance(plain, Sequence) and not isinstance(plain, str):
        _table([row for row in plain if isinstance(row, Mapping)])
    else:
        tell(str(plain))


def to_json(found: Any) -> str:
    """Indented UTF-8 JSON of dataclasses, mappings, numpy arrays, dates and paths; NaN becomes null."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(found, default=_default, option=options).decode()


def report_error(problem: WanggeError) -> None:
    """The error's sentence in the person's language, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]{'错误' if edge.lang() == 'zh' else 'Error'}[/] {escape(problem.text(edge.lang()))}"
    )


@contextmanager
def progress() -> Iterator[Progress]:
    """A `geo.progress.Progress`: a bar on a terminal, a plain line every few seconds elsewhere."""
    if sys.stderr.isatty():
        with _Drawn() as drawn:
            yield drawn
    else:
        yield _Written()


class _Drawn:
    """One bar per stage."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._stages: dict[str, TaskID] = {}

    def __enter__(self) -> _Drawn:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        if stage not in self._stages:
            self._stages[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._stages[stage], completed=done, total=total)


class _Written:
    """A line when a stage begins and ends, and every five seconds between."""

    EVERY_S = 5.0

    def __init__(self) -> None:
        self._last: tuple[str, float] = ("", 0.0)

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        known, when = self._last
        if stage == known and done != total and now - when < self.EVERY_S:
            return
        self._last = (stage, now)
        sys.stderr.write(f"{stage}: {done}" + (f" / {total}" if total is not None else "") + "\n")
        sys.stderr.flush()


def _plain(found: Any) -> Any:
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    if isinstance(found, list | tuple):
        return [_plain(item) for item in found]
    return found


def _lines(found: Mapping[Any, Any]) -> None:
    width = max((len(str(key)) for key in found), default=0)
    for key, value in found.items():
        tell(f"{key!s:<{width}}  {_cell(value)}")


def _table(rows: list[Mapping[Any, Any]]) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(str(name), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    wide = None if sys.stdout.isatty() else 240
    Console(file=sys.stdout, highlight=False, width=wide).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=_default).decode()
    return str(value)


def _default(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
