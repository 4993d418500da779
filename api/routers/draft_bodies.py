"""What the acts on drafts take: one model per route, with the limits of what may be sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from api.schemas import WHOLE, Given, refuse

MOST_UNITS = 200_000
MOST_MOVES = 1_000
MOST_GRIDS = 20_000

Code = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Revision = Annotated[
    int | None, Field(ge=0, le=WHOLE, description="所见版本；或用 If-Match / the revision you saw")
]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Degrees = Annotated[float, Field(ge=-180, le=180)]
Point = Annotated[list[Degrees], Field(min_length=2, max_length=2, description="[lon, lat]")]


class Seen(Given):
    """Which state of the draft the caller has seen."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"revision": 12}]})

    revision: Revision = None


class _Units(Given):
    unit_ids: list[Annotated[int, Field(ge=1, le=WHOLE)]] | None = Field(None, max_length=MOST_UNITS)
    unit_codes: list[Code] | None = Field(None, max_length=MOST_UNITS)

    @property
    def units(self) -> list[Any]:
        """The units, by whichever they were named."""
        return self.unit_ids if self.unit_ids is not None else self.unit_codes or []

    def _one_way(self) -> None:
        if (self.unit_ids is None) == (self.unit_codes is None):
            raise refuse(
                "请给 unit_ids 或 unit_codes 之一。", "give either unit_ids or unit_codes.", "unit_ids"
            )


class UnitMove(_Units):
    """Units and the grid they go to: its code, `new`, or null to leave them open."""

    to_grid: Code | None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._one_way()
        return self


class UnitMoves(_Units, Seen):
    """One move (`unit_ids` or `unit_codes`, `to_grid`) or several (`moves`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"unit_codes": ["110101001001017"], "to_grid": "110101001001002", "revision": 12}]
        }
    )

    to_grid: Code | None = None
    moves: list[UnitMove] | None = Field(None, max_length=MOST_MOVES)

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.moves is None:
            self._one_way()
            if "to_grid" not in self.model_fields_set:
                raise refuse("缺少此参数（可为 null）。", "is missing (it may be null).", "to_grid")
        elif self.model_fields_set & {"unit_ids", "unit_codes", "to_grid"}:
            raise refuse(
                "与 unit_ids、to_grid 不能同时给出。", "cannot be given beside unit_ids or to_grid.", "moves"
            )
        elif sum(len(move.units) for move in self.moves) > MOST_UNITS:
            raise refuse(f"一次最多 {MOST_UNITS} 个单元。", f"may hold at most {MOST_UNITS} units.", "moves")
        return self

    def all_moves(self) -> list[UnitMove]:
        """The moves, however they were given."""
        if self.moves is not None:
            return self.moves
        return [UnitMove(unit_ids=self.unit_ids, unit_codes=self.unit_codes, to_grid=self.to_grid)]


class Split(Seen):
    """`parts` of equal load; or `posts` of each part; or along `line`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"grid": "110101001001002", "posts": [2, 1], "revision": 12}]}
    )

    grid: Code
    parts: int = Field(2, ge=2, le=1000)
    posts: list[Positive] | None = Field(None, min_length=2, max_length=1000)
    line: list[Point] | None = Field(None, min_length=2, max_length=10_000)
    seed: int = Field(0, ge=0, le=WHOLE)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = self.model_fields_set & {"parts", "posts", "line"}
        if len(given) > 1:
            raise refuse("parts、posts、line 只能给一个。", "give one of parts, posts and line.", min(given))
        return self


class Merge(Seen):
    """`grid` takes the ground of `other`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"grid": "110101001001002", "other": "110101001001003", "revision": 12}]
        }
    )

    grid: Code
    other: Code


class Fix(Seen):
    """Which grid is to be put right, and how even it shall be."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"grid": "110101001001002", "tolerance": 0.1, "revision": 12}]}
    )

    grid: Code
    tolerance: float | None = Field(None, gt=0, le=10)
    seed: int = Field(0, ge=0, le=WHOLE)


class Lock(Seen):
    """Which grids to lock, or with `locked` false to unlock."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"grids": ["110101001001002"], "locked": True, "revision": 12}]}
    )

    grids: list[Code] = Field(min_length=1, max_length=MOST_GRIDS)
    locked: bool = True


class Posts(Seen):
    """Posts by grid code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"posts": {"110101001001002": 2}, "revision": 12}]}
    )

    posts: dict[Code, Positive] = Field(min_length=1, max_length=MOST_GRIDS)


class Rename(Seen):
    """A grid's new name, code, or both."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"grid": "110101001001002", "name": "北街", "revision": 12}]}
    )

    grid: Code
    name: Code | None = None
    code: Code | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and self.code is None:
            raise refuse("请给 name 或 code。", "give a name or a code.", "name")
        return self


Bound = Annotated[float, Field(ge=0, le=1e15)]


class Setting(Seen):
    """What the draft is judged by; what is not named stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"nesting": "soft", "bands": {"households": [300, 500]}, "tolerance": 0.1, "revision": 12}
            ]
        }
    )

    nesting: Literal["strict", "soft", "free"] | None = None
    bands: dict[Code, list[Bound | None] | Bound] | None = Field(None, max_length=50)
    weights: list[Code] | None = Field(None, min_length=1, max_length=8)
    tolerance: float | None = Field(None, ge=0, le=10)


class Begin(Given):
    """A draft's name, and what it starts from: a plan by id, name, `current`, `as-of:DATE`, or nothing (`empty`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "2027 草案", "like": "current"}]})

    name: str = Field(min_length=1, max_length=80)
    like: Code = "current"
    empty: bool = False
    nesting: Literal["strict", "soft", "free"] | None = None
