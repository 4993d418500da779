"""OpenAPI tells what every route answers, and tells it truly: the checker that hears all other tests, itself tested."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api import policy
from tests.api.promised import Interface, promised_in_json

OIDC = {"/api/session/oidc", "/api/session/oidc/callback"}  # a redirection; JSON only says why there is none
GEOJSON = {"/api/plans/{plan}/export.geojson", "/api/consultations/{plan}/changes"}


@pytest.fixture
def house() -> Interface:
    """An interface of one route: a house with rooms."""
    rooms = {"type": "array", "items": {"$ref": "#/components/schemas/Room"}}
    schemas = {
        "House": {
            "type": "object", "required": ["rooms", "since"], "additionalProperties": False,
            "properties": {"rooms": rooms, "since": {"type": "string", "format": "date"}, "note": {"type": "string"}},
        },
        "Room": {
            "type": "object", "required": ["m2"], "additionalProperties": False,
            "properties": {"m2": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "doors": {"type": "integer"}},
        },
    }  # fmt: skip
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/House"}}}
    return Interface(
        {"paths": {"/api/city": {"get": {"responses": {"200": {"content": answer}}}}}, "components": {"schemas": schemas}}
    )  # fmt: skip


TRUE = {"rooms": [{"m2": 12.5, "doors": 2}, {"m2": None}], "since": "1998-05-01"}


def hear(house: Interface, body: Any, status: int = 200, kind: str = "application/json") -> list[str]:
    house.found.clear()
    request = httpx.Request("GET", "http://house/api/city")
    house.hear(httpx.Response(status, json=body, headers={"content-type": kind}, request=request))
    return house.found


def test_a_true_answer_is_noted_as_compared(house: Interface) -> None:
    assert hear(house, TRUE) == []
    assert house.compared == {("GET", "/api/city", 200)}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({**TRUE, "extra": 1}, "$.extra is superfluous"),
        ({"rooms": []}, "$.since is missing"),
        ({**TRUE, "since": None}, "$.since is 'None', not of type string"),
        ({**TRUE, "since": "1998-05"}, "$.since is '1998-05', not of format date"),
        ({**TRUE, "note": None}, "$.note is 'None', not of type string"),
        ({**TRUE, "rooms": [{"m2": "12"}]}, "$.rooms[0].m2 is none of 2 forms"),
        ({**TRUE, "rooms": [{"m2": 1, "doors": 2.0}]}, "$.rooms[0].doors is '2.0', not of type integer"),
        ({**TRUE, "rooms": [{"m2": 1, "doors": True}]}, "$.rooms[0].doors is 'True', not of type integer"),
        ({**TRUE, "rooms": {}}, "$.rooms is '{}', not of type array"),
        ([], "$ is '[]', not of type object"),
    ],
)
def test_a_lie_is_told_with_its_place(house: Interface, body: Any, where: str) -> None:
    (lie,) = hear(house, body)
    assert where in lie
    assert lie.startswith("GET http://house/api/city 200 application/json: ")


def test_what_is_not_promised_at_all_is_a_lie(house: Interface) -> None:
    assert "not promised at all" in hear(house, TRUE, status=201)[0]
    assert "not promised at all" in hear(house, TRUE, kind="application/geo+json")[0]


def test_an_unknown_word_of_json_schema_does_not_pass(house: Interface) -> None:
    with pytest.raises(KeyError, match="oneOf"):
        list(house.lies({"oneOf": []}, 1))


def test_every_route_of_json_promises_an_answer(heard: Interface) -> None:
    routes = {(rule.method, rule.path) for rule in policy.TABLE if rule.offers[0] == policy.JSON}
    assert routes == {(method, path) for method, path, _ in promised_in_json(heard)}
    with_json = {rule.path for rule in policy.TABLE if policy.JSON in rule.offers[1:]}
    assert with_json == OIDC | GEOJSON  # offered to who accepts no more than JSON


def test_every_route_promises_how_it_refuses(heard: Interface) -> None:
    for path, methods in heard.told["paths"].items():
        for method in methods:
            schema = heard.promise(method, path, 418, "application/problem+json")
            assert schema == {"$ref": "#/components/schemas/Problem"}, (method, path)


def test_objects_hold_what_is_named_and_no_more(heard: Interface) -> None:
    """An object is closed, or a mapping of free keys; and no two models share a name."""
    schemas = heard.told["components"]["schemas"]
    for name, schema in schemas.items():
        assert name.isidentifier() and "__" not in name, name
        if schema.get("type") == "object":
            assert schema.get("additionalProperties") is False, name
    assert len(schemas) > 150
