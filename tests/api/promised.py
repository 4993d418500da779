"""Holds the interface to its word: every JSON answer that a test obtains is compared with what OpenAPI says about it.

`Interface.lies` compares one answer; `listening` puts it behind every `httpx` client, so that no test has to ask for it.
The checker knows the words of JSON Schema that our models use and refuses any other, so nothing passes unread.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from api import policy
from api.app import create_app
from api.jobs.kinds import KINDS
from geo.settings import Settings

PROSE = {"description", "examples", "title", "default"}
WORDS = PROSE | {
    "$ref", "type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems",
    "anyOf", "enum", "const", "format",
}  # fmt: skip


@dataclass
class Interface:
    """What OpenAPI says, what was not so, and which answers were compared: (method, path, status)."""

    told: Mapping[str, Any] = field(repr=False)
    found: list[str] = field(default_factory=list)
    compared: set[tuple[str, str, int]] = field(default_factory=set, repr=False)

    def hear(self, answer: httpx.Response) -> None:
        """Compares an answer with its promise; what is not so is noted."""
        kind = answer.headers.get("content-type", "").partition(";")[0]
        row = policy.match(answer.request.url.path)
        method = answer.request.method
        if row is None or method not in row.rules or not kind.endswith("json") or not answer.content:
            return
        path = row.rules[method].path
        if path not in self.told["paths"]:  # files of the page, or a service that is not ours
            return
        schema = self.promise(method, path, answer.status_code, kind)
        where = f"{method} {answer.request.url} {answer.status_code} {kind}"
        if schema is None:
            self.found.append(f"{where}: not promised at all")
            return
        content = without_odd_results(answer.json())
        self.found += [f"{where}: {lie}" for lie in self.lies(schema, content)][:5]
        self.compared.add((method, path, answer.status_code))

    def promise(self, method: str, path: str, status: int, kind: str) -> Mapping[str, Any] | None:
        """The schema of an answer; None where the interface names no such status or media type, {} for a file."""
        responses = self.told["paths"][path][method.lower()]["responses"]
        named = responses.get(str(status), responses.get("default") if status >= 400 else None)
        content = (named or {}).get("content", {}).get(kind)
        return None if content is None else content.get("schema", {})

    def lies(self, schema: Any, value: Any, at: str = "$") -> Iterator[str]:
        """Where a value is not as its schema says. Raises KeyError for a word of JSON Schema that is not known here."""
        if schema in (True, {}):
            return
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/components/schemas/")
            yield from self.lies(self.told["components"]["schemas"][name], value, at)
            return
        unknown = set(schema) - WORDS
        if unknown:
            raise KeyError(f"{at}: {unknown} is not known to the checker")
        if "anyOf" in schema:
            yield from self._none_of(schema["anyOf"], value, at)
        if "const" in schema and value != schema["const"]:
            yield f"{at} is {value!r}, not {schema['const']!r}"
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at} is {value!r}, none of {schema['enum']}"
        if "type" in schema and not IS[schema["type"]](value):
            yield f"{at} is {str(value)[:60]!r}, not of type {schema['type']}"
            return
        if isinstance(value, dict):
            yield from self._object(schema, value, at)
        elif isinstance(value, list):
            yield from self._array(schema, value, at)
        elif isinstance(value, str) and not FORMATS.get(schema.get("format", ""), any_text)(value):
            yield f"{at} is {value!r}, not of format {schema['format']}"

    def _none_of(self, choices: list[Any], value: Any, at: str) -> Iterator[str]:
        tried = [list(self.lies(one, value, at)) for one in choices]
        if all(tried):
            nearest = max(tried, key=lambda lies: max(lie.count(".") + lie.count("[") for lie in lies))
            yield f"{at} is none of {len(choices)} forms; in the nearest {nearest[0]}"

    def _object(self, schema: Any, value: dict[str, Any], at: str) -> Iterator[str]:
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}.{name} is missing"
        for name, part in value.items():
            if name in known:
                yield from self.lies(known[name], part, f"{at}.{name}")
            elif schema.get("additionalProperties", True) is False:
                yield f"{at}.{name} is superfluous"
            else:
                yield from self.lies(schema.get("additionalProperties", True), part, f"{at}.{name}")

    def _array(self, schema: Any, value: list[Any], at: str) -> Iterator[str]:
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at} has {len(value)} items"
        first = schema.get("prefixItems", [])
        for i, part in enumerate(value):
            yield from self.lies(
                first[i] if i < len(first) else schema.get("items", True), part, f"{at}[{i}]"
            )


def without_odd_results(told: Any) -> Any:
    """Jobs without the results of kinds that only tests know (`odd_worker`): nothing is promised about these."""
    for job in [told, *told.get("jobs", ())] if isinstance(told, dict) else ():
        if isinstance(job, dict) and job.get("result") is not None and job.get("kind") not in KINDS:
            job["result"] = None
    return told


def any_text(value: str) -> bool:
    return True


def is_instant(value: str) -> bool:
    with contextlib.suppress(ValueError):
        return "T" in value and dt.datetime.fromisoformat(value).tzinfo is not None
    return False


def is_day(value: str) -> bool:
    with contextlib.suppress(ValueError):
        return len(value) == 10 and bool(dt.date.fromisoformat(value))
    return False


FORMATS = {"date-time": is_instant, "date": is_day}
IS = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


@cache
def interface() -> Interface:
    """The interface of this release, as it is published."""
    return Interface(json.loads(json.dumps(create_app(Settings.from_environment()).openapi())))


@contextlib.contextmanager
def listening(held: Interface) -> Iterator[None]:
    """Every answer to an `httpx.Client` is heard, also those to `httpx.get` and in threads; streams are not."""
    plain = httpx.Client.send

    def send(client: httpx.Client, request: httpx.Request, *args: Any, **more: Any) -> httpx.Response:
        answer = plain(client, request, *args, **more)
        if not more.get("stream"):
            held.hear(answer)
        return answer

    httpx.Client.send = send  # type: ignore[method-assign]
    try:
        yield
    finally:
        httpx.Client.send = plain  # type: ignore[method-assign]


def promised_in_json(held: Interface) -> set[tuple[str, str, int]]:
    """(method, path, status) of every success that has a model in JSON."""
    found = set()
    for path, methods in held.told["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if status.startswith("2") and answer.get("content", {}).get(policy.JSON, {}).get("schema"):
                    found.add((method.upper(), path, int(status)))
    return found
