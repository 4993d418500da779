"""A skip says why; `--strict` makes it a failure, except for the real test data outside CI."""

from __future__ import annotations

import os
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
    """Exit code and output of a run of its own: a fork, which has everything imported already."""
    (tmp_path / "test_two.py").write_text(TWO.format(body))
    said = tmp_path / "said.txt"
    pid = os.fork()
    if not pid:
        code = 70
        try:
            code = _run_here(tmp_path, said, list(options), ci)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.read_text()


def _run_here(folder: Path, said: Path, options: list[str], ci: bool) -> int:
    for name in ("CI", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "WANGGE_TEST_CLUSTER"):
        os.environ.pop(name, None)
    os.environ |= {"WANGGE_TEST_DATA": str(folder / "none"), **({"CI": "true"} if ci else {})}
    os.chdir(folder)
    sys.path.insert(0, str(TESTS))
    out = said.open("w")
    os.dup2(out.fileno(), 1)
    os.dup2(out.fileno(), 2)
    sys.stdout = sys.stderr = out
    asked = ["-p", "conftest", "-p", "no:cacheprovider", "-ra", "-q", *options, str(folder / "test_two.py")]
    code = int(pytest.main(asked))
    out.flush()
    return code


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
