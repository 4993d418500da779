"""People with passwords for tests: made in the database, signed in over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import text

from api import auth
from geo.db import session as sessions

OURS = {"X-Requested-With": "wangge"}
PASSWORD = "seven brown tables"


def add(
    town: Any,
    name: str,
    role: str = "planner",
    area: auth.Area | None = None,
    password: str | None = PASSWORD,
) -> None:
    """An account of the town."""
    with sessions.session(town.settings, "owner") as session:
        auth.add_user(session, name, role=role, area=area, password=password)


def sign_in(town: Any, name: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    """The answer to a sign-in by name and password, from a browser that holds no cookie but those in `headers`."""
    body = {"name": name, "password": password}
    return httpx.post(town.url + "/api/session", json=body, headers={"Accept-Language": "en", **headers})


def cookies(answer: httpx.Response) -> dict[str, str]:
    """Name → secret of the cookies that an answer sets."""
    pairs = [line.partition(";")[0].partition("=") for line in answer.headers.get_list("set-cookie")]
    return {name: secret for name, _, secret in pairs}


def carrying(answer: httpx.Response) -> dict[str, str]:
    """The headers of the page after that sign-in: its cookies and the header that no other site can send."""
    return {"Cookie": "; ".join(f"{n}={s}" for n, s in cookies(answer).items()), **OURS}


def new_password(town: Any, name: str, password: str) -> None:
    """Sets a password as an admin does."""
    with sessions.session(town.settings, "owner") as session:
        auth.set_password(session, name, password)


def sql(town: Any, statement: str, **values: Any) -> Any:
    """The first value of a statement, as the owner of the database."""
    with sessions.session(town.settings, "owner") as session:
        found: Any = session.execute(text(statement), values)
        return found.scalar() if found.returns_rows else None


def forget_attempts(town: Any) -> None:
    """No sign-in counted, nothing kept by this worker."""
    sql(town, "DELETE FROM attempt")
    town.app.state.service.principals.clear()
