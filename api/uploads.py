"""Files that came with a request and wait for their job: each in a folder of its own, removed with the job."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from geo.errors import RefusedArgument, RefusedFile, Unavailable
from geo.settings import Settings

FORGOTTEN_S = 60.0  # from the end of an upload until its job is asked for: seconds, else its request has died
NAME_CHARACTERS = 100
NAME_BYTES = 255  # what a file system allows: 85 Chinese characters


@dataclass(frozen=True)
class Upload:
    """A stored file: the folder's word, the file's name, its size and digest."""

    folder: str
    name: str
    size_bytes: int
    sha256: bytes

    @property
    def params(self) -> dict[str, str]:
        """What a job keeps of it."""
        return {"upload": self.folder, "file": self.name}


def safe_name(given: str) -> str:
    """The last part of a file's name, if it is one.

    >>> safe_name("C:/地图/方案.gpkg")
    '方案.gpkg'
    """
    name = given.replace("\\", "/").rsplit("/", 1)[-1].strip()
    if (
        name in ("", ".", "..")
        or len(name) > NAME_CHARACTERS
        or len(os.fsencode(name)) > NAME_BYTES
        or not name.isprintable()
        or name.startswith(".")
    ):
        raise RefusedArgument(
            "文件名不可用。", "This file name cannot be used.", code="file-name", field="file",
            do_zh=f"请用 1–{NAME_CHARACTERS} 个字符的名称，带后缀，如 方案.gpkg。",
            do_en=f"Use a name of 1 to {NAME_CHARACTERS} characters with its ending, such as plan.gpkg.",
        )  # fmt: skip
    return name


async def store(settings: Settings, given: str, chunks: AsyncIterator[bytes]) -> Upload:
    """Writes a body to disk as it comes; nothing is left of one that breaks off. Refuses an empty one."""
    name, folder = safe_name(given), secrets.token_hex(16)
    place = settings.uploads_dir / folder
    digest, size = hashlib.sha256(), 0
    try:
        await run_in_threadpool(place.mkdir, 0o700, True)
        with (place / name).open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # held as long as this process lives and writes: see `tidy`
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                await run_in_threadpool(file.write, chunk)
            file.flush()
            await run_in_threadpool(os.fsync, file.fileno())
        if not size:
            raise RefusedFile("文件是空的。", "The file is empty.", code="file-empty", field="body")
    except OSError as problem:
        remove(settings, folder)
        raise Unavailable("磁盘写入失败。", "The disk cannot be written.", code="disk-full") from problem
    except BaseException:
        remove(settings, folder)
        raise
    return Upload(folder, name, size, digest.digest())


def path(settings: Settings, folder: str, name: str) -> Path:
    """Where a stored file is. Raises RefusedFile `upload-gone` when it is not there any more."""
    found = settings.uploads_dir / folder / name
    if not found.is_file():
        raise RefusedFile(
            "上传的文件已不在。", "The uploaded file is gone.", code="upload-gone",
            do_zh="请重新上传。", do_en="Upload it again.",
        )  # fmt: skip
    return found


def remove(settings: Settings, folder: str) -> None:
    """Removes one upload."""
    shutil.rmtree(settings.uploads_dir / folder, ignore_errors=True)


def tidy(settings: Settings, wanted: set[str]) -> None:
    """Removes uploads that no waiting or running job wants and nobody writes: what a killed service or worker left."""
    with contextlib.suppress(FileNotFoundError):
        for place in settings.uploads_dir.iterdir():
            with contextlib.suppress(OSError):
                if place.name not in wanted and _left(place):
                    shutil.rmtree(place, ignore_errors=True)


def _left(place: Path) -> bool:
    """Whether nothing was written there for a minute and no process holds its files."""
    files = [file for file in place.iterdir() if file.is_file()]
    newest = max((one.stat().st_mtime for one in (place, *files)), default=0.0)
    return time.time() - newest > FORGOTTEN_S and not any(_held(file) for file in files)


def _held(file: Path) -> bool:
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
