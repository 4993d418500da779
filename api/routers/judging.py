"""`/api/plans/{plan}/score`, `/compare`, `/replay`: plans judged, for staff; equal questions are answered from memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.orm import Session

from api import answers, policy, statements
from api.dependencies import Service, ThePrincipal, TheService
from api.routers import shown
from api.schemas import Day, Filtered, Plain, Word
from api.shapes import judging as promised
from geo.areas import CITY
from geo.cases import CaseFilter
from geo.errors import WanggeError
from geo.heat import PlanRef
from grids import comparing, impact, judging, replay
from maps.reports import statement_html, statement_pdf

router = APIRouter(prefix="/api/plans", tags=["plans"])

NearM = Annotated[
    float | None, Field(ge=0, le=1000, description="定位误差，米 / how far off positions may be, m")
]
Tolerance = Annotated[float, Field(ge=0, le=10, description="均衡容差 / deviation still called even")]
Other = Annotated[str, Field(min_length=1, max_length=200, description="另一方案 / the plan beside it")]


class ScoreOf(Plain):
    """`/api/plans/{plan}/score`."""

    weight: Word = Field("cases", description="cases、households、workload、area 或列名 / or a column")
    tolerance: Tolerance = 0.10
    near_m: NearM = None


class Beside(ScoreOf):
    """Another plan beside the plan, with the cases of a period."""

    with_: Other = Field(alias="with")
    from_: Day | None = Field(None, alias="from", description="起始日（含） / first day")
    to: Day | None = Field(None, description="结束日（不含） / day after the last")


class CompareWith(Beside):
    """`/api/plans/{plan}/compare`."""

    format: Literal["json", "geojson"] | None = Field(
        None, description="geojson：易手的单元 / the units that change hands"
    )


class ImpactWith(Beside):
    """`/api/plans/{plan}/impact`."""

    format: Literal["pdf", "html"] = "pdf"


class ReplayWith(Filtered):
    """`/api/plans/{plan}/replay`."""

    with_: Other = Field(alias="with")
    weight: Literal["cases", "workload"] = "cases"
    near_m: NearM = None
    seed: int = Field(0, ge=0, le=2**31 - 1, description="随机种子 / seed")
    replicates: int = Field(1000, ge=10, le=5000, description="重抽次数 / bootstrap replicates")


@router.get("/{plan}/score", summary="The scorecard of a plan", response_model=promised.Scorecard)
def score(
    asked: Annotated[ScoreOf, Query()], plan: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Every figure of `docs/scores.md`; what cannot be computed is null, and `missing` says why."""

    def make(session: Session, found: list[PlanRef]) -> answers.Answer:
        card = judging.scorecard(
            session, found[0].id, weight=asked.weight, tolerance=asked.tolerance, near_m=asked.near_m
        )
        return answers.json(card.as_dict())

    return _kept(service, principal.sight, "score", [("plan", plan)], asked, make)


@router.get(
    "/{plan}/compare",
    summary="What changes hands from one plan to another",
    response_model=promised.Comparison,
)
def compare(
    asked: Annotated[CompareWith, Query()], plan: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Units, area, households, cases and facilities that change hands, pair by pair, and both scorecards."""

    def make(session: Session, found: list[PlanRef]) -> answers.Answer:
        made = comparing.compare(
            session, found[0].id, found[1].id, first=asked.from_, stop=asked.to,
            weight=asked.weight, tolerance=asked.tolerance, near_m=asked.near_m,
        )  # fmt: skip
        if asked.format == "geojson":
            return answers.Answer(answers.to_json(comparing.difference_map(made)), policy.GEOJSON)
        return answers.json(made.as_dict())

    return _kept(service, principal.sight, "compare", [("plan", plan), ("with", asked.with_)], asked, make)


@router.get(
    "/{plan}/replay", summary="The same cases of a period under two plans", response_model=promised.Replay
)
def replay_(
    asked: Annotated[ReplayWith, Query()], plan: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Balance, overdue and near-line figures under both plans; differences with 95 % intervals by paired weeks."""

    def make(session: Session, found: list[PlanRef]) -> answers.Answer:
        made = replay.replay(
            session, service.store.current(), found[0].id, found[1].id, shown.filter_of(asked),
            weight=asked.weight, near_m=asked.near_m, seed=asked.seed, replicates=asked.replicates,
        )  # fmt: skip
        return answers.json(dataclasses.asdict(made))

    return _kept(service, principal.sight, "replay", [("plan", plan), ("with", asked.with_)], asked, make)


@router.get("/{plan}/impact", summary="The one-page impact statement, PDF or HTML")
def impact_(
    asked: Annotated[ImpactWith, Query()], plan: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """What changes from one plan to another, for a meeting: A4, with map, scores, replay and lineage; sent as a file."""

    def make(session: Session, found: list[PlanRef]) -> answers.Answer:
        where = CaseFilter(asked.from_, asked.to)
        made = impact.impact(
            session, service.store.current(), found[0].id, found[1].id, where,
            weight=asked.weight, tolerance=asked.tolerance, near_m=asked.near_m,
        )  # fmt: skip
        said = statements.statement(session, made, asked.lang or "zh", service.today(session))
        if asked.format == "html":
            return answers.Answer(statement_html(said).encode(), policy.HTML)
        return answers.Answer(statement_pdf(said), policy.PDF)

    return _kept(
        service, principal.sight, f"impact {asked.lang}", [("plan", plan), ("with", asked.with_)], asked, make,
        headers={"content-disposition": f'attachment; filename="impact.{asked.format}"'},
    )  # fmt: skip


def _kept(
    service: Service,
    sight: str,
    what: str,
    words: list[tuple[str, str]],
    asked: Plain,
    make: Callable[[Session, list[PlanRef]], answers.Answer],
    headers: Mapping[str, str] | None = None,
) -> answers.Answer:
    """The answer from memory, or made now: it holds as long as the data and the plans' revisions do."""
    with service.session(CITY) as session:
        found = [_named(service, session, field, word, sight) for field, word in words]
        states = [(ref.id, ref.state, ref.revision) for ref in found]
        validator = answers.etag(what, states, asked.model_dump_json(exclude={"lang"}), service.fresh.word())
        known = service.answers.get(validator)
        if known is not None:
            return known
        made = make(session, found)
    answer = answers.Answer(
        bytes(made.body),
        made.media_type or policy.JSON,
        etag=validator,
        cache=answers.cache_rule(sight),
        headers=headers,
    )
    return service.answers.put(validator, answer)


def _named(service: Service, session: Session, field: str, word: str, sight: str) -> PlanRef:
    try:
        return shown.plan(service, session, word, sight)
    except WanggeError as error:
        raise shown.renamed(error, "plan", field) from error
