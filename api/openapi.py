"""`/api/openapi.json` and `/api/docs`: the interface as a machine and as a person reads it, without a network.

FastAPI describes its own routes; the plain ASGI ones are described here from the same query models they parse with.
Who may ask stands in the policy table and is copied from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from jinja2 import Environment

from api import answers, openapi_answers, policy, problems
from api.dependencies import release
from api.openapi_examples import EXAMPLES, PLAIN, STYLE, TEMPLATE, PlainRoute
from api.schemas import Plain
from geo.tiles import LAYERS

router = APIRouter(tags=["interface"])


@router.get("/api/openapi.json", summary="OpenAPI 3.1", response_model=dict[str, Any])
def openapi_json(_: Annotated[Plain, Query()], request: Request) -> answers.Answer:
    """This interface as OpenAPI."""
    found = request.app.openapi()
    return answers.json(found, etag=answers.etag(release(), len(str(found))), cache="public, max-age=300")


@router.get("/api/docs", summary="This interface, explained")
def docs(_: Annotated[Plain, Query()], request: Request) -> answers.Answer:
    """A page without scripts: every route, who may ask, its parameters and an example."""
    page = Environment(autoescape=True).from_string(TEMPLATE)
    content = page.render(
        api=request.app.openapi(), groups=list(_groups(request.app.openapi())), layers=LAYERS
    )
    return answers.Answer(content.encode(), policy.HTML, cache="public, max-age=300")


@router.get("/api/docs.css", summary="Style sheet of the explanation", include_in_schema=True)
def docs_css(_: Annotated[Plain, Query()]) -> answers.Answer:
    """The style sheet of `/api/docs`."""
    return answers.Answer(STYLE.encode(), "text/css", cache="public, max-age=300")


def describe(app: FastAPI) -> None:
    """Makes `app.openapi()` hold the plain routes, the principals, the problem answers and examples."""
    made: dict[str, Any] = {}
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_complete(generate()))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(found: dict[str, Any]) -> dict[str, Any]:
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    openapi_answers.problem(schemas)
    found["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "`wangge user token NAME`"},
        "session": {"type": "apiKey", "in": "cookie", "name": "wangge_session"},
    }
    for route in PLAIN:
        found["paths"].setdefault(route.path, {})["get"] = _operation(route, schemas)
    for rule in policy.TABLE:
        operation = found["paths"].get(rule.path, {}).get(rule.method.lower())
        if operation is not None:
            _finish(operation, rule, schemas)
    found["components"]["schemas"] = openapi_answers.without_titles(schemas)
    return found


def _operation(route: PlainRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    inside = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
    return {
        "tags": [route.tag],
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", route.path).strip("_"),
        "parameters": [*inside, *_parameters(route)],
        "responses": {"200": {"description": "OK", "content": _answer(route, schemas)}},
    }


def _answer(route: PlainRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    model = openapi_answers.PLAIN.get(route.path)
    return {} if model is None else {policy.JSON: {"schema": openapi_answers.schema_of(model, schemas)}}


def _parameters(route: PlainRoute) -> Iterator[dict[str, Any]]:
    schema = route.model.model_json_schema(by_alias=True)
    for name, value in schema["properties"].items():
        value.pop("title", None)
        described = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if value.get("description"):
            described["description"] = value.pop("description")
        yield {**described, "schema": value}


def _finish(operation: dict[str, Any], rule: policy.Rule, schemas: dict[str, Any]) -> None:
    """What the policy table knows: who may ask, which media types, which problems."""
    operation["x-principals"] = sorted(rule.who)
    if "public" not in rule.who:
        operation["security"] = [{"bearer": []}, {"session": []}]
    responses = operation["responses"]
    _offered(responses, rule, schemas)
    example = EXAMPLES.get(rule.path)
    if example is not None:
        operation["x-example"] = example
    responses.pop("422", None)
    barred = () if "public" in rule.who else ("401", "403")
    for status in ("400", *barred, "404"):
        title = problems.TITLES[int(status)][1]
        responses[status] = {"description": title, "content": openapi_answers.REFUSED}
    responses["default"] = {"description": "Any other refusal or failure", "content": openapi_answers.REFUSED}


def _offered(responses: dict[str, Any], rule: policy.Rule, schemas: dict[str, Any]) -> None:
    """The media types of a success. JSON stands where a model of it does; a redirection has no content at all."""
    good = min((status for status in responses if status.startswith("2")), default=None)
    if good is None:
        return
    content = responses[good].setdefault("content", {})
    if policy.JSON not in rule.offers:
        content.pop(policy.JSON, None)
    for offered in rule.offers:
        if offered != policy.JSON:
            content.setdefault(offered, {})
    if rule.path in openapi_answers.FEATURES and policy.GEOJSON in rule.offers:
        model = openapi_answers.FEATURES[rule.path]
        content[policy.GEOJSON] = {"schema": openapi_answers.schema_of(model, schemas)}


def _groups(found: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(tag, operations with their method and path), in the order of the policy table."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for rule in policy.TABLE:
        operation = found["paths"].get(rule.path, {}).get(rule.method.lower())
        if operation is not None:
            entry = {"method": rule.method, "path": rule.path, "zh": rule.zh, **operation}
            groups.setdefault(operation["tags"][0], []).append(entry)
    yield from groups.items()
