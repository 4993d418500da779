"""Files that commands write: refused before any work is done, and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from geo.errors import RefusedArgument


def check_output(to: Path | None, endings: tuple[str, ...]) -> str:
    """The ending of an output file. Raises RefusedArgument `file-ending`, `folder-missing` before any work is done."""
    if to is None:
        return ""
    ending = to.suffix.lower()
    if ending not in endings:
        raise RefusedArgument(
            f"输出文件应以 {'、'.join(endings)} 结尾：{to.name}。",
            f"The output must end in {', '.join(endings)}: {to.name}.",
            code="file-ending",
            field="output",
        )
    if not to.parent.is_dir():
        raise RefusedArgument(
            f"没有目录 {to.parent}。",
            f"There is no folder {to.parent}.",
            code="folder-missing",
            field="output",
        )
    return ending


def write(to: Path, content: bytes) -> None:
    """Whole or not at all."""
    beside = to.with_name(to.name + ".part")
    beside.write_bytes(content)
    beside.replace(to)
