"""A skip says why; `--strict` makes it a failure, except for the real test data outside CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
TWO = """
import pytest

def test_needs_real_data(shared_data):
    pass

def test_also_needs_real_data(shared_data):
    pass

def test_lacks_something():
    {}
"""


def outcome(tmp_path: Path, body: str, *options: str, ci: bool = False) -> tuple[int, str]:
    file = tmp_path / "test_two.py"
    file.write_text(TWO.format(body))
    environment = {
        k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_ADDOPTS", "WANGGE_TEST_CLUSTER")
    }
    environment |= {"WANGGE_TEST_DATA": str(tmp_path / "none"), "PYTHONPATH": str(TESTS)}
    if ci:
        environment["CI"] = "true"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "conftest",
        "-p",
        "no:cacheprovider",
        "-ra",
        "-q",
        *options,
    ]
    done = subprocess.run(
        [*command, str(file)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_without_real_data_there_is_one_printed_reason(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, "pass")
    assert code == 0
    assert said.count("the real test data is not on this machine") == 1 and "SKIPPED [2]" in said


@pytest.mark.parametrize(
    ("body", "ci", "code"),
    [("pass", False, 0), ("pass", True, 1), ("pytest.skip('no Chromium')", False, 1)],
)
def test_strict(tmp_path: Path, body: str, ci: bool, code: int) -> None:
    found, said = outcome(tmp_path, body, "--strict-skips", ci=ci)
    assert found == code, said
