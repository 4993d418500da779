"""`/api/session`: a token for a cookie, who I am, sign out."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from api import answers, auth
from api.dependencies import Service, ThePrincipal, TheService
from api.schemas import Given, Plain

router = APIRouter(prefix="/api/session", tags=["session"])


class SignIn(Given):
    """What the page sends once."""

    token: str = Field(min_length=1, max_length=200, description="`wangge user token NAME` prints it")


class Who(BaseModel):
    """Who the service takes the caller for."""

    role: str
    area: dict[str, str] | None
    name: str | None
    expires_at: dt.datetime | None


@router.get("", summary="Who I am", response_model=Who)
def who(_: Annotated[Plain, Query()], principal: ThePrincipal) -> answers.Answer:
    """The role of this request (`public` without sign-in), its name and the area it is bound to."""
    return answers.json(_who(principal))


@router.post("", summary="Sign in", response_model=Who)
def sign_in(
    _: Annotated[Plain, Query()], given: SignIn, request: Request, service: TheService
) -> answers.Answer:
    """Exchanges a bearer token for an HttpOnly, SameSite=Strict cookie. Ten tries a minute and address."""
    address = _address(request, service)
    with service.session() as session:
        auth.count_attempt(session, address)
    with service.session() as session:
        secret, principal = auth.sign_in(session, given.token.strip())
        auth.forgive_attempt(session, address)
    assert principal.expires_at is not None
    seconds = int((principal.expires_at - dt.datetime.now(dt.UTC)).total_seconds())
    return _with_cookie(_who(principal), request, secret, seconds)


@router.delete("", summary="Sign out", response_model=Who)
def sign_out(
    _: Annotated[Plain, Query()], request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Ends this session, here and in the database, and takes the cookie back."""
    with service.session() as session:
        auth.sign_out(session, principal)
    cookie = request.cookies.get(auth.COOKIE)
    if cookie:
        service.principals.forget(auth.digest(cookie))
    return _with_cookie(_who(auth.ANONYMOUS), request, "", 0)


def _who(principal: auth.Principal) -> dict[str, Any]:
    area = {"level": principal.area.level, "code": principal.area.code} if principal.area else None
    return {"role": principal.role, "area": area, "name": principal.name, "expires_at": principal.expires_at}


def _with_cookie(found: dict[str, Any], request: Request, secret: str, seconds: int) -> answers.Answer:
    secure = "; Secure" if _encrypted(request) else ""
    cookie = f"{auth.COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max(0, seconds)}{secure}"
    content = answers.to_json(found)
    return answers.Answer(content, "application/json", headers={"set-cookie": cookie})


def _encrypted(request: Request) -> bool:
    trusted = request.app.state.service.settings.trusted_proxies
    if request.client and request.client.host in trusted:
        return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    return request.url.scheme == "https"


def _address(request: Request, service: Service) -> str:
    """The peer's address; the forwarded one only when the peer is a proxy we were told to trust."""
    peer = request.client.host if request.client else ""
    trusted = service.settings.trusted_proxies
    if peer in trusted:
        for hop in reversed(request.headers.get("x-forwarded-for", "").split(",")):
            if hop.strip() and hop.strip() not in trusted:
                return hop.strip()[:64]
    return peer
