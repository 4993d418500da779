"""The web application's files: `/`, hashed assets for a year, everything else to be asked for again."""

from __future__ import annotations

import functools
import mimetypes
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from api import answers
from geo.errors import NotFound, Unavailable

ROOT = Path(__file__).resolve().parent.parent.parent / "maps" / "static"
FOREVER = "public, max-age=31536000, immutable"
AGAIN = "no-cache"
IN_MEMORY_BYTES = 4 * 2**20
PAGES = frozenset(
    {"plans", "loads", "exports", "people"}
)  # addresses of the one application: see maps/web/src/lib/route


def index_file(root: Path = ROOT) -> Path | None:
    """The page, when it was built."""
    file = root / "index.html"
    return file if file.is_file() else None


class Files:
    """Plain ASGI: one built file, compressed when that pays, whole files with `Range` when large."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["wangge.params"].get("file", "index.html")
        if name.partition("/")[0] in PAGES:
            name = "index.html"
        ranged = any(key == b"range" for key, _ in scope["headers"])
        by_address = any(key == b"accept" and b"text/html" in value for key, value in scope["headers"])
        if by_address and self._find(name) is None and self._find("index.html") is not None:
            answer: answers.Answer | FileResponse = await run_in_threadpool(self._no_such_page)
        else:
            answer = await run_in_threadpool(self._answer, name, ranged)
        await answer(scope, receive, send)

    def _answer(self, name: str, ranged: bool) -> answers.Answer | FileResponse:
        file = self._find(name)
        if file is None:
            if name == "index.html":
                raise Unavailable(
                    "网页界面尚未构建。", "The web application is not built.", code="ui-not-built"
                )
            raise NotFound("没有这个文件。", "There is no such file.")
        cache = FOREVER if name.startswith("assets/") else AGAIN
        info = file.stat()
        if ranged or info.st_size > IN_MEMORY_BYTES:
            return FileResponse(file, headers={"cache-control": cache, "vary": answers.VARY})
        return _read(file, info.st_mtime_ns, info.st_size, cache)

    def _no_such_page(self) -> answers.Answer:
        """The application, which says to a person that there is no such page, where a program gets a problem."""
        return answers.Answer((self.root / "index.html").read_bytes(), "text/html", status=404, cache=AGAIN)

    def _find(self, name: str) -> Path | None:
        try:
            file = (self.root / name).resolve()
            known = file.is_relative_to(self.root) and file.is_file() and not file.name.startswith(".")
        except (OSError, ValueError):  # a name no file can have
            return None
        return file if known else None


class Basemap:
    """Plain ASGI: the operator's PMTiles file, by ranges; 404 when none is set."""

    def __init__(self, file: Path | None) -> None:
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.file is None or not self.file.is_file():
            raise NotFound("没有设置底图。", "No base map is set.")
        await FileResponse(self.file, media_type="application/vnd.pmtiles")(scope, receive, send)


@functools.lru_cache(maxsize=64)
def _read(file: Path, changed_ns: int, size: int, cache: str) -> answers.Answer:
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if media_type == "text/javascript":
        media_type = "application/javascript"
    return answers.Answer(
        file.read_bytes(), media_type, etag=answers.etag(file.name, changed_ns, size), cache=cache
    )
