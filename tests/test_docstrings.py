"""Every example in a docstring runs and says what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import api
import etl
import geo
import grids
import maps

ROOMS = (api, etl, geo, grids, maps)
NOT_MODULES = {"api.__main__", "geo.db.migrations.env"}  # they act when they are imported


def modules() -> list[str]:
    found = [
        info.name
        for room in ROOMS
        for info in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
        if "versions" not in info.name and info.name not in NOT_MODULES
    ]
    return sorted([*found, *(room.__name__ for room in ROOMS)])


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is"
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
