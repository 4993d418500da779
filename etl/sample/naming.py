"""Names and codes of the synthetic city: words from `data/sample/names.toml`, codes 6 + 3 + 3 digits beginning with 90."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

import numpy as np

from etl.sample.areas import Areas
from etl.sample.spec import SampleSpec
from geo.settings import reference


@dataclass(frozen=True)
class Names:
    """Code and name of every area, in the order of `Areas`."""

    city_code: str
    city: str
    district_codes: list[str]
    districts: list[str]
    street_codes: list[str]
    streets: list[str]
    community_codes: list[str]
    communities: list[str]


def words() -> dict[str, Any]:
    """The lists of `data/sample/names.toml`."""
    return tomllib.loads(reference("sample/names.toml").read_text(encoding="utf-8"))


def draw(spec: SampleSpec, areas: Areas) -> Names:
    """Name every area; 镇 and 村 where people are few. Codes follow GB/T 2260 and 民政 usage: 街道 001–099, 镇 100–199,
    社区 001–199, 村 201 and up."""
    rng, lists = spec.rng("names"), words()
    districts = len(np.unique(areas.district_of))
    district_codes = [f"{lists['city_code'][:4]}{2 + i:02d}" for i in range(districts)]
    rural_share = np.bincount(areas.street_of, weights=areas.rural) / np.bincount(areas.street_of)
    town = rural_share > 0.5
    street_names = _pick(lists["streets"], rng), _pick(lists["towns"], rng)
    streets = [next(street_names[int(t)]) + ("镇" if t else "街道") for t in town]
    street_codes = _number(district_codes, areas.district_of, town, 1, 100)
    community_names = (
        _pick([a + b for a in lists["community_first"] for b in lists["community_second"]], rng),
        _pick([f"{a}家{b}" for a in lists["village_first"] for b in lists["village_second"]], rng),
    )
    communities = [next(community_names[int(r)]) + ("村" if r else "社区") for r in areas.rural]
    community_codes = _number(street_codes, areas.street_of, areas.rural, 1, 201)
    return Names(
        city_code=lists["city_code"],
        city=lists["city"],
        district_codes=district_codes,
        districts=lists["districts"][:districts],
        street_codes=street_codes,
        streets=streets,
        community_codes=community_codes,
        communities=communities,
    )


def _pick(pool: list[str], rng: np.random.Generator) -> Any:
    """The pool in random order, each word once; then again with a number behind it."""
    order = [pool[i] for i in rng.permutation(len(pool))]
    yield from order
    for turn in range(2, 100):
        yield from (f"{word}{turn}" for word in order)


def _number(parents: list[str], parent_of: Any, second: Any, first: int, second_first: int) -> list[str]:
    """Codes of three more digits: counted per parent, from `first` or, for the second kind, `second_first`."""
    used: dict[tuple[int, bool], int] = {}
    codes = []
    for parent, kind in zip(parent_of.tolist(), second.tolist(), strict=True):
        number = used.get((parent, kind), second_first if kind else first)
        used[parent, kind] = number + 1
        codes.append(f"{parents[parent]}{number:03d}")
    return codes
