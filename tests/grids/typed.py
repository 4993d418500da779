"""Commands run in the test's own process, as a person would type them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from api.cli import main
from geo.settings import Settings

Said = tuple[int, str, str]
Wangge = Callable[..., Said]


def typed(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wangge:
    """`typed(…)(*words)` runs one command in English: exit code, standard output, standard error."""
    for name, value in {**settings.to_environment(), "WANGGE_LANG": "en"}.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
