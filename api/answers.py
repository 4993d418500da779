"""What the service sends: a body with its validator, its cache rule and, on demand, its compressed form.

An `Answer` may be kept and sent many times. It answers `If-None-Match` with 304 and compresses at most once.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import policy, problems
from geo.errors import WanggeError

NOT_STORED = "no-store"
VARY = "Accept, Accept-Encoding, Accept-Language, Authorization, Cookie"
COMPRESSIBLE = (
    "application/json",
    "application/geo+json",
    policy.MVT,
    "text/",
    "application/javascript",
    "image/svg",
)
COMPRESS_FROM_BYTES = 1024
GZIP_LEVEL = 4


class Answer(Response):
    """A finished response.

    `etag` is the bare validator (it is sent weak, for the compressed form is another sequence of bytes); `cache` the
    whole Cache-Control value.
    """

    def __init__(
        self,
        content: bytes,
        media_type: str,
        *,
        status: int = 200,
        etag: str | None = None,
        cache: str = NOT_STORED,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[str] = (),
    ) -> None:
        self.status_code, self.body, self.media_type, self.background = status, content, media_type, None
        self.validator = f'W/"{etag}"'.encode() if etag else None
        fixed = {"cache-control": cache, "vary": VARY, **(headers or {})}
        if self.validator:
            fixed["etag"] = self.validator.decode()
        self._kept = [(name.lower().encode(), value.encode("latin-1")) for name, value in fixed.items()]
        self._kept += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
        kind = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
        self._plain = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(content)).encode()),
            *self._kept,
        ]
        self.raw_headers = self._plain
        self._squeezed: tuple[list[tuple[bytes, bytes]], bytes] | None = None
        self._may_squeeze = len(content) >= COMPRESS_FROM_BYTES and media_type.startswith(COMPRESSIBLE)

    @property
    def nbytes(self) -> int:
        """Memory it holds, compressed form included."""
        return len(self.body) + (len(self._squeezed[1]) if self._squeezed else 0) + 512

    def kept(self) -> dict[str, str]:
        """Its headers but content type and length, by lower-case name: what an answer given again must carry too."""
        return {name.decode(): value.decode("latin-1") for name, value in self._kept}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wants_gzip = False
        for name, value in scope["headers"]:
            if name == b"if-none-match" and self.validator and _matches(value, self.validator):
                await send({"type": "http.response.start", "status": 304, "headers": self._kept})
                await send({"type": "http.response.body", "body": b""})
                return
            if name == b"accept-encoding":
                wants_gzip = b"gzip" in value
        sent, content = self._plain, self.body
        if wants_gzip and self._may_squeeze:
            sent, content = self._squeezed or self._squeeze()
        await send({"type": "http.response.start", "status": self.status_code, "headers": sent})
        await send({"type": "http.response.body", "body": content})

    def _squeeze(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        content = gzip.compress(bytes(self.body), GZIP_LEVEL, mtime=0)
        length = (b"content-length", str(len(content)).encode())
        self._squeezed = ([self._plain[0], length, (b"content-encoding", b"gzip"), *self._kept], content)
        return self._squeezed


class AnswerCache:
    """Answers of one data version, the least recently used ones dropped beyond `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[Any, tuple[Answer, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def get(self, key: Any) -> Answer | None:
        """The kept answer, or None."""
        found = self._kept.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Any, answer: Answer) -> Answer:
        """Keeps an answer unless it alone would fill an eighth of the room."""
        size = 2 * answer.nbytes  # its compressed form may come later
        if size * 8 <= self.limit_bytes:
            with self._lock:
                if key not in self._kept:
                    self._kept[key] = (answer, size)
                    self._bytes += size
                while self._bytes > self.limit_bytes:
                    _, (_, dropped_bytes) = self._kept.popitem(last=False)
                    self._bytes -= dropped_bytes
        return answer

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def to_json(found: Any) -> bytes:
    """UTF-8 JSON: numpy arrays as they are, NaN as null, dates in ISO form."""
    return orjson.dumps(found, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _listed(value: Any) -> Any:
    """Arrays that orjson cannot walk by itself: of objects, or not contiguous."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def json(
    found: Any,
    *,
    etag: str | None = None,
    cache: str = NOT_STORED,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An answer of plain values."""
    return Answer(to_json(found), policy.JSON, etag=etag, cache=cache, status=status, headers=headers)


def problem(error: WanggeError, scope: Scope) -> Answer:
    """The problem+json answer for an error."""
    lang = problems.language(scope)
    content = to_json(problems.body(error, lang, scope.get("path", "")))
    sent = {"content-language": lang, **problems.headers(error)}
    return Answer(content, problems.MEDIA_TYPE, status=error.http_status, headers=sent)


def etag(*parts: object) -> str:
    """A short validator over everything the answer depends on.

    >>> etag("a", 1) == etag("a", 1) != etag("a", 2)
    True
    """
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=12).hexdigest()


def cache_rule(sight: str, seconds: int = 30) -> str:
    """Cache-Control: shared caches may keep what the public sees for a moment; what staff sees stays with them."""
    return f"public, max-age={seconds}" if sight == "public" else "private, no-cache"


def _matches(sent: bytes, validator: bytes) -> bool:
    return sent.strip() == b"*" or any(part.strip() in (validator, validator[2:]) for part in _parts(sent))


def _parts(sent: bytes) -> Iterable[bytes]:
    return sent.split(b",")
