"""The sample's two-level catalogue and the behaviour of each category, from `data/sample/catalogue.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geo.settings import reference

Floats = NDArray[np.float64]
ORIGINS = ("citizen", "patrol")


@dataclass(frozen=True)
class Catalogue:
    """Parallel arrays over the sub-categories, and the clocks of each origin."""

    code: tuple[str, ...]
    name: NDArray[np.object_]
    top: NDArray[np.object_]  # name of the 大类
    place: tuple[str, ...]
    limit_h: Floats
    late: Floats
    urgency: NDArray[np.int64]
    body: NDArray[np.object_]
    month_cdf: dict[str, Floats]  # origin -> (12, n) running sums
    month_rate: dict[str, Floats]  # origin -> (12,) relative number of cases
    hour_cdf: dict[str, Floats]
    weekday: dict[str, Floats]
    phrases: dict[str, tuple[str, ...]]
    phones: tuple[str, ...]


@lru_cache(maxsize=1)
def read() -> Catalogue:
    """The catalogue as arrays; read once."""
    raw = tomllib.loads(reference("sample/catalogue.toml").read_text(encoding="utf-8"))
    subs = raw["sub"]
    top_name = {top["code"]: top["name"] for top in raw["top"]}
    season = np.array([raw["seasons"][s["season"]] for s in subs]).T
    by_month = {o: season * np.array([s[o] for s in subs]) for o in ORIGINS}
    return Catalogue(
        code=tuple(s["code"] for s in subs),
        name=np.array([s["name"] for s in subs], dtype=object),
        top=np.array([top_name[s["code"][:3]] for s in subs], dtype=object),
        place=tuple(s["place"] for s in subs),
        limit_h=np.array([float(s["limit_hours"]) for s in subs]),
        late=np.array([s["late"] for s in subs]),
        urgency=np.array([s["urgency"] for s in subs]),
        body=np.array([s["body"] for s in subs], dtype=object),
        month_cdf={o: np.cumsum(m, axis=1) / m.sum(axis=1, keepdims=True) for o, m in by_month.items()},
        month_rate={o: m.sum(axis=1) / m.sum(axis=1).mean() for o, m in by_month.items()},
        hour_cdf={o: np.cumsum(raw["hours"][o]) / np.sum(raw["hours"][o]) for o in ORIGINS},
        weekday={o: np.array(raw["weekdays"][o]) for o in ORIGINS},
        phrases={o: tuple(raw["text"][o]) for o in ORIGINS},
        phones=tuple(raw["text"]["phone"]),
    )
