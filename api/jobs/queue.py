"""Jobs in the database. Whoever asks for one does so in the transaction of the request; the worker hears of it at commit.

queued → running → done | failed | cancelled. A running job is its worker's as long as the worker gives a sign of life
(`seen_at`); then it is queued again once, and failed the second time. `tries` is the fence: whoever ends a job must
still be on the same try.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Select, and_, func, or_, select, text
from sqlalchemy.orm import Session

from geo.db.tables import Audit, Job
from geo.errors import Conflict, NotFound, RateLimited, WanggeError

CHANNEL = "wangge_job"
PRESENCE = 0x4A4F4253  # an advisory lock that every living worker shares
BEAT_S = 2.0
STALLED_S = 10.0
MOST_TRIES = 2
MOST_QUEUED = 200
KEPT_DAYS = 30
ENDED = ("done", "failed", "cancelled")
ABOUT = ("file", "what", "level", "source", "column", "dry_run", "layer", "format", "name")
_pair = func.jsonb_each(Job.params).table_valued("key", "value")
_about = select(func.coalesce(func.jsonb_object_agg(_pair.c.key, _pair.c.value), text("'{}'"))).where(
    _pair.c.key.in_(ABOUT)
)
_JOBS = select(
    Job.id, Job.kind, Job.state, Job.stage, Job.done, Job.total, Job.result, Job.problem, Job.author, Job.tries,
    Job.asked_at, Job.started_at, Job.finished_at, Job.cancel_asked_at, _about.scalar_subquery().label("about"),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A job that a worker has taken: what to do, for whom, the how-manieth try."""

    id: int
    kind: str
    params: dict[str, Any]
    author: str
    tries: int


@dataclass(frozen=True)
class Sight:
    """Whose jobs are seen: one's own, those about plans, all. A job that is not seen does not exist."""

    who: str = ""
    plans: bool = True
    all: bool = True

    @property
    def jobs(self) -> Select[Any]:
        """What is seen. A load holds rows of cases: whoever is no admin any more does not see those of before either."""
        if self.all:
            return _JOBS
        own = and_(Job.author == self.who, Job.kind != "load")
        return _JOBS.where(or_(own, Job.kind.like("plan.%")) if self.plans else own)


EVERYTHING = Sight()


# -- for whoever asks ------------------------------------------------------------------------------------------------


def ask(session: Session, kind: str, params: Mapping[str, Any], author: str) -> int:
    """Queues a job in the caller's transaction and returns its number; the worker is woken by the commit.

    Raises RateLimited `jobs-full` when `MOST_QUEUED` wait already.
    """
    waiting = session.scalar(text("SELECT count(*) FROM job WHERE state = 'queued'")) or 0
    if waiting >= MOST_QUEUED:
        raise RateLimited(
            f"已有 {waiting} 个作业在排队。", f"{waiting} jobs are waiting already.", code="jobs-full",
            measured=int(waiting), allowed=MOST_QUEUED, retry_after_s=60,
            do_zh="请稍后再试，或取消不需要的作业。", do_en="Try again later, or cancel some.",
        )  # fmt: skip
    job = Job(kind=kind, params=dict(params), author=author)
    session.add(job)
    session.flush()
    session.add(Audit(who=author, act="job.ask", what={"job": job.id, "kind": kind}))
    session.execute(text("SELECT pg_notify(:c, :id)"), {"c": CHANNEL, "id": str(job.id)})
    session.flush()
    return job.id


def show(session: Session, job: int, sight: Sight = EVERYTHING) -> dict[str, Any]:
    """One job as it stands; `about` is what of its parameters a person may want to know. Raises NotFound `no-such-job`."""
    row = session.execute(sight.jobs.where(Job.id == job)).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"没有作业 {job}。", f"There is no job {job}.", code="no-such-job", field="id",
            do_zh="请从作业列表（/api/jobs）中选取。",
            shell_zh="wangge jobs list 列出作业。",
            do_en="Choose one from the list of jobs (/api/jobs).",
            shell_en="`wangge jobs list` shows them.",
        )  # fmt: skip
    return dict(row)


def listing(
    session: Session, *, state: str | None = None, kind: str | None = None, limit: int = 100,
    before: int | None = None, sight: Sight = EVERYTHING,
) -> list[dict[str, Any]]:  # fmt: skip
    """Jobs, the latest first, those numbered below `before`."""
    wanted = sight.jobs
    if state is not None:
        wanted = wanted.where(Job.state == state)
    if kind is not None:
        wanted = wanted.where(Job.kind == kind)
    if before is not None:
        wanted = wanted.where(Job.id < before)
    rows = session.execute(wanted.order_by(Job.id.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


def cancel(session: Session, job: int, who: str, sight: Sight = EVERYTHING) -> dict[str, Any]:
    """Takes a queued job off the queue, asks a running one to stop; an ended one is a Conflict `job-ended`."""
    show(session, job, sight)
    done = session.execute(
        text(
            "UPDATE job SET cancel_asked_at = coalesce(cancel_asked_at, now()), "
            "finished_at = CASE WHEN state = 'queued' THEN now() END, "
            "state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END "
            "WHERE id = :id AND state IN ('queued', 'running') RETURNING id"
        ),
        {"id": job},
    ).one_or_none()
    found = show(session, job)
    if done is None:
        raise Conflict(
            f"作业 {job} 已经结束（{found['state']}），无可取消。",
            f"Job {job} has ended ({found['state']}); there is nothing to cancel.",
            code="job-ended", field="id", state=found["state"],
        )  # fmt: skip
    session.add(Audit(who=who, act="job.cancel", what={"job": job, "kind": found["kind"]}))
    session.flush()
    return found


def worker_lives(session: Session) -> bool:
    """Whether a worker is there to take jobs."""
    found = session.scalar(
        text(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = :key "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted)"
        ),
        {"key": PRESENCE},
    )
    return bool(found)


# -- for the worker --------------------------------------------------------------------------------------------------


def claim(session: Session) -> Asked | None:
    """Takes the oldest queued job, or None; two workers never take the same one."""
    row = session.execute(
        text(
            "UPDATE job SET state = 'running', tries = tries + 1, started_at = now(), seen_at = now(), stage = '', "
            "done = 0, total = NULL WHERE id = (SELECT id FROM job WHERE state = 'queued' ORDER BY id LIMIT 1 "
            "FOR UPDATE SKIP LOCKED) RETURNING id, kind, params, author, tries"
        )
    ).one_or_none()
    return Asked(*row) if row else None


def beat(session: Session, asked: Asked) -> float | None:
    """A sign of life of a running job. For how many seconds its end has been wished for (0: it has not); None when the
    job is no longer this worker's."""
    row = session.execute(
        text(
            "UPDATE job SET seen_at = now() WHERE id = :id AND tries = :tries AND state = 'running' "
            "RETURNING coalesce(extract(epoch FROM clock_timestamp() - cancel_asked_at), 0)"
        ),
        {"id": asked.id, "tries": asked.tries},
    ).one_or_none()
    return float(row[0]) if row else None


def end(
    session: Session, asked: Asked, state: str, *, result: Mapping[str, Any] | None = None,
    problem: WanggeError | None = None,
) -> bool:  # fmt: skip
    """Ends a job that is still on this try; False when it is not, and then nothing was written."""
    found = session.execute(
        text(
            "UPDATE job SET state = CAST(:state AS text), result = CAST(:result AS jsonb), problem = CAST(:problem AS jsonb), "
            "finished_at = clock_timestamp(), seen_at = clock_timestamp(), "
            "done = CASE WHEN CAST(:state AS text) = 'done' THEN coalesce(total, done) ELSE done END "
            "WHERE id = :id AND tries = :tries AND state = 'running' RETURNING id"
        ),
        {
            "id": asked.id,
            "tries": asked.tries,
            "state": state,
            "result": _json(result) if result is not None else None,
            "problem": _json(as_json(problem)) if problem is not None else None,
        },
    ).one_or_none()
    return found is not None


def give_back(session: Session, asked: Asked) -> None:
    """Queues a running job again as if this try had not been: its worker is asked to stop, the job is not at fault."""
    session.execute(
        text(
            "UPDATE job SET state = 'queued', tries = tries - 1, started_at = NULL, stage = '', done = 0, total = NULL "
            "WHERE id = :id AND tries = :tries AND state = 'running'"
        ),
        {"id": asked.id, "tries": asked.tries},
    )


def take_over(session: Session, *, only: Asked | None = None) -> list[int]:
    """Queues running jobs again whose worker gives no sign of life, or ends them: cancelled where that was wished,
    failed after `MOST_TRIES` tries. Their numbers. `only`: this one, whatever its last sign of life."""
    rows = session.execute(
        text(
            "UPDATE job SET state = CASE WHEN cancel_asked_at IS NOT NULL THEN 'cancelled' "
            "WHEN tries >= :most THEN 'failed' ELSE 'queued' END, "
            "finished_at = CASE WHEN cancel_asked_at IS NOT NULL OR tries >= :most THEN now() END, "
            "problem = CASE WHEN cancel_asked_at IS NULL AND tries >= :most THEN CAST(:problem AS jsonb) END "
            "WHERE id IN (SELECT id FROM job WHERE state = 'running' AND (CAST(:id AS bigint) IS NULL OR id = :id) "
            "AND (CAST(:id AS bigint) IS NOT NULL OR seen_at < clock_timestamp() - make_interval(secs => :s)) "
            "AND (CAST(:tries AS integer) IS NULL OR tries = :tries) FOR UPDATE SKIP LOCKED) RETURNING id"
        ),
        {
            "most": MOST_TRIES,
            "problem": _json(as_json(abandoned())),
            "s": STALLED_S,
            "id": only.id if only else None,
            "tries": only.tries if only else None,
        },
    )
    return [int(row.id) for row in rows]


def tidy(session: Session) -> None:
    """Removes jobs that ended a month ago and answers kept for repeated requests longer than a day."""
    session.execute(
        text("DELETE FROM job WHERE finished_at < now() - make_interval(days => :d)"), {"d": KEPT_DAYS}
    )
    session.execute(text("DELETE FROM answered WHERE at < now() - interval '1 day'"))


def wanted_uploads(session: Session) -> set[str]:
    """The uploads of jobs that wait or run."""
    rows = session.scalars(
        text("SELECT params->>'upload' FROM job WHERE state IN ('queued', 'running') AND params ? 'upload'")
    )
    return set(rows)


def abandoned() -> WanggeError:
    """Why a job failed whose worker died under it twice."""
    return WanggeError(
        f"作业进程在 {MOST_TRIES} 次尝试中都中断了；没有留下任何更改。",
        f"The worker ended under this job in each of {MOST_TRIES} tries; nothing was changed.",
        code="job-abandoned",
        do_zh="请查看日志后再提交。", do_en="Look into the log, then ask for it again.",
    )  # fmt: skip


def as_json(problem: WanggeError) -> dict[str, Any]:
    """An error as it is stored with its job."""
    names = ("code", "zh", "en", "do_zh", "do_en", "shell_zh", "shell_en", "field", "facts")
    return {name: getattr(problem, name) for name in names}


def _json(found: Any) -> str:
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(found, default=_plain, option=options).decode().replace("\\u0000", "")


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
