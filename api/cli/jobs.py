"""`wangge jobs`: long work that was asked for over the service, and the worker that does it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import jobs
from api.cli.output import AsJson

Number = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="作业编号 / the job's number")
]
LOOK_S = 0.5


@jobs.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="queued, running, done, failed, cancelled")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="条数 / how many")] = 30,
    as_json: AsJson = False,
) -> None:
    """作业，最新的在前 / Jobs, the latest first."""
    from api.jobs import queue

    _check_state(state)
    with edge.work() as session:
        found = queue.listing(session, state=state, limit=limit)
        _say_without_worker(queue.worker_lives(session), found)
    output.result(found if as_json else [_brief(job) for job in found], as_json)


@jobs.command("show")
def show_job(
    number: Number,
    wait: Annotated[bool, typer.Option("--wait", help="等到结束 / until it has ended")] = False,
    as_json: AsJson = False,
) -> None:
    """一个作业；失败时退出码为 1 / One job; exit 1 when it failed."""
    from api.jobs import queue

    found = _waited_for(number) if wait else _look(number)
    output.result(found if as_json else _detailed(found), as_json)
    if found["state"] not in queue.ENDED:
        with edge.work() as session:
            _say_without_worker(queue.worker_lives(session), [found])
    if found["state"] == "failed":
        raise typer.Exit(1)


@jobs.command("cancel")
def cancel_job(
    number: Number,
    by: Annotated[str, typer.Option(help="取消人 / who cancels")] = "operator",
    as_json: AsJson = False,
) -> None:
    """取消作业：排队的不再开始，运行中的停下且不留下任何更改 / Stop a job; it leaves nothing."""
    from api.jobs import queue

    with edge.work() as session:
        found = queue.cancel(session, number, by)
    output.say(f"作业 {number} 已请求取消。", f"Job {number} is asked to stop.")
    output.result(found if as_json else _detailed(found), as_json)


@jobs.command("work")
def work() -> None:
    """运行作业进程（wangge up 自带） / Do the jobs, beside `wangge serve`; `wangge up` does so by itself."""
    from api.jobs import worker

    worker.main(edge.database())


def _look(number: int) -> dict[str, Any]:
    from api.jobs import queue

    with edge.work() as session:
        return queue.show(session, number)


def _waited_for(number: int) -> dict[str, Any]:
    from api.jobs import queue

    found = _look(number)
    with output.progress() as progress:
        while found["state"] not in queue.ENDED:
            progress(found["stage"] or found["state"], found["done"], found["total"])
            time.sleep(LOOK_S)
            found = _look(number)
    return found


def _brief(job: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "kind", "state", "stage", "done", "total", "author", "asked_at", "finished_at")
    return {name: job[name] for name in names} | {"problem": (job["problem"] or {}).get("code")}


def _detailed(job: dict[str, Any]) -> dict[str, Any]:
    problem = job["problem"]
    if problem is None:
        return job
    lang = edge.lang()
    do = problem.get("shell_" + lang) or problem["do_" + lang]
    return {**job, "problem": f"{problem['code']}: {problem[lang]} {do}".strip()}


def _check_state(state: str | None) -> None:
    from api.jobs import queue
    from geo.errors import RefusedArgument

    known = ("queued", "running", *queue.ENDED)
    if state is not None and state not in known:
        raise RefusedArgument(
            f"未知状态 {state}。", f"Unknown state {state!r}.", code="job-state", field="state",
            do_zh=f"请用 {'、'.join(known)}。", do_en=f"Use {', '.join(known)}.",
        )  # fmt: skip


def _say_without_worker(lives: bool, found: list[dict[str, Any]]) -> None:
    if not lives and any(job["state"] == "queued" for job in found):
        output.say(
            "没有作业进程在运行：请用 wangge up 或 wangge jobs work。",
            "No worker runs: use `wangge up` or `wangge jobs work`.",
        )
