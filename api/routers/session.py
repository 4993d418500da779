"""`/api/session`: sign in by name and password or by token, who I am, my password, sign out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from api import accounts, answers, auth, limits, oidc, passwords, signing_in
from api.dependencies import Service, ThePrincipal, TheService
from api.schemas import Given, Plain, refuse
from api.shapes import people as promised

router = APIRouter(prefix="/api/session", tags=["session"])
Secret = Annotated[str, Field(min_length=1, max_length=200)]


class SignIn(Given):
    """What the page sends once: a name and a password, or a token."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "李明", "password": "…"}, {"token": "wg_…"}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    password: Secret | None = None
    token: Secret | None = Field(None, description="`wangge user token NAME` prints it")

    @model_validator(mode="after")
    def _one_way(self) -> SignIn:
        if (self.token is None) == (self.name is None) or (self.name is None) != (self.password is None):
            raise refuse(
                "请给出用户名和密码，或一个令牌。", "takes a name and a password, or a token.", "token"
            )
        return self


class NewPassword(Given):
    """One's own password, old and new."""

    old: Secret
    new: Annotated[str, Field(min_length=1, max_length=400)]


@router.get("", summary="Who I am", response_model=promised.Who)
def who(_: Annotated[Plain, Query()], service: TheService, principal: ThePrincipal) -> answers.Answer:
    """The role of this request (`public` without sign-in), its name and the area it is bound to."""
    if principal.area is None:
        return answers.json(_who(service, principal, None))
    with service.session() as session:
        return answers.json(_who(service, principal, accounts.area_name(session, principal.area)))


@router.post("", summary="Sign in", response_model=promised.Who)
def sign_in(
    _: Annotated[Plain, Query()], given: SignIn, request: Request, service: TheService
) -> answers.Answer:
    """Opens a session: an HttpOnly, SameSite=Strict cookie with a new secret. Ten tries a minute and address, ten a
    minute and forty an hour for one name (429 with Retry-After); an unknown name and a wrong password answer alike."""
    place = address(request, service)
    if given.name is not None and given.password is not None:
        opened, attempt = _with_password(service, request, given.name, given.password, place)
    else:
        opened, attempt = _with_token(service, request, (given.token or "").strip(), place)
    with service.session() as session:
        limits.forgive_sign_in(session, attempt)
        area = opened.principal.area
        name = accounts.area_name(session, area) if area else None
    return with_cookies(answers.to_json(_who(service, opened.principal, name)), request, opened)


@router.delete("", summary="Sign out", response_model=promised.Who)
def sign_out(
    _: Annotated[Plain, Query()], request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Ends this session, here and in the database, and takes the cookie back."""
    with service.session() as session:
        auth.sign_out(session, principal)
    forget_former(service, request)
    content = answers.to_json(_who(service, auth.ANONYMOUS, None))
    return _answer(content, [_cookie(request, auth.COOKIE, "", "/", 0)])


@router.post("/password", summary="Change one's own password", response_model=promised.Who)
def change_password(
    _: Annotated[Plain, Query()],
    given: NewPassword,
    request: Request,
    service: TheService,
    principal: ThePrincipal,
) -> answers.Answer:
    """The old password is asked for again; every other session of the account ends."""
    name = principal.name or ""
    attempt = limits.SignIn(address(request, service), name)
    with service.session() as session:
        stored = signing_in.own_password(session, principal)
    count_try(service, attempt, by=name)
    if not passwords.right(stored, given.old):
        raise signing_in.wrong_old_password()
    with service.session() as session:
        mine = principal.token_id if principal.by == "cookie" else None
        accounts.set_password(session, name, given.new, by=name, keep_session=mine)
        limits.forgive_sign_in(session, attempt)
        area = accounts.area_name(session, principal.area) if principal.area else None
    service.principals.clear()
    return answers.json(_who(service, principal, area))


def _with_password(
    service: Service, request: Request, name: str, password: str, place: str
) -> tuple[signing_in.Opened, limits.SignIn]:
    """Checks outside of any transaction: a hash takes longer than all the statements together."""
    device = request.cookies.get(auth.DEVICE_COOKIE)
    with service.session() as session:
        known = signing_in.look_up(session, accounts.plain_name(name), device)
    attempt = limits.SignIn(place, known.name, known.device)
    count_try(service, attempt)
    if not passwords.right(known.password_hash, password):
        raise signing_in.wrong_password()
    with service.session() as session:
        opened = signing_in.by_password(session, known, password, service.settings.session_hours)
        end_former(session, request)
    forget_former(service, request)
    return opened, attempt


def _with_token(
    service: Service, request: Request, token: str, place: str
) -> tuple[signing_in.Opened, limits.SignIn]:
    attempt = limits.SignIn(place)
    count_try(service, attempt)
    with service.session() as session:
        opened = signing_in.by_token(session, token, service.settings.session_hours)
        end_former(session, request)
    forget_former(service, request)
    return opened, attempt


def count_try(service: Service, attempt: limits.SignIn, by: str = "public") -> None:
    """Counts a try before it is looked at, in a transaction of its own: a failed one stays counted. Raises RateLimited."""
    try:
        with service.session() as session:
            limits.count_sign_in(session, attempt)
    except limits.Closed as closed:
        with service.session() as session:
            limits.note_closed(session, attempt, closed, by)
        raise


def end_former(session: Session, request: Request) -> None:
    """Ends what the browser brought along: at sign-in it gets everything new."""
    signing_in.end_former(session, request.cookies.get(auth.COOKIE), request.cookies.get(auth.DEVICE_COOKIE))


def forget_former(service: Service, request: Request) -> None:
    """This worker forgets the session that has just been ended; the others do within seconds."""
    cookie = request.cookies.get(auth.COOKIE)
    if cookie:
        service.principals.forget(auth.digest(cookie))


def with_cookies(
    content: bytes, request: Request, opened: signing_in.Opened, *, more: Iterable[str] = (), **answer: Any
) -> answers.Answer:
    """An answer that hands a new session to the browser."""
    assert opened.principal.expires_at is not None
    seconds = int((opened.principal.expires_at - dt.datetime.now(dt.UTC)).total_seconds())
    session = _cookie(request, auth.COOKIE, opened.secret, "/", seconds)
    device = _cookie(
        request, auth.DEVICE_COOKIE, opened.device, "/api/session", signing_in.DEVICE_DAYS * 86400
    )
    return _answer(content, [session, device, *more], **answer)


def _answer(content: bytes, cookies: list[str], **more: Any) -> answers.Answer:
    return answers.Answer(content, "application/json", cookies=cookies, **more)


def _cookie(request: Request, name: str, secret: str, path: str, seconds: int) -> str:
    secure = "; Secure" if encrypted(request) else ""
    return f"{name}={secret}; Path={path}; HttpOnly; SameSite=Strict; Max-Age={max(0, seconds)}{secure}"


def _who(service: Service, principal: auth.Principal, area_name: str | None) -> dict[str, Any]:
    area = None
    if principal.area is not None:
        area = {
            "level": principal.area.level,
            "code": principal.area.code,
            "name": area_name or principal.area.code,
        }
    return {
        "role": principal.role,
        "area": area,
        "name": principal.name,
        "expires_at": principal.expires_at,
        "oidc": oidc.label(service.settings),
    }


def encrypted(request: Request) -> bool:
    """Whether the browser came by https, as far as this process or a listed proxy knows."""
    trusted = request.app.state.service.settings.trusted_proxies
    if request.client and request.client.host in trusted:
        return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    return request.url.scheme == "https"


def address(request: Request, service: Service) -> str:
    """The caller's address, for counting."""
    peer = request.client.host if request.client else ""
    return limits.address(peer, dict(request.scope["headers"]), service.settings.trusted_proxies)
