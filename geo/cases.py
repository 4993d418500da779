"""The words for cases: what the small numbers in a case row mean, and which cases a question is about.

A case row keeps `status` and `origin` as small integers; here are their names, used alike by the loaders, the command
line, the API and the column files.

>>> STATUS["closed"], ORIGIN_NAME[2]
(1, 'patrol')
>>> CaseFilter(categories=("01/0102",), origins=("citizen",)).origin_codes
(1,)
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from geo.errors import RefusedArgument

STATUS: dict[str, int] = {"open": 0, "closed": 1, "void": 2}
ORIGIN: dict[str, int] = {"unknown": 0, "citizen": 1, "patrol": 2, "sensor": 3, "other": 4}
STATUS_NAME: dict[int, str] = {code: name for name, code in STATUS.items()}
ORIGIN_NAME: dict[int, str] = {code: name for name, code in ORIGIN.items()}

FIRST_DATE, LAST_DATE = dt.date(1900, 1, 1), dt.date(2200, 1, 1)


@dataclass(frozen=True)
class CaseFilter:
    """Which cases are asked for; an empty tuple or None does not narrow.

    `from_date` ≤ day opened < `to_date`, days of the city's clock (half-open). `categories`: keys `top` or `top/sub`
    made of the codes, matching in every catalogue. `origins`, `statuses`: names of ORIGIN and STATUS.

    Raises RefusedArgument, naming the field, for an unknown name, a date out of 1900–2200, or a period that ends
    before it begins.
    """

    from_date: dt.date | None = None
    to_date: dt.date | None = None
    categories: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _known("origin", self.origins, ORIGIN)
        _known("status", self.statuses, STATUS)
        for field, date in (("from", self.from_date), ("to", self.to_date)):
            if date is not None and not FIRST_DATE <= date <= LAST_DATE:
                raise RefusedArgument(
                    f"日期 {date} 不在 1900 至 2200 年之间。",
                    f"The date {date} is not between 1900 and 2200.",
                    code="date-range",
                    field=field,
                )
        if self.from_date and self.to_date and self.to_date < self.from_date:
            raise RefusedArgument(
                f"时段终点 {self.to_date} 早于起点 {self.from_date}。",
                f"The period ends ({self.to_date}) before it begins ({self.from_date}).",
                code="period-reversed",
                field="to",
                do_zh="终点日期本身不计入时段。",
                do_en="The last date itself is not part of the period.",
            )

    @property
    def origin_codes(self) -> tuple[int, ...]:
        """The numbers of the wanted origins, ascending; empty for all."""
        return tuple(sorted({ORIGIN[name] for name in self.origins}))

    @property
    def status_codes(self) -> tuple[int, ...]:
        """The numbers of the wanted statuses, ascending; empty for all."""
        return tuple(sorted({STATUS[name] for name in self.statuses}))


def category_key(top: str, sub: str | None = None) -> str:
    """How a category is named in a question: the code of its 大类, and after a slash that of its 小类.

    >>> category_key("01", "0102")
    '01/0102'
    """
    return top if sub is None else f"{top}/{sub}"


def _known(field: str, names: tuple[str, ...], words: dict[str, int]) -> None:
    for name in names:
        if name not in words:
            allowed = ", ".join(words)
            raise RefusedArgument(
                f"{field} 不能是 {name[:40]!r}。",
                f"{field} cannot be {name[:40]!r}.",
                code=f"{field}-unknown",
                field=field,
                do_zh=f"可用：{allowed}。",
                do_en=f"Allowed: {allowed}.",
            )
