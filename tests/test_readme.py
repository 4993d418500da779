"""The README's commands are real: each `wangge` or `./run` line in a `sh` block exists with its options."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from api.cli import main

ROOT = Path(__file__).resolve().parents[1]
OTHER_WORDS = {"git", "cd", "docker", "curl", "sudo", "apt-get", "export"}


def commands() -> list[str]:
    """Each logical line of the fenced `sh` blocks of the README, without its remark."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    plain = [re.sub(r"\s+#.*$", "", line).strip() for line in lines]
    return [line for line in plain if line and not line.startswith("#")]


def test_the_readme_has_the_two_commands() -> None:
    assert "./run demo" in commands()
    assert any(line.startswith("./run test") for line in commands())


@pytest.mark.parametrize("line", commands())
def test_every_command_exists(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("TERM", "dumb")
    words = shlex.split(line, comments=True)
    while "=" in words[0] and not words[0].startswith("-"):
        words = words[1:]
    program = Path(words[0]).name
    if program == "run":
        usage = subprocess.run([str(ROOT / "run")], capture_output=True, text=True, check=True).stdout
        assert f"./run {words[1]}" in usage
    elif program == "wangge":
        exists(words[1:])
    else:
        assert program in OTHER_WORDS, f"an unknown program in the README: {line}"


def exists(words: list[str]) -> None:
    """The sub-command is there and knows every option of the line."""
    path = list(
        itertools.takewhile(lambda word: not word.startswith("-"), words)
    )  # `plan edit PLAN split`, too
    code, shown = help_of(path)
    assert code == 0, f"wangge {' '.join(path)}: {shown}"
    options = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"--data", "--lang"}
    missing = [option for option in options if not re.search(rf"(^|[\s,│]){option}\b", shown)]
    assert missing == [], f"wangge {' '.join(path)} does not know {missing}"


def help_of(path: list[str]) -> tuple[int, str]:
    """Exit code and text of `wangge … --help`, run in this process."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main([*path, "--help"])
    return code, said.getvalue()
