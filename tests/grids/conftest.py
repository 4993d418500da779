"""A judged city in a database of its own, one for each module that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from geo.db import session as sessions
from geo.settings import Settings
from grids import proposals
from tests.grids import judged_city


@pytest.fixture(scope="module")
def judged(module_settings: Settings, insert_areas: Callable[..., int]) -> Settings:
    """The city of `judged_city`, with two drafts: 甲 (12 even areas) and 乙 (9 grids of equal cases, free)."""
    with sessions.session(module_settings, "owner") as session:
        judged_city.found(session, insert_areas)
        proposals.propose(session, name="甲", grids=12, weight="area")
        proposals.propose(session, name="乙", grids=9, weight="cases", nest="free")
    return module_settings


@pytest.fixture
def city(judged: Settings) -> Iterator[Session]:
    """A session on the judged city; what a test does to it is rolled back."""
    with Session(sessions.engine(judged, "owner"), expire_on_commit=False) as session:
        yield session
        session.rollback()
