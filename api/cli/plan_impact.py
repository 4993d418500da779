"""`wangge plan impact`: the one-page statement for the meeting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.files import check_output, write
from api.cli.groups import plan
from api.cli.plan_comparing import From, PlanA, PlanB, To, day
from api.cli.plan_judging import NearM, Tolerance, Weight, plan_id


@plan.command("impact")
def impact_statement(
    a: PlanA,
    b: PlanB,
    to: Annotated[Path, typer.Option("-o", "--output", help="影响说明 .pdf 或 .html / the statement")],
    first: From = None,
    stop: To = None,
    weight: Weight = "cases",
    tolerance: Tolerance = 0.10,
    near_m: NearM = None,
    seed: Annotated[int, typer.Option(help="随机种子 / seed")] = 0,
) -> None:
    """会上用的一页影响说明（A4）：改什么、前后对照、回放、沿革 / A one-page impact statement for the meeting."""
    from geo.cases import CaseFilter
    from geo.columns import ColumnStore
    from grids import impact

    ending = check_output(to, (".pdf", ".html"))
    where = CaseFilter(day("from", first), day("to", stop))
    with edge.work() as session, output.progress() as progress:
        store = ColumnStore(edge.settings(), watch=False)
        found = impact.impact(
            session,
            store.refresh(progress),
            plan_id(session, a),
            plan_id(session, b),
            where,
            weight=weight,
            tolerance=tolerance,
            near_m=near_m,
            seed=seed,
        )
        content = _rendered(session, found, ending)
        store.close()
    write(to, content)
    output.say(f"已写出 {to}", f"Written: {to}")


def _rendered(session: Any, found: Any, ending: str) -> bytes:
    from api.statements import statement
    from grids.stored import city_today
    from maps.reports import statement_html, statement_pdf

    said = statement(session, found, edge.lang(), city_today(session))
    return statement_pdf(said) if ending == ".pdf" else statement_html(said).encode()
