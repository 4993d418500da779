"""What happens in the city: cases drawn in batches of whole days, so that any number streams in bounded memory.

Counts per day follow season, weekday, a slow growth and holidays; a case draws its category by month, its place by
category (with hot spots that come and go), its hour by origin, and its fate by the category's limit and how slow its
street is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from etl.sample import catalogue
from etl.sample.catalogue import Catalogue
from etl.sample.city import City
from etl.sample.lines import Floats
from etl.sample.sites import Sites

BATCH_CASES = 100_000
PATROL_SHARE = 0.42
JITTER_M = 12.0
JITTER_LIMIT_M = 45.0
HOT_SHARE, HOT_SITES = 0.16, 9
REPEAT_SHARE = {"citizen": 0.055, "patrol": 0.0}
PHONE_SHARE = {"citizen": 0.03, "patrol": 0.0}
SYNTHETIC_PHONE = 13_000_000_000
STATUS = ("处理中", "已办结", "不予受理")

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Cases of some days in order of opening. Times are seconds since 1970 on the city's clock; −1 is none."""

    origin: str
    first: int  # running number of the first case, from 0
    category: Ints  # index into the catalogue
    lonlat: Floats  # WGS 84
    words: NDArray[np.object_]  # where, in words
    opened: Ints
    dispatched: Ints
    due: Ints
    closed: Ints
    status: Ints  # index into STATUS
    satisfied: Ints  # 1 yes, 0 no, −1 not asked
    repeat_of: Ints  # running number of the earlier case, −1 none
    phrase: Ints
    phone: Ints  # −1 none, else a number to write

    def __len__(self) -> int:
        return len(self.category)


def per_origin(cases: int) -> dict[str, int]:
    """How many of the cases come by hotline and how many by patrol.

    >>> per_origin(1000)
    {'citizen': 580, 'patrol': 420}
    """
    patrol = round(cases * PATROL_SHARE)
    return {"citizen": cases - patrol, "patrol": patrol}


def stream(city: City, sites: dict[str, Sites], origin: str) -> Iterator[Batch]:
    """All cases of one origin, chronologically, in batches of at most about BATCH_CASES."""
    book = catalogue.read()
    per_day = _per_day(city, book, origin)
    hot = _hot_spots(city, sites, book)
    slow = city.spec.rng("slow").lognormal(0, 0.35, len(city.areas.streets))
    start = first = 0
    while start < len(per_day):
        stop = start + 1
        while stop < len(per_day) and per_day[start : stop + 1].sum() <= BATCH_CASES:
            stop += 1
        counts = per_day[start:stop]
        for part in _split(counts):
            rng = city.spec.rng(f"cases {origin} {start} {part[0]}")
            yield _batch(
                city,
                sites,
                book,
                hot,
                slow,
                origin,
                first,
                start + np.repeat(np.arange(len(counts)), part[1]),
                rng,
            )
            first += int(part[1].sum())
        start = stop


def _split(counts: Ints) -> Iterator[tuple[int, Ints]]:
    """One day may be larger than a batch (scale work): cut it; else the days as they are."""
    if len(counts) > 1 or counts[0] <= BATCH_CASES:
        yield 0, counts
        return
    pieces = int(np.ceil(counts[0] / BATCH_CASES))
    for i in range(pieces):
        yield i, np.array([counts[0] // pieces + (i < counts[0] % pieces)])


def _per_day(city: City, book: Catalogue, origin: str) -> Ints:
    """Cases per day, with exactly the wanted sum."""
    spec = city.spec
    days = np.datetime64(spec.first_day, "D") + np.arange(spec.days)
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    weekday = (days.astype(np.int64) + 3) % 7
    rate = book.month_rate[origin][month] * book.weekday[origin][weekday]
    rate = rate * (1 + 0.12 * np.arange(spec.days) / 365)
    rate *= spec.rng(f"days {origin}").lognormal(0, 0.10, spec.days)
    day_of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    rate[(month == 9) & (day_of_month <= 7)] *= 0.62  # National Day week
    rate[(month == 0) & (day_of_month <= 1)] *= 0.6
    rate[(month == 1) & (day_of_month >= 4) & (day_of_month <= 10)] *= 0.45  # about Spring Festival
    return spec.rng(f"counts {origin}").multinomial(per_origin(spec.cases)[origin], rate / rate.sum())


@dataclass(frozen=True)
class _HotSpots:
    """Per category: sites, and the days on which each is hot."""

    site: Ints  # (categories, HOT_SITES)
    start: Ints
    stop: Ints


def _hot_spots(city: City, sites: dict[str, Sites], book: Catalogue) -> _HotSpots:
    rng = city.spec.rng("hot")
    n = len(book.code)
    site = np.array([sites[place].draw(HOT_SITES, rng) for place in book.place])
    start = rng.integers(-200, city.spec.days - 20, (n, HOT_SITES))
    start[:, :2] = 0  # two of each are always hot
    stop = start + rng.integers(30, 260, (n, HOT_SITES))
    stop[:, :2] = city.spec.days
    return _HotSpots(site, start, stop)


def _batch(
    city: City,
    sites: dict[str, Sites],
    book: Catalogue,
    hot: _HotSpots,
    slow: Floats,
    origin: str,
    first: int,
    day: Ints,
    rng: np.random.Generator,
) -> Batch:
    n = len(day)
    base = np.datetime64(city.spec.first_day, "D")
    month = (base + day).astype("datetime64[M]").astype(np.int64) % 12
    category = _choose(book.month_cdf[origin][month], rng)
    hour = np.searchsorted(book.hour_cdf[origin], rng.random(n), side="right")
    second_of_day = np.minimum(hour, 23) * 3600 + rng.integers(0, 3600, n)
    opened = (base.astype(np.int64) + day) * 86_400 + second_of_day
    order = np.argsort(opened, kind="stable")
    category, opened, day = category[order], opened[order], day[order]
    repeat_of = _repeats(n, REPEAT_SHARE[origin], rng)
    category = _follow(category, repeat_of)
    lonlat, words, community = _places(sites, book, hot, category, day, repeat_of, rng)
    fate = _fates(city, book, slow, origin, category, opened, community, rng)
    asked = rng.random(n) < (0.62 if origin == "citizen" else 0.0)
    happy = rng.random(n) < np.where(fate["late"], 0.58, 0.89)
    phone = np.where(rng.random(n) < PHONE_SHARE[origin], SYNTHETIC_PHONE + rng.integers(0, 10_000, n), -1)
    return Batch(
        origin=origin,
        first=first,
        category=category,
        lonlat=lonlat,
        words=words,
        opened=opened,
        dispatched=fate["dispatched"],
        due=fate["due"],
        closed=fate["closed"],
        status=fate["status"],
        satisfied=np.where(asked & (fate["status"] == 1), happy.astype(np.int64), -1),
        repeat_of=np.where(repeat_of >= 0, repeat_of + first, -1),
        phrase=rng.integers(0, len(book.phrases[origin]), n),
        phone=phone,
    )


def _choose(running: Floats, rng: np.random.Generator) -> Ints:
    """One column per row of running sums."""
    chosen = (rng.random(len(running))[:, None] >= running).sum(axis=1)
    return np.asarray(np.minimum(chosen, running.shape[1] - 1))


def _repeats(n: int, share: float, rng: np.random.Generator) -> Ints:
    """For some cases the position of an earlier one that they repeat; −1 for the others."""
    back = rng.geometric(1 / 400, n)
    earlier = np.arange(n) - back
    repeat_of = np.where((rng.random(n) < share) & (earlier >= 0), earlier, -1)
    chained = (repeat_of >= 0) & (repeat_of[repeat_of] >= 0)  # what is repeated must itself be a first report
    return np.where(chained, -1, repeat_of)


def _follow(values: Ints, repeat_of: Ints) -> Ints:
    """A repeat takes the value of what it repeats."""
    followed = values.copy()
    again = repeat_of >= 0
    followed[again] = values[repeat_of[again]]
    return followed


def _places(
    sites: dict[str, Sites],
    book: Catalogue,
    hot: _HotSpots,
    category: Ints,
    day: Ints,
    repeat_of: Ints,
    rng: np.random.Generator,
) -> tuple[Floats, NDArray[np.object_], Ints]:
    """Position, words and community of every case: a site by category, sometimes a hot one, and some metres of jitter."""
    n = len(category)
    at = np.zeros(n, dtype=np.int64)
    kinds = np.array(book.place)[category]
    for kind, some in sites.items():
        mine = np.flatnonzero(kinds == kind)
        at[mine] = some.draw(len(mine), rng)
    slot = np.minimum(rng.geometric(0.3, n) - 1, HOT_SITES - 1)
    is_hot = (
        (rng.random(n) < HOT_SHARE) & (hot.start[category, slot] <= day) & (day < hot.stop[category, slot])
    )
    at = np.where(is_hot, hot.site[category, slot], at)
    at = np.where(repeat_of >= 0, at[repeat_of], at)
    lonlat, community = np.empty((n, 2)), np.zeros(n, dtype=np.int64)
    words = np.empty(n, dtype=object)
    for kind, some in sites.items():
        mine = np.flatnonzero(kinds == kind)
        lonlat[mine], words[mine], community[mine] = (
            some.lonlat[at[mine]],
            some.words[at[mine]],
            some.community[at[mine]],
        )
    jitter = np.clip(rng.normal(0, JITTER_M, (n, 2)), -JITTER_LIMIT_M / 1.5, JITTER_LIMIT_M / 1.5)
    lonlat += jitter / np.c_[111_320 * np.cos(np.radians(lonlat[:, 1])), np.full(n, 110_574.0)]
    return np.round(lonlat, 6), words, community


def _fates(
    city: City,
    book: Catalogue,
    slow: Floats,
    origin: str,
    category: Ints,
    opened: Ints,
    community: Ints,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.int64]]:
    """Dispatched, due, closed and status; what is not closed by the end of the last day is open."""
    n = len(category)
    end = (np.datetime64(city.spec.last_day, "D").astype(np.int64) + 1) * 86_400 - 1
    dispatched = opened + 60 + rng.exponential(2_400 if origin == "citizen" else 700, n).astype(np.int64)
    limit_s = (book.limit_h[category] * 3_600).astype(np.int64)
    late = rng.random(n) < np.clip(book.late[category] * slow[city.areas.street_of[community]], 0, 0.8)
    took = np.where(late, 1 + rng.lognormal(-0.7, 0.9, n), rng.beta(2.0, 2.6, n) * 0.97) * limit_s
    closed = np.maximum(opened + took.astype(np.int64), dispatched + 300)
    fate = rng.random(n)
    status = np.where(fate < 0.02, 2, 1)
    open_still = (closed > end) | (fate > 0.996)
    status = np.where(open_still, 0, status)
    return {
        "dispatched": np.where(dispatched > end, -1, dispatched),
        "due": opened + limit_s,
        "closed": np.where(open_still, -1, closed),
        "status": status,
        "late": late,
    }
