"""What every query and every JSON body has in common."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.values import refuse


class Plain(BaseModel):
    """What every route accepts: the language of its messages. Anything else is an unknown parameter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lang: Literal["zh", "en"] | None = Field(None, description="语言 / language of messages and names")


class Given(BaseModel):
    """What a JSON body must be like: no field beyond the named ones, no value taken for another type, no NaN, no NUL.

    Dates are `Day`, instants `Instant`; whole numbers that go into the database get `le=WHOLE`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name, value in given.items():
                if _has_nul(value) or _has_nul(name):
                    raise refuse("含有空字符。", "holds a NUL character.", str(name).replace("\0", ""))
        return given


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(part) for part in value)
