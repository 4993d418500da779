"""The page's types of the interface are made from the service's own description, and are not behind it."""

from __future__ import annotations

from pathlib import Path

import hatch_build

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "maps" / "web" / "src" / "lib" / "api-types.ts"


def test_the_types_are_those_of_the_interface(tmp_path: Path) -> None:
    fresh = tmp_path / "api-types.ts"
    hatch_build.types(target=fresh)
    assert fresh.read_text(encoding="utf-8") == KEPT.read_text(encoding="utf-8"), (
        "the interface changed: run `python hatch_build.py types` and commit maps/web/src/lib/api-types.ts"
    )


def test_prose_and_problems_are_left_out() -> None:
    told = {
        "get": {
            "description": "many words",
            "parameters": [{"name": "description", "schema": {"type": "string"}}],
            "responses": {"200": {"description": "OK", "content": {}}, "400": {"description": "no"}},
        }
    }
    assert hatch_build._bare(told) == {
        "get": {
            "parameters": [{"name": "description", "schema": {"type": "string"}}],
            "responses": {"200": {"description": "", "content": {}}},
        }
    }
