"""The command `wangge`, also `python -m api`.

Exit codes: 0 done; 2 the file or the arguments were refused, database unchanged; 3 loaded, with rejects; 1 anything
else. An error is one message in the person's language; `WANGGE_DEBUG=1` shows the traceback.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import top
from geo.errors import WanggeError

MODULES = {  # which commands a module of this package adds
    "operate": ("up", "serve", "warm"),
    "doctor": ("doctor",),
    "database": ("db",),
    "profile": ("city",),
    "demo": ("demo",),
    "load": ("load boundaries",),
    "load_cases": ("load cases", "load facilities", "runs"),
    "load_ground": ("load network", "load weights", "load plan", "plan import"),
    "plan_judging": ("plan score",),
    "plan_proposing": ("plan propose",),
    "plan_balancing": ("plan rebalance", "plan ensemble"),
    "plan_comparing": ("plan compare", "plan replay"),
    "plan_impact": ("plan impact",),
    "plan_overlay": ("plan overlay",),
    "plan_editing": ("plan edit", "plan begin"),
    "unit_cut": ("units cut",),
    "ground": ("units", "plan"),
    "plan_dated": (
        "plan check",
        "plan except",
        "plan bands",
        "plan rebase",
        "plan approve",
        "plan withdraw",
        "plan lineage",
        "plan export",
    ),
    "look_heatmap": ("heatmap",),
    "look_export": ("export",),
    "look_map": ("map",),
    "sample": ("sample",),
    "users": ("user",),
    "jobs": ("jobs",),
    "audit": ("audit",),
}
GLOBAL_OPTIONS = ("--data", "--lang")

app = top


@top.callback()
def begin(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="数据文件夹 / data folder (WANGGE_HOME)")
    ] = None,
    lang: Annotated[str | None, typer.Option("--lang", metavar="zh|en", help="语言 / language")] = None,
) -> None:
    """Wangge 网格：城市网格划分与案件热力图 / city grids and heat maps of cases."""
    edge.arrive(data, lang)


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; never shows a traceback unless `WANGGE_DEBUG` is set."""
    arguments = globals_first(sys.argv[1:] if argv is None else argv)
    include(arguments)
    try:
        top(args=arguments, prog_name="wangge")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else (0 if end.code is None else 1)
    except WanggeError as problem:
        if os.environ.get("WANGGE_DEBUG"):
            raise
        output.report_error(problem)
        return problem.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stdout = None  # whoever read us has left: there is nobody to flush to
        return 1
    except Exception as problem:
        if os.environ.get("WANGGE_DEBUG"):
            raise
        kind = type(problem).__name__
        line = (str(problem).strip().splitlines() or [""])[0]
        output.say(
            f"错误 {kind}：{line}（WANGGE_DEBUG=1 显示详情）",
            f"Error {kind}: {line} (WANGGE_DEBUG=1 shows more)",
        )
        return 1
    return 0


def include(arguments: list[str]) -> None:
    """Imports the modules behind the command that was asked for; all of them when that is not clear (help)."""
    for name in modules_for(arguments):
        import_module(f"api.cli.{name}")


def modules_for(arguments: list[str]) -> list[str]:
    """The modules that a command line needs.

    >>> modules_for(["load", "cases", "a.csv"]), modules_for(["plan", "list"])
    (['load_cases'], ['ground'])
    >>> modules_for(["load", "--help"])
    ['load', 'load_cases', 'load_ground']
    """
    words = [word for word in globals_apart(arguments)[1] if not word.startswith("-")][:2]
    group = [
        name
        for name, commands in MODULES.items()
        if words and any(c.split()[0] == words[0] for c in commands)
    ]
    if len(words) < 2:
        return group or list(MODULES)
    for asked in (
        " ".join(words),
        *words[:1],
    ):  # `plan import` has a module of its own, `plan list` that of `plan`
        found = [name for name, commands in MODULES.items() if asked in commands]
        if found:
            return found
    return group or list(MODULES)


def globals_first(arguments: list[str]) -> list[str]:
    """Moves `--data DIR` and `--lang zh|en` to the front, so that they may stand anywhere on the line.

    >>> globals_first(["db", "status", "--data", "/tmp/a", "--json"])
    ['--data', '/tmp/a', 'db', 'status', '--json']
    """
    first, rest = globals_apart(arguments)
    return first + rest


def globals_apart(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The global options with their values, and everything else."""
    first: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word in GLOBAL_OPTIONS:
            first += [word, *([value] if (value := next(waiting, None)) is not None else [])]
        elif word.startswith(tuple(f"{name}=" for name in GLOBAL_OPTIONS)):
            first.append(word)
        else:
            rest.append(word)
    return first, rest


__all__ = ["app", "main"]
