"""A file that comes with a request becomes a job: stored, asked for once however often it is sent, removed otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api import answers, uploads, writes
from api.dependencies import Service
from api.jobs import queue
from api.routers.jobs import accepted
from geo.errors import Lang


async def as_job(
    request: Request, service: Service, kind: str, name: str, params: Mapping[str, Any], lang: Lang,
    check: Callable[[Session], None] | None = None,
) -> answers.Answer:  # fmt: skip
    """Stores the body under `name` and asks for a job of `kind`; 202 with its address. `check` may refuse before."""
    upload = await uploads.store(service.settings, name, request.stream())
    write = writes.of(request, upload.sha256)
    begun: list[int] = []

    def effect(session: Session) -> answers.Answer:
        if check is not None:
            check(session)
        begun.append(queue.ask(session, kind, {**params, **upload.params}, write.who))
        return accepted(session, begun[0], lang)

    try:
        answer = await run_in_threadpool(write.once, effect)
    except BaseException:
        uploads.remove(service.settings, upload.folder)
        raise
    if not begun:  # the key was known: its job has the file that came then
        uploads.remove(service.settings, upload.folder)
    return answer
