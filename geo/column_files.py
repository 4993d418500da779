"""Column files: a folder of .npy arrays with a manifest that vouches for every byte; anything else is rebuilt.

    columns/
      manifest.json              names the folder that holds; replaced by rename, so readers see the old or the new one
      20261122T143000-1a2b/      one .npy per column, written once, never changed
        unit.npy day.npy …
        hexagon-9.npy hexagon-9.json      a layer: labels added later, with a manifest of its own

A file is trusted when its size and CRC-32 are those in the manifest. Folders are private (0700): they hold positions.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 2  # raised when the meaning of a column changes: older folders are rebuilt
MANIFEST = "manifest.json"
LOCK = "lock"
CHUNK_BYTES = 1 << 22
KEEP_OLD_S = (
    60.0  # a folder that lost its manifest this long ago is removed (mappings of running requests survive)
)
# NumPy reads the header of a file with `ast.literal_eval`; two threads in there at once end some CPython 3.11 in a SystemError
HEADERS = threading.Lock()


class Untrusted(Exception):
    """The files are missing, incomplete, damaged or of another version: build them again."""


@dataclass(frozen=True)
class Folder:
    """A verified folder: its path, the key of the data it was built from, its arrays (read-only) and its facts."""

    path: Path
    key: str
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


def write(root: Path, key: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Writes a new folder and renames the manifest onto it; readers never see half of it."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    root.chmod(0o700)
    folder = root / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    folder.mkdir(mode=0o700)
    with ThreadPoolExecutor(4) as pool:
        files = dict(
            pool.map(lambda item: (item[0], _save(folder / f"{item[0]}.npy", item[1])), arrays.items())
        )
    manifest = {"format": FORMAT, "key": key, "folder": folder.name, "files": files, "facts": dict(facts)}
    _replace(root / MANIFEST, manifest)
    sweep(root)


def read(root: Path, verify: bool = True) -> Folder:
    """Opens the folder that the manifest names, memory-mapped; raises Untrusted when anything is not as written."""
    manifest = _manifest(root / MANIFEST)
    folder = root / str(manifest["folder"])
    with ThreadPoolExecutor(4) as pool:
        opened = pool.map(
            lambda item: (item[0], _open(folder / f"{item[0]}.npy", item[1], verify)),
            manifest["files"].items(),
        )
        arrays = dict(opened)
    return Folder(folder, str(manifest["key"]), arrays, manifest["facts"])


def current_key(root: Path) -> str | None:
    """The data key of the manifest, None when there is no readable one."""
    try:
        return str(_manifest(root / MANIFEST)["key"])
    except Untrusted:
        return None


def write_layer(folder: Path, name: str, arrays: Mapping[str, NDArray[Any]], key: str) -> None:
    """Adds a layer of labels to a folder; its manifest is renamed last."""
    files = {part: _save(folder / f"{name}.{part}.npy", array) for part, array in arrays.items()}
    _replace(
        folder / f"{name}.json",
        {"format": FORMAT, "key": key, "folder": folder.name, "files": files, "facts": {}},
    )


def read_layer(folder: Path, name: str, key: str) -> dict[str, NDArray[Any]]:
    """Opens a layer that was built for `key`; raises Untrusted otherwise."""
    manifest = _manifest(folder / f"{name}.json")
    if manifest["key"] != key:
        raise Untrusted(f"{name} was built for {manifest['key']}, not {key}")
    return {
        part: _open(folder / f"{name}.{part}.npy", known, True) for part, known in manifest["files"].items()
    }


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process or thread holds the lock file beside `path`."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sweep(root: Path) -> None:
    """Removes folders that no manifest names and that are older than KEEP_OLD_S."""
    try:
        kept = _manifest(root / MANIFEST)["folder"]
    except Untrusted:
        kept = None
    for folder in root.iterdir():
        if folder.is_dir() and folder.name != kept and time.time() - folder.stat().st_mtime > KEEP_OLD_S:
            shutil.rmtree(folder, ignore_errors=True)


# ── One file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _save(path: Path, array: NDArray[Any]) -> dict[str, Any]:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "crc32": _crc(path)}


def _open(path: Path, known: Mapping[str, Any], verify: bool) -> NDArray[Any]:
    try:
        if path.stat().st_size != known["bytes"]:
            raise Untrusted(f"{path.name} has {path.stat().st_size} bytes, not {known['bytes']}")
        if verify and _crc(path) != known["crc32"]:
            raise Untrusted(f"{path.name} is not as it was written")
        with HEADERS:
            opened = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise Untrusted(str(problem)) from problem
    return np.asarray(opened)  # a plain array over the mapping: compiled loops take it


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            crc = zlib.crc32(chunk, crc)
    return crc


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise Untrusted(str(problem)) from problem
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Untrusted(f"{path.name} is of another format")
    if not {"key", "folder", "files", "facts"} <= found.keys():
        raise Untrusted(f"{path.name} is incomplete")
    return found


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(3)}")
    with temporary.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
