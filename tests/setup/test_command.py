"""The command line's manners: exit codes, languages, options anywhere, no tracebacks, doctor and city."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli import MODULES, edge, globals_first, main, modules_for, output
from geo.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Done:
    """What one command said."""

    returncode: int
    stdout: str
    stderr: str


Wangge = Callable[..., Done]


@pytest.fixture
def wangge(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Wangge]:
    """Runs a command in this process, on a fresh database."""

    def run(*words: str, **variables: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in {**settings.to_environment(), "WANGGE_LANG": "en", **variables}.items():
                patch.setenv(name, value)
            capfd.readouterr()
            code = main(list(words))
        return Done(code, *capfd.readouterr())

    yield run
    edge._here = ContextVar("wangge_here")


def test_help_lists_every_command_of_the_contract(wangge: Wangge) -> None:
    done = wangge("--help", COLUMNS="200", TERM="dumb")
    assert done.returncode == 0
    words = {"up", "serve", "doctor", "city", "db", "sample", "load", "runs", "units", "plan"}
    words |= {"heatmap", "export", "map", "user", "demo"}
    assert [word for word in words if f" {word} " not in done.stdout] == []


def test_every_command_module_is_listed() -> None:
    helpers = {"__init__", "edge", "output", "groups", "supervise", "worker", "selfcheck"}
    files = {path.stem for path in (ROOT / "api" / "cli").glob("*.py")}
    with_commands = {
        name for name in files - helpers if "command(" in (ROOT / "api" / "cli" / f"{name}.py").read_text()
    }
    assert with_commands <= set(MODULES)


def test_global_options_may_stand_anywhere() -> None:
    assert globals_first(["city", "show", "--lang=en", "--data", "/x"]) == [
        "--lang=en",
        "--data",
        "/x",
        "city",
        "show",
    ]
    assert globals_first(["load", "--", "--data"]) == ["load", "--", "--data"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nonsense"], 2),
        (["city", "set", "--nonsense"], 2),
        (["city", "set", "--timezone", "Mars/Base"], 2),
        (["city", "set", "--timezone", "../../etc/passwd"], 2),
        (["city", "set", "--code-template", "mine"], 2),
        (["--lang", "fr", "city", "show"], 2),
        (["city", "show"], 0),
    ],
)
def test_exit_codes(wangge: Wangge, words: list[str], code: int) -> None:
    done = wangge(*words)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_errors_speak_both_languages(wangge: Wangge) -> None:
    wrong = ["city", "set", "--timezone", "Mars/Base"]
    assert "没有时区" in wangge(*wrong, "--lang", "zh").stderr
    assert "no time zone" in wangge(*wrong, "--lang", "en").stderr


def test_a_wrong_variable_is_an_error_without_a_traceback(wangge: Wangge) -> None:
    done = wangge("city", "show", WANGGE_PORT="abc")
    assert (done.returncode, "WANGGE_PORT" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_server_that_does_not_answer(wangge: Wangge) -> None:
    done = wangge("city", "show", WANGGE_DATABASE_URL="postgresql://a@127.0.0.1:1/b")
    assert (done.returncode, "WANGGE_DATABASE_URL" in done.stderr, "Traceback" in done.stderr) == (
        1,
        True,
        False,
    )


def test_city_set_and_show(wangge: Wangge) -> None:
    done = wangge("city", "set", "--name", "海州市", "--timezone", "Asia/Kathmandu")
    assert done.returncode == 0, done.stderr
    done = wangge("city", "set", "--code-template", "national-14")
    assert done.returncode == 0, done.stderr
    shown = json.loads(wangge("city", "show", "--json").stdout)
    assert (shown["name"], shown["timezone"], shown["code_template"]) == (
        "海州市",
        "Asia/Kathmandu",
        "national-14",
    )


def test_doctor_examines_database_and_machine(wangge: Wangge) -> None:
    done = wangge("doctor", "--json")
    findings = {finding["what"].split()[0]: finding for finding in json.loads(done.stdout)}
    for name in ("PostgreSQL", "PostGIS", "tiles", "checksums", "schema", "Python", "GDAL"):
        assert findings[name]["state"] == "ok", findings[name]
    assert {"disk", "port", "fonts", "calendar", "web", "isolation", "memory"} <= findings.keys()
    failed = any(finding["state"] == "failure" for finding in findings.values())
    assert done.returncode == (1 if failed else 0)


def test_doctor_names_a_line_for_every_failure(wangge: Wangge) -> None:
    done = wangge("doctor", WANGGE_DATABASE_URL="postgresql://a@127.0.0.1:1/b")
    lines = done.stdout.splitlines()
    failures = [number for number, line in enumerate(lines) if line.startswith("✗")]
    assert done.returncode == 1 and failures
    assert all(lines[number + 1].startswith("    → ") for number in failures)


def test_json_of_what_commands_print() -> None:
    import numpy as np

    made = json.loads(output.to_json({"a": np.array([1.0, np.nan]), "p": Path("/x"), "n": np.int64(3)}))
    assert made == {"a": [1.0, None], "p": "/x", "n": 3}


def test_status_is_json_too(wangge: Wangge, settings: Settings) -> None:
    shown = json.loads(wangge("db", "status", "--json").stdout)
    assert shown["cluster_dir"] == str(settings.cluster_dir)


def test_the_installed_command_and_the_module_are_the_same(environment: dict[str, str]) -> None:
    installed = Path(sys.executable).with_name("wangge")
    for command in ([str(installed)], [sys.executable, "-m", "api"]):
        done = subprocess.run(
            [*command, "city", "show", "--nonsense"], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 2


PLANNING = [
    "load_ground", "plan_judging", "plan_proposing", "plan_balancing", "plan_comparing", "plan_impact", "plan_overlay",
    "plan_editing", "ground", "plan_dated",
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "modules"),
    [
        (["load", "cases", "plan"], ["load_cases"]),
        (["load", "plan", "a.gpkg"], ["load_ground"]),
        (["plan", "import", "a.gpkg"], ["load_ground"]),
        (["plan", "show", "import"], ["ground"]),
        (["plan", "--help"], PLANNING),
        (["--data", "load", "city", "show"], ["profile"]),
        (["heatmap", "--by", "grid"], ["look_heatmap"]),
        (["nonsense"], list(MODULES)),
        ([], list(MODULES)),
    ],
)
def test_only_what_a_command_needs_is_imported(words: list[str], modules: list[str]) -> None:
    assert modules_for(words) == modules


def test_group_help_lists_the_commands_of_every_module(wangge: Wangge) -> None:
    for group, words in {"load": ["boundaries", "cases", "network"], "plan": ["list", "import"]}.items():
        shown = wangge(group, "--help", COLUMNS="200", TERM="dumb").stdout
        assert [word for word in words if f" {word} " not in shown] == []
