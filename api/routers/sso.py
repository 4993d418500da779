"""`/api/session/oidc`: to the organisation's own sign-in and back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from api import accounts, answers, limits, oidc, signing_in
from api.dependencies import Service, TheService
from api.routers import session as sessions
from api.schemas import Plain
from geo.db.tables import AppUser
from geo.errors import RefusedArgument, WanggeError

router = APIRouter(prefix=oidc.PATH, tags=["session"])


class Begin(Plain):
    """Where the browser is now."""

    back: str = Field(
        oidc.HOME,
        max_length=16_000,
        description="登录后回到的页面（本站路径） / the page of this service to come back to",
    )


class Back(BaseModel):
    """What a provider sends along; more than this is let through unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str = Field("", max_length=4096)
    state: str = Field("", max_length=200)
    iss: str = Field("", max_length=2048)


@router.get("", summary="Single sign-on", status_code=303, response_class=Response)
def begin(asked: Annotated[Begin, Query()], request: Request, service: TheService) -> answers.Answer:
    """Sends the browser to the provider (303), with a cookie for the way back. Nobody is sent anywhere else than to a page
    of this service: another `back` means the map."""
    flow = oidc.Flow.begin(asked.back)
    try:
        address = oidc.provider(service.settings).address(flow)
    except WanggeError as problem:
        return _told(request, problem, flow)
    return _go(address, [_cookie(service, flow.cookie, oidc.FLOW_S)])


@router.get("/callback", summary="Where single sign-on comes back", status_code=303, response_class=Response)
def finish(asked: Annotated[Back, Query()], request: Request, service: TheService) -> answers.Answer:
    """Opens a session for the linked account and goes back to the page it began on; a program is told in problem+json what
    was wrong."""
    flow = oidc.Flow(request.cookies.get(oidc.COOKIE, ""))
    try:
        opened = _opened(asked, request, service, flow)
    except WanggeError as problem:
        return _told(request, problem, flow)
    return sessions.with_cookies(
        b"", request, opened, status=303, headers={"location": flow.back}, more=[_cookie(service, "", 0)]
    )


def _opened(asked: Back, request: Request, service: Service, flow: oidc.Flow) -> signing_in.Opened:
    provider = oidc.provider(service.settings)
    flow.check(asked.state)
    if not asked.code or (asked.iss and asked.iss != service.settings.oidc_issuer):
        raise oidc.failed("code")
    attempt = limits.SignIn(sessions.address(request, service))
    sessions.count_try(service, attempt)
    identity = provider.identity(flow, asked.code)
    with service.session() as session:
        user = _account(session, service, identity)
        opened = signing_in.open_session(session, user, "oidc", service.settings.session_hours)
        sessions.end_former(session, request)
        limits.forgive_sign_in(session, attempt)
    sessions.forget_former(service, request)
    return opened


def _account(session: Session, service: Service, identity: oidc.Identity) -> AppUser:
    """The account linked to the subject; where the setting says so, a new one that sees what the public sees."""
    user = session.scalar(select(AppUser).where(AppUser.oidc_subject == identity.subject))
    if user is None:
        if service.settings.oidc_unknown != "public":
            raise oidc.refused(
                "此人在本系统没有账号，请联系管理员。",
                "There is no account here for you; ask an admin.",
                "oidc-unknown",
            )
        return _newcomer(session, identity)
    if user.disabled_at is not None:
        raise oidc.refused("此账号已停用。", "This account is disabled.", "oidc-unknown")
    if service.settings.oidc_roles and user.role != "public":
        _follow(session, user, identity)
    return user


def _newcomer(session: Session, identity: oidc.Identity) -> AppUser:
    try:
        name = accounts.check_name(f"sso:{identity.name.strip()}")
        taken = not identity.name.strip() or session.scalar(select(AppUser.id).where(AppUser.name == name))
    except RefusedArgument:
        taken = True
    if taken:
        name = f"sso:{answers.etag(identity.subject)}"
    return accounts.add_user(session, name, "oidc", role="public", oidc_subject=identity.subject)


def _follow(session: Session, user: AppUser, identity: oidc.Identity) -> None:
    """Gives the account the role that the provider says; the last admin stays one, whatever it says."""
    if identity.role is None:
        raise oidc.refused(
            "单点登录没有给您任何角色。", "Your sign-on gives you no role here.", "oidc-no-role"
        )
    if identity.role == user.role:
        return
    try:
        accounts.change_user(session, user.name, accounts.Change(role=identity.role), "oidc")  # type: ignore[arg-type]
    except accounts.LastAdmin:
        return
    except RefusedArgument as problem:  # a worker or supervisor without an area
        raise oidc.refused(problem.zh, problem.en, "oidc-no-role") from problem


def _told(request: Request, problem: WanggeError, flow: oidc.Flow) -> answers.Answer:
    """What went wrong: a browser goes back to the page, which has the words for the code; a program gets the problem."""
    cookie = _cookie(request.app.state.service, "", 0)
    if "text/html" in request.headers.get("accept", ""):
        mark = "&" if "?" in flow.back else "?"
        return _go(f"{flow.back}{mark}signin={problem.code}", [cookie])
    raise problem


def _go(address: str, cookies: list[str]) -> answers.Answer:
    return answers.Answer(b"", "text/plain", status=303, headers={"location": address}, cookies=cookies)


def _cookie(service: Service, secret: str, seconds: int) -> str:
    """Lax, not Strict: the way back begins at the provider's page."""
    secure = "; Secure" if (service.settings.public_url or "").startswith("https:") else ""
    return f"{oidc.COOKIE}={secret}; Path={oidc.PATH}; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
