"""The edge of the command line: settings are built here once, transactions open and commit here.

from api.cli import edge

with edge.work() as session:      # starts the private cluster, migrates, commits at the end
    report = load(session, path, progress=progress)
"""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geo.errors import Lang, RefusedArgument
from geo.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy costs half a second; commands that need no database do not pay it
    from sqlalchemy.orm import Session

    from geo.db.session import Role


@dataclass(frozen=True, slots=True)
class Here:
    """What holds for one run of the command: settings and the language to speak."""

    settings: Settings
    lang: Lang


_here: ContextVar[Here] = ContextVar("wangge_here")


def arrive(data: Path | None, lang: str | None) -> Here:
    """Reads the environment, once, at the start of a command."""
    try:
        settings = Settings.from_environment(data)
    except ValueError as problem:
        raise RefusedArgument(f"环境变量有误：{problem}。", f"Wrong variable: {problem}.") from problem
    here = Here(settings, choose_language(lang or settings.language))
    _here.set(here)
    return here


def settings() -> Settings:
    """The settings of this run, database untouched."""
    return _known().settings


def lang() -> Lang:
    """The language of this run; before it is known, that of the environment."""
    here = _here.get(None)
    if here is not None:
        return here.lang
    wish = os.environ.get("WANGGE_LANG")
    return choose_language(wish if wish in ("zh", "en") else None)


def database() -> Settings:
    """The settings, with a database that answers and has today's schema."""
    from geo.db import cluster, migrations

    chosen = settings()
    cluster.ensure(chosen)
    migrations.upgrade(chosen)
    return chosen


@contextmanager
def work(role: Role = "owner") -> Iterator[Session]:
    """One unit of work: database ready, one transaction, committed when the block ends without an error.

    Whoever runs commands owns the machine, so all cases are seen with the application's rights too.
    """
    from geo.db import walls
    from geo.db.session import session

    with session(database(), role) as opened:
        if role == "app":
            walls.tell(opened, walls.EVERYTHING)
        yield opened


def choose_language(wish: str | None) -> Lang:
    """`zh` unless `--lang`, `WANGGE_LANG` or the locale say English.

    >>> choose_language("en")
    'en'
    """
    if wish is not None and wish not in ("zh", "en"):
        raise RefusedArgument(
            f"未知语言 {wish}。", f"Unknown language {wish}.", do_zh="请用 zh 或 en。", do_en="Use zh or en."
        )
    if wish:
        return "en" if wish == "en" else "zh"
    variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    spoken = next((value for value in variables if value), None) or locale.getlocale()[0] or ""
    return "en" if spoken.lower().startswith("en") else "zh"


def _known() -> Here:
    try:
        return _here.get()
    except LookupError:
        return arrive(None, None)
