"""The audit chain: is every row still as it was written, and are all of them there?

A row's hash covers its number, time, who, act and content and the hash of the row before, so a changed, missing,
added or moved row breaks the chain at a number that can be named. Cutting off the newest rows breaks nothing inside;
for that the head (number and hash of the last row) is **sealed** now and then into a file outside the database, signed
with a key that only the operator's account can read (HMAC-SHA-256). After a restore from a backup the chain begins
again at the restored head, and the file says so.

    verify(session, settings).first_bad is None
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.session import raw
from geo.errors import Unavailable
from geo.settings import Settings

_ROWS = (
    "SELECT id, seq, sha256, jsonb_build_array(seq, extract(epoch FROM at), who, act, what)::text AS written "
    "FROM audit ORDER BY seq NULLS FIRST, id"
)
ROWS_AT_ONCE = 10_000
_HEAD = text("SELECT seq, sha256 FROM audit WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")


@dataclass(frozen=True)
class Bad:
    """The first row that is not as it was written: its number in the chain, its id where there is one, and how."""

    seq: int
    id: int | None
    kind: str  # unchained, missing, altered, cut-off, seal-forged
    zh: str
    en: str


@dataclass(frozen=True)
class Verified:
    """How many rows were checked, the head of the chain, how many seals agree with it, and the first bad row if any."""

    rows: int
    head: str
    seals: int
    first_bad: Bad | None


@dataclass(frozen=True)
class Seal:
    """The head of the chain at a moment; `restored` where a backup was put back and the chain began again from it."""

    at: str
    seq: int
    sha256: str
    restored: bool = False


def verify(session: Session, settings: Settings) -> Verified:
    """Walks the whole chain, then compares it with the seals. Rows of this very transaction are not chained yet.

    >>> Verified(0, "", 0, None).first_bad is None
    True
    """
    seals = _seals(settings)
    forged = next((bad for _, bad in seals if bad), None)
    wanted = {seal.seq: seal for seal, _ in _since_restore(seals)}
    link, seen, agreed = b"", 0, 0
    session.flush()
    with raw(session).cursor(name="audit_chain", binary=True) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        for row_id, seq, sha256, written in cursor.execute(_ROWS):
            bad = _broken(row_id, seq, sha256, written, seen + 1, link)
            if bad is not None:
                return Verified(seen, link.hex(), agreed, bad)
            link, seen = sha256, seen + 1
            seal = wanted.get(seen)
            if seal is not None and seal.sha256 != link.hex():
                return Verified(seen, link.hex(), agreed, _altered(seen, row_id))
            agreed += seal is not None
    newest = max(wanted, default=0)
    if newest > seen:
        return Verified(seen, link.hex(), agreed, _cut_off(seen + 1, newest))
    return Verified(seen, link.hex(), agreed, forged)


def seal(session: Session, settings: Settings, *, restored: bool = False) -> Seal | None:
    """Writes the present head to the file of seals, unless the last seal says the same; None when nothing is new."""
    row = session.execute(_HEAD).one_or_none()
    seq, sha256 = (int(row.seq), bytes(row.sha256).hex()) if row else (0, "")
    seals = [one for one, _ in _seals(settings)]
    if not restored and (seq == 0 or (seals and (seals[-1].seq, seals[-1].sha256) == (seq, sha256))):
        return None
    made = Seal(dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), seq, sha256, restored)
    line = json.dumps({**asdict(made), "hmac": _sign(settings, made)}, separators=(",", ":")) + "\n"
    file = os.open(_file(settings), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, line.encode())
        os.fsync(file)
    except OSError as problem:
        raise Unavailable(
            f"审计封签写不进 {_file(settings)}：{problem.strerror}。",
            f"The audit seal cannot be written to {_file(settings)}: {problem.strerror}.",
        ) from problem
    finally:
        os.close(file)
    return made


def newest(
    session: Session, n: int, who: str | None = None, *, before: int | None = None
) -> list[dict[str, Any]]:
    """The last n acts, newest first, of one person or of all; those before an id."""
    rows = session.execute(
        text(
            "SELECT id, seq, at, who, act, what FROM audit WHERE (CAST(:who AS text) IS NULL OR who = :who) "
            "AND (CAST(:before AS bigint) IS NULL OR id < :before) ORDER BY id DESC LIMIT :n"
        ),
        {"who": who, "before": before, "n": n},
    )
    return [dict(row._mapping) for row in rows]


def people(session: Session) -> list[str]:
    """Everybody who ever did something, by name."""
    return list(session.scalars(text("SELECT DISTINCT who FROM audit ORDER BY who")))


def _broken(
    row_id: int, seq: int | None, sha256: bytes | None, written: str, number: int, link: bytes
) -> Bad | None:
    if seq is None:
        return Bad(
            number, row_id, "unchained",
            f"第 {row_id} 行不在链中（绕过触发器写入）。", f"Row {row_id} is not in the chain (written past the trigger).",
        )  # fmt: skip
    if seq != number:
        return Bad(
            number, None, "missing", f"链中缺第 {number} 号。", f"Number {number} of the chain is missing."
        )
    if hashlib.sha256(link + written.encode()).digest() != sha256:
        return _altered(number, row_id)
    return None


def _altered(number: int, row_id: int) -> Bad:
    return Bad(
        number, row_id, "altered",
        f"第 {number} 号（编号 {row_id}）与写入时不同。", f"Number {number} (id {row_id}) is not as it was written.",
    )  # fmt: skip


def _cut_off(first: int, newest: int) -> Bad:
    return Bad(
        first, None, "cut-off",
        f"第 {first} 至 {newest} 号曾经封签，现已不在。", f"Numbers {first} to {newest} were sealed and are gone.",
    )  # fmt: skip


def _since_restore(seals: list[tuple[Seal, Bad | None]]) -> list[tuple[Seal, Bad | None]]:
    """The seals that today's chain must agree with: those from the last restore on."""
    starts = [i for i, (one, _) in enumerate(seals) if one.restored]
    return seals[starts[-1] if starts else 0 :]


def _seals(settings: Settings) -> list[tuple[Seal, Bad | None]]:
    """Every seal of the file in order, with what is wrong with its signature."""
    path = _file(settings)
    found: list[tuple[Seal, Bad | None]] = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        try:
            fields = json.loads(line)
            sign = str(fields.pop("hmac"))
            one = Seal(**fields)
            honest = hmac.compare_digest(sign, _sign(settings, one))
        except (ValueError, TypeError, KeyError, AttributeError):
            one, honest = Seal("", 0, ""), False
        forged = Bad(
            one.seq, None, "seal-forged", f"第 {number} 行封签不是本机所签。", f"Line {number} of the seals was not signed here."
        )  # fmt: skip
        found.append((one, None if honest else forged))
    return found


def _sign(settings: Settings, one: Seal) -> str:
    content = json.dumps(asdict(one), sort_keys=True).encode()
    return hmac.new(_key(settings), content, hashlib.sha256).hexdigest()


def _key(settings: Settings) -> bytes:
    path = _file(settings).with_name("key")
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    made = secrets.token_bytes(32)
    with os.fdopen(file, "wb") as written:
        written.write(made)
    return made


def _file(settings: Settings) -> Path:
    folder = settings.home / "audit"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "seals.jsonl"
