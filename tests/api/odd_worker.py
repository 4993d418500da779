"""A worker of jobs that also knows odd kinds: work that crashes, grows, does not listen, fails. Run as a program."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.jobs import kinds, queue, worker
from api.jobs.kinds import Under
from geo.errors import Cancelled, RefusedArgument


def effect(session: Session, params: Mapping[str, Any]) -> None:
    """What must be there once or not at all."""
    session.execute(
        text(
            "INSERT INTO audit (who, act, what) VALUES ('odd', 'effect', jsonb_build_object('mark', CAST(:m AS text)))"
        ),
        {"m": params.get("mark")},
    )


def count(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    effect(session, params)
    steps = params.get("steps", 5)
    for i in range(steps):
        under.progress("count", i, steps)
        if under.cancel():
            raise Cancelled("已取消。", "Cancelled.")
        time.sleep(params.get("pause_s", 0.0))
    return {"counted": steps, "by": under.author}


def refuse(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    effect(session, params)
    raise RefusedArgument("不行。", "No.", code="too-few-grids", field="grids", measured=1, allowed=4, do_zh="请多给。",
                          do_en="Give more.")  # fmt: skip


def broken(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    effect(session, params)
    raise KeyError("/secret/path")


def crash(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    effect(session, params)
    session.flush()
    os.kill(os.getpid(), params["signal"])
    return {}


def deaf(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    effect(session, params)
    time.sleep(600)
    return {}


def grow(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    effect(session, params)
    held = []
    while True:
        held.append(os.urandom(2**20) * 16)
        time.sleep(0.01)


for work in (count, refuse, broken, crash, deaf, grow):
    kinds.KINDS[f"odd.{work.__name__}"] = f"__main__:{work.__name__}"

if __name__ == "__main__":
    signal.alarm(600)
    worker.HEED_S = float(os.environ.get("ODD_HEED_S", "1"))
    queue.STALLED_S = float(os.environ.get("ODD_STALLED_S", "3"))
    if not os.environ.get("ODD_PRELOAD"):
        kinds.preload = lambda: None  # the odd kinds need no engine
    worker.main()
