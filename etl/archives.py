"""Unpacking `.zip` and `.gz` without trusting them: names, links, sizes and counts are checked on what really comes out.

Declared sizes lie, so bytes are counted while they are written. Names are flattened into one folder (a file
geodatabase keeps its own `name.gdb` folder); archives inside archives stay closed.
"""

from __future__ import annotations

import atexit
import gzip
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from etl.limits import MB, Limits
from geo.errors import FileTooLarge, RefusedFile

BLOCK = 1 << 18
RATIO_FROM = 1 * MB  # below this, even a high ratio is harmless
NESTED = (".zip", ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".kmz")
UNSAFE = re.compile(r"(^[/\\])|(^[A-Za-z]:)|((^|[/\\])\.\.([/\\]|$))|[\x00-\x1f]")


def unpack(path: Path, limits: Limits | None = None, into: Path | None = None) -> Path:
    """The content of a `.gz` (the file) or `.zip` (its only file, else the folder of its files); others as they are.

    What the file is, is decided by its first bytes, not its name. Without `into`, a folder that is removed when the
    program ends. Raises RefusedFile with code archive-path, archive-too-large, archive-damaged, archive-encrypted.
    """
    limits = limits or Limits()
    with path.open("rb") as file:
        head = file.read(4)
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")):
        return path
    folder = into or _folder()
    if head.startswith(b"\x1f\x8b"):
        return gunzip(path, folder, limits)
    unzip(path, folder, limits)
    found = list(folder.iterdir())
    return found[0] if len(found) == 1 else folder


def gunzip(path: Path, folder: Path, limits: Limits) -> Path:
    """Decompress one `.gz` file into `folder`, counting bytes."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    target = folder / (PurePosixPath(name).name or "content")
    packed = path.stat().st_size
    try:
        with gzip.open(path, "rb") as source, target.open("wb") as out:
            _copy(source, out, packed, 0, limits)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path.name) from error
    return target


def unzip(path: Path, folder: Path, limits: Limits) -> list[Path]:
    """Extract a `.zip` into `folder` with flattened names; returns the files."""
    try:
        with zipfile.ZipFile(path) as archive:
            chosen = _entries(archive, limits)
            written: list[Path] = []
            total = 0
            for info, name in chosen:
                target = folder / name
                target.parent.mkdir(exist_ok=True)
                with archive.open(info) as source, target.open("xb") as out:
                    total += _copy(source, out, info.compress_size, total, limits)
                written.append(target)
            return written
    except FileExistsError as error:
        raise _path(Path(str(error.filename)).name, "名称重复", "occurs twice") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise _damaged(path.name) from error


def _entries(archive: zipfile.ZipFile, limits: Limits) -> list[tuple[zipfile.ZipInfo, str]]:
    """The entries worth extracting with their flat names, after all checks that need no bytes."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    geodatabase = any(".gdb/" in info.filename.replace("\\", "/").lower() for info in infos)
    allowed = limits.geodatabase_entries if geodatabase else limits.entries
    if len(infos) > allowed:
        raise FileTooLarge(
            f"压缩包内有 {len(infos)} 个文件，最多允许 {allowed} 个。",
            f"The archive holds {len(infos)} files; at most {allowed} are allowed.",
            code="archive-too-large",
            do_zh="请只打包一个图层。",
            do_en="Pack one layer only.",
        )
    chosen = []
    for info in infos:
        name = _name(info)
        if UNSAFE.search(name):
            raise _path(
                name,
                "路径越出压缩包（..、绝对路径或控制字符）",
                "leaves the archive ('..', absolute or control characters)",
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _path(name, "是符号链接", "is a symbolic link")
        if info.flag_bits & 1:
            raise RefusedFile(
                "压缩包已加密，无法读取。",
                "The archive is encrypted and cannot be read.",
                code="archive-encrypted",
                do_zh="请提供未加密的文件。",
                do_en="Give a file without a password.",
            )
        flat = _flat(name)
        if flat is not None:
            chosen.append((info, flat))
    return chosen


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name; Windows in China writes GBK without saying so, which zipfile shows as cp437."""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            raw = name.encode("cp437")
        except UnicodeEncodeError:
            return name.replace("\\", "/")
        for encoding in ("utf-8", "gb18030"):
            try:
                return raw.decode(encoding).replace("\\", "/")
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _flat(name: str) -> str | None:
    """`a/b/c.shp` -> `c.shp`, `x/y.gdb/t` -> `y.gdb/t`; None for what an operating system left behind or an archive."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or "__MACOSX" in parts
        or parts[-1].startswith("._")
        or parts[-1] in (".DS_Store", "Thumbs.db")
    ):
        return None
    if parts[-1].lower().endswith(NESTED):
        return None
    if len(parts) > 1 and parts[-2].lower().endswith(".gdb"):
        return f"{parts[-2]}/{parts[-1]}"
    return parts[-1]


def _copy(source: IO[bytes] | gzip.GzipFile, out: IO[bytes], packed: int, before: int, limits: Limits) -> int:
    """Copy with a count: more than the total, or blown up more than `ratio` times, ends it."""
    done = 0
    while block := source.read(BLOCK):
        done += len(block)
        if before + done > limits.unpacked_bytes:
            raise _too_large(
                f"解压后超过 {limits.unpacked_bytes // MB} MB",
                f"unpacks to more than {limits.unpacked_bytes // MB} MB",
            )
        if done > RATIO_FROM and done > limits.ratio * max(packed, 1):
            raise _too_large(
                f"压缩比超过 {limits.ratio} 倍", f"unpacks to more than {limits.ratio} times its size (ratio)"
            )
        out.write(block)
    return done


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wangge-unpack-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _too_large(zh: str, en: str) -> FileTooLarge:
    return FileTooLarge(
        f"压缩包{zh}。",
        f"The archive {en}.",
        code="archive-too-large",
        do_zh="请解压后检查内容，再分批提供。",
        do_en="Unpack it, look at what it holds, and give it in parts.",
    )


def _path(name: str, zh: str, en: str) -> RefusedFile:
    return RefusedFile(
        f"压缩包中的“{name[:80]}”{zh}。",
        f"In the archive, {name[:80]!r} {en}.",
        code="archive-path",
        do_zh="请重新打包，只包含数据文件本身。",
        do_en="Pack it again with nothing but the data files.",
    )


def _damaged(name: str) -> RefusedFile:
    return RefusedFile(
        f"压缩文件“{name}”已损坏或不完整。",
        f"The archive {name!r} is damaged or cut short.",
        code="archive-damaged",
        do_zh="请重新下载或重新打包。",
        do_en="Download or pack it again.",
    )
