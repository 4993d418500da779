"""Sending files to the service in tests: people of every role, a file sent, its job waited for, what is left behind."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from geo.db import session as sessions
from geo.db.tables import AppUser, Token
from geo.settings import Settings
from tests.api.conftest import SIDE, SOUTH, STEP, WEST

BYTES = {"Content-Type": "application/octet-stream"}


def person(settings: Settings, name: str, role: str, area: tuple[str, str] | None = None) -> dict[str, str]:
    """An account of a role with a token: the headers that show it."""
    secret = "wg_" + secrets.token_urlsafe(32)
    level, code = area or (None, None)
    with sessions.session(settings, "owner") as session:
        user = AppUser(name=name, role=role, area_level=level, area_code=code)
        session.add(user)
        session.flush()
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        sha256 = hashlib.sha256(secret.encode()).digest()
        session.add(Token(user_id=user.id, sha256=sha256, expires_at=expires))
    return {"Authorization": f"Bearer {secret}"}


def send(town: Any, content: bytes, headers: dict[str, str] | None = None, **query: Any) -> httpx.Response:
    """A file to `/api/loads`; `from_` and the like lose their stroke."""
    asked = urlencode({name.rstrip("_"): value for name, value in query.items()})
    sent = {**town.admin, **BYTES, **(headers or {})}
    answer: httpx.Response = town.ask("POST", f"/api/loads?{asked}", content=content, headers=sent)
    return answer


def ended(town: Any, answer: httpx.Response, headers: dict[str, str] | None = None) -> Any:
    """The job of an answer, once it has ended."""
    assert answer.status_code == 202, answer.text
    place = answer.headers["location"]
    for _ in range(20):
        job = town.get(place + "?wait=15", headers=headers or town.admin).json()
        if job["finished_at"]:
            return job
    raise AssertionError(job)


def loaded(town: Any, content: bytes, **query: Any) -> Any:
    """The result of a load that succeeds."""
    job = ended(town, send(town, content, **query))
    assert job["state"] == "done", job["problem"]
    return job["result"]


def left(settings: Settings) -> list[Path]:
    """Uploads on disk, once the worker has had time to clear up."""
    deadline = time.monotonic() + 20
    while True:
        found = list(settings.uploads_dir.iterdir()) if settings.uploads_dir.exists() else []
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def case_rows(n: int, first: int = 0) -> list[list[str]]:
    """Cases inside the town, one a minute."""
    start = dt.datetime(2025, 3, 1, 8)
    return [
        [
            f"W{first + k:06d}",
            f"{start + dt.timedelta(minutes=k):%Y-%m-%d %H:%M:%S}",
            f"{WEST + (k % 97) / 97 * SIDE * STEP:.6f}",
            f"{SOUTH + (k % 89) / 89 * SIDE * STEP:.6f}",
            "暴露垃圾",
        ]
        for k in range(n)
    ]


HEADER = ["工单编号", "受理时间", "经度", "纬度", "类别"]


def as_csv(rows: list[list[str]], encoding: str = "utf-8") -> bytes:
    """A file of cases."""
    return "\n".join(",".join(row) for row in (HEADER, *rows)).encode(encoding)


def areas(shift: float = 0.0, scale: float = 1.0) -> bytes:
    """Four squares that cover the town, as GeoJSON; moved or measured otherwise where the numbers are to be wrong."""
    half, features = SIDE // 2 * STEP, []
    for j in range(2):
        for i in range(2):
            west, south = (WEST + i * half) * scale + shift, (SOUTH + j * half) * scale + shift
            side = half * scale
            ring = [
                [west, south],
                [west + side, south],
                [west + side, south + side],
                [west, south + side],
                [west, south],
            ]
            features.append(
                {
                    "type": "Feature",
                    "properties": {"code": f"W{i}{j}", "name": f"警区{i}{j}"},
                    "geometry": {"type": "Polygon", "coordinates": [ring]},
                }
            )
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()
