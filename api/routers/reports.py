"""`POST /api/reports`: the present view of the map as one file, in the reader's language; recorded in the audit."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request
from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from api import answers, policy, problems
from api.dependencies import ThePrincipal, TheService
from api.routers import shown
from api.schemas import MAX_CATEGORIES, MAX_CODES, Day, Given, Instant, Origin, Plain, Status, Word, refuse
from api.view_data import Gathered, View, gather
from api.view_report import view_report
from api.view_sheets import view_sheets
from api.writes import TheWrite
from geo.cases import CaseFilter
from geo.db.tables import Audit
from geo.errors import Lang
from geo.heat import Measure
from maps.reports import view_html, view_pdf, workbook

router = APIRouter(prefix="/api/reports", tags=["heat"])
MEDIA = {"html": policy.HTML, "pdf": policy.PDF, "xlsx": policy.XLSX}


class ViewOf(Given):
    """What the map shows: the parameters of the heat map, the chosen zones and the comparison."""

    by: Word = "grid"
    code: list[Word] = Field(default_factory=list, max_length=MAX_CODES)
    plan: str = Field("current", min_length=1, max_length=200)
    from_: Day | None = Field(None, alias="from")
    to: Day | None = None
    category: list[Word] = Field(default_factory=list, max_length=MAX_CATEGORIES)
    origin: list[Origin] = Field(default_factory=list, max_length=5)
    status: list[Status] = Field(default_factory=list, max_length=3)
    measure: Measure = "cases"
    asof: Instant | None = None
    versus: Literal["previous", "last-year"] = "previous"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise refuse("from 应早于 to。", "from must lie before to.", "to")
        return self


class ReportOf(Given):
    """The body of `POST /api/reports`."""

    format: Literal["html", "pdf", "xlsx"] = "pdf"
    lang: Literal["zh", "en"] | None = Field(
        None, description="默认按 Accept-Language / else by Accept-Language"
    )
    view: ViewOf = Field(default_factory=lambda: ViewOf.model_validate({}))


@router.post("", summary="The present view as a file")
def report(
    _: Annotated[Plain, Query()],
    given: ReportOf,
    request: Request,
    service: TheService,
    principal: ThePrincipal,
    write: TheWrite,
) -> answers.Answer:
    """HTML (one file, no request, prints on A4), PDF or XLSX: strip, map, trend, matrix, ranking with rank ranges, how sure."""
    shown.check_fine(principal, given.view.by, "view.by")
    lang: Lang = given.lang or problems.language(request.scope)

    def effect(session: Session) -> answers.Answer:
        now = dt.datetime.now(dt.UTC)
        today = service.today(session)
        found = gather(session, service.session, service.store, _view(given.view), today, lang)
        content = _content(found, given.format, lang, write.who, now)
        session.add(Audit(who=write.who, act="report", what=_recorded(found, given)))
        name = f"wangge-report-{today}.{given.format}"
        headers = {"content-disposition": f'attachment; filename="{name}"', "content-language": lang}
        return answers.Answer(content, MEDIA[given.format], headers=headers)

    return write.once(effect)


def _view(asked: ViewOf) -> View:
    where = CaseFilter(
        from_date=asked.from_,
        to_date=asked.to,
        categories=tuple(sorted(set(asked.category))),
        origins=tuple(sorted(set(asked.origin))),
        statuses=tuple(sorted(set(asked.status))),
    )
    codes = tuple(sorted(set(asked.code)))
    return View(asked.by, codes, asked.plan, where, asked.measure, asked.asof, asked.versus)


def _content(found: Gathered, form: str, lang: Lang, who: str, now: dt.datetime) -> bytes:
    if form == "xlsx":
        return workbook(view_sheets(found, lang, who, now))
    report = view_report(found, lang, who, now)
    return view_html(report).encode() if form == "html" else view_pdf(report)


def _recorded(found: Gathered, given: ReportOf) -> dict[str, object]:
    """What the audit keeps: which figures of how many zones left the house, unprotected (k null)."""
    first, stop = found.summary.period
    return {
        "format": given.format,
        "rows": len(found.heat.codes),
        "k": None,
        "by": found.view.by,
        "plan": found.heat.plan.id if found.heat.plan is not None else None,
        "measure": found.view.measure,
        "from": None if first is None else str(first),
        "to": None if stop is None else str(stop),
        "codes": len(found.view.codes),
    }
