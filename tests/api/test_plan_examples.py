"""Every write on plans shows, in the description of the interface, a body that the service takes."""

from __future__ import annotations

from typing import Any

import pytest

JSON = "application/json"
NOBODY = "没有这个方案"


@pytest.fixture(scope="module")
def described(town: Any) -> Any:
    return town.get("/api/openapi.json").json()


def bodies(described: Any) -> dict[str, Any]:
    """Path → schema of the JSON body of every POST under /api/plans; a file of its own is no JSON."""
    found = {}
    for path, methods in described["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if path.startswith("/api/plans") and JSON in content:
            schema = content[JSON]["schema"]
            refs = [schema, *schema.get("anyOf", ())]
            name = next(r["$ref"] for r in refs if "$ref" in r).rsplit("/", 1)[1]
            found[path] = described["components"]["schemas"][name]
    return found


def test_every_post_has_a_body_described_or_takes_a_file(described: Any) -> None:
    posts = {
        p for p, methods in described["paths"].items() if p.startswith("/api/plans") and "post" in methods
    }
    assert len(posts) >= 20
    assert posts - set(bodies(described)) <= {"/api/plans/import"}


def test_every_body_has_an_example_that_is_taken(town: Any, described: Any) -> None:
    """Sent to a plan that is not there, or to the city: the body itself is never what is refused."""
    for path, schema in bodies(described).items():
        assert schema.get("examples"), f"no example of POST {path}"
        for example in schema["examples"]:
            asked = path.replace("{plan}", NOBODY).replace("{id}", "1")
            answer = town.ask("POST", asked, headers=town.admin, json=example)
            if "{plan}" in path:
                assert answer.status_code == 404, (path, answer.text)
                assert NOBODY in answer.json()["detail"], (path, answer.text)
            else:
                assert answer.status_code in (201, 202, 404), (path, answer.text)


def test_a_field_the_example_does_not_have_is_refused(town: Any, described: Any) -> None:
    """Else an example with a misspelt field would be taken, too."""
    for path, schema in bodies(described).items():
        asked = path.replace("{plan}", NOBODY).replace("{id}", "1")
        answer = town.ask("POST", asked, headers=town.admin, json={**schema["examples"][0], "nonsense": 1})
        assert answer.status_code in (400, 422), (path, answer.text)
        assert answer.json()["field"] == "nonsense", (path, answer.text)
