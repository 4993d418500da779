"""Every error as RFC 9457 `application/problem+json`, in Chinese or English, naming the field at fault.

One table of fixed titles, one translation of foreign exceptions into the error tree of `geo.errors`. What happened
inside the server (a trace, SQL, a path) goes to the log and never into a body.

>>> from geo.errors import RefusedArgument
>>> body(RefusedArgument("limit 太大。", "limit is too large.", field="limit"), "en", "/api/cases")["field"]
'limit'
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

import psycopg
import sqlalchemy.exc
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from geo.db import immutable
from geo.errors import Lang, NotFound, Refused, RefusedArgument, Unavailable, WanggeError

MEDIA_TYPE = "application/problem+json"
VALUE_CHARACTERS = 80
URL_BYTES = 16 * 1024

TITLES: Mapping[int, tuple[str, str]] = {
    400: ("请求有误", "The request cannot be accepted"),
    401: ("需要登录", "Sign in first"),
    403: ("没有权限", "Not allowed"),
    404: ("没有找到", "Not found"),
    405: ("不支持的方法", "Method not allowed"),
    406: ("没有可用的格式", "Not acceptable"),
    409: ("已被他人修改", "Conflict"),
    412: ("版本已过期", "Precondition failed"),
    413: ("内容过大", "Content too large"),
    414: ("网址过长", "URI too long"),
    415: ("不支持的内容类型", "Unsupported media type"),
    422: ("内容无法处理", "The content cannot be processed"),
    428: ("须说明所见版本", "Precondition required"),
    429: ("请求过多", "Too many requests"),
    500: ("服务器内部错误", "Internal error"),
    503: ("服务暂不可用", "Service unavailable"),
}

# What an error knows beside its sentence that a program may want: figures, who and when, the broken rules.
FACTS = (
    "measured", "allowed", "plan", "state", "winner", "approved_at", "revision", "author", "at", "grids", "units",
    "changed", "violations", "gap", "job", "approvers", "suggested", "missing", "shares", "row",
)  # fmt: skip

# What pydantic calls it → what a person reads; `{…}` is filled from the error's context.
MESSAGES: Mapping[str, tuple[str, str]] = {
    "missing": ("缺少此参数。", "is missing."),
    "extra_forbidden": ("没有这个参数。", "is not a parameter here."),
    "int_parsing": ("应为整数。", "must be a whole number."),
    "int_type": ("应为整数。", "must be a whole number."),
    "int_from_float": ("应为整数。", "must be a whole number."),
    "int_parsing_size": ("数字过大。", "is too large a number."),
    "float_parsing": ("应为数字。", "must be a number."),
    "finite_number": ("应为有限的数字。", "must be a finite number."),
    "greater_than_equal": ("不得小于 {ge}。", "must be at least {ge}."),
    "less_than_equal": ("不得大于 {le}。", "must be at most {le}."),
    "greater_than": ("应大于 {gt}。", "must be greater than {gt}."),
    "less_than": ("应小于 {lt}。", "must be less than {lt}."),
    "literal_error": ("应为 {expected} 之一。", "must be one of {expected}."),
    "enum": ("应为 {expected} 之一。", "must be one of {expected}."),
    "string_type": ("应为文字。", "must be text."),
    "string_too_long": ("最多 {max_length} 个字符。", "may have at most {max_length} characters."),
    "string_too_short": ("不得为空。", "must not be empty."),
    "string_pattern_mismatch": ("格式不对。", "has the wrong form."),
    "too_long": ("最多 {max_length} 个值。", "may have at most {max_length} values."),
    "bool_parsing": ("应为 true 或 false。", "must be true or false."),
    "json_invalid": ("不是有效的 JSON。", "is not valid JSON."),
    "model_attributes_type": ("应为 JSON 对象。", "must be a JSON object."),
}


OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*[a-z])")  # --code-field
NESTED = frozenset({"view"})  # objects inside a body, whose fields are named with a dot: view.measure


class RequestProblem(Refused):
    """The request as such (address, method, size, headers) cannot be accepted."""

    def __init__(self, status: int, code: str, zh: str, en: str, **more: Any) -> None:
        """`headers` are sent with the answer; the rest as `WanggeError`."""
        self.http_status = status  # type: ignore[misc]
        self.headers: Mapping[str, str] = more.pop("headers", {})
        super().__init__(zh, en, code=code, **more)


class Broken(WanggeError):
    """A fault of ours: the body says so and nothing else."""

    default_code = "internal"


def language(scope: Scope) -> Lang:
    """The person's language: `?lang=`, else the first of zh/en in Accept-Language, else Chinese.

    >>> language({"query_string": b"lang=en", "headers": []})
    'en'
    """
    query: bytes = scope.get("query_string", b"")
    if b"lang=en" in query:
        return "en"
    if b"lang=zh" in query:
        return "zh"
    for name, value in scope["headers"]:
        if name == b"accept-language":
            for part in value.lower().split(b","):
                if part.strip()[:2] in (b"en", b"zh"):
                    return "en" if part.strip()[:2] == b"en" else "zh"
    return "zh"


def body(problem: WanggeError, lang: Lang, instance: str) -> dict[str, Any]:
    """The problem object. Server faults have fixed texts only, whatever the error carried."""
    status = problem.http_status
    zh, en = TITLES.get(status, TITLES[400])
    if status >= 500:
        detail = _server_fault(problem, lang)
    else:
        detail = told(problem.zh, problem.do_zh) if lang == "zh" else told(problem.en, problem.do_en, " ")
    found: dict[str, Any] = {
        "type": f"urn:wangge:problem:{problem.code}",
        "title": zh if lang == "zh" else en,
        "status": status,
        "detail": detail,
        "instance": instance[:200],
        "lang": lang,
    }
    if problem.field is not None and status < 500:
        found["field"] = problem.field[:VALUE_CHARACTERS]
    if status < 500:
        found |= {name: _fact(problem.facts[name]) for name in FACTS if name in problem.facts}
    return found


def told(what: str, do: str, between: str = "") -> str:
    """What happened and what to do, for whoever is not at a command line: options go by the name of their field.

    >>> told("The CRS is not known.", "Load it with --crs EPSG:2249, or choose --code-field.", " ")
    'The CRS is not known. Load it with crs EPSG:2249, or choose code_field.'
    """
    return OPTION.sub(lambda found: found[1].replace("-", "_"), f"{what}{between}{do}".strip())


def with_problem(job: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    """A job as it is answered: its stored problem as a problem of ours, in the caller's language and in both."""
    stored = job["problem"]
    if stored is None:
        return dict(job)
    stored = {name: value for name, value in stored.items() if not name.startswith("shell_")}
    what = told(stored[lang], stored["do_" + lang], " " if lang == "en" else "")
    facts = {name: value for name, value in stored.pop("facts", {}).items() if name in FACTS}
    problem = {
        "type": f"urn:wangge:problem:{stored.pop('code')}",
        "detail": what,
        **stored,
        **facts,
    }
    return {**job, "problem": problem}


def headers(problem: WanggeError) -> dict[str, str]:
    """What a client needs beside the body: WWW-Authenticate, Retry-After, Allow."""
    sent: dict[str, str] = dict(getattr(problem, "headers", {}))
    if problem.http_status == 401:
        sent.setdefault("WWW-Authenticate", 'Bearer realm="wangge"')
    if problem.http_status in (429, 503):
        sent.setdefault("Retry-After", str(problem.facts.get("retry_after_s", 2)))
    return sent


def translate(error: BaseException) -> WanggeError:
    """Any exception as one of ours: what the client sent wrongly, what is down, or a fault of ours."""
    if isinstance(error, WanggeError):
        return error
    if isinstance(error, HTTPException):
        return _from_http(error)
    if isinstance(error, ValidationError):
        return from_validation(error.errors(include_url=False))
    if isinstance(error, sqlalchemy.exc.SQLAlchemyError | psycopg.Error):
        return _from_database(error)
    return Broken("服务器出错。", "The server failed.")


def from_validation(errors: Sequence[Any]) -> WanggeError:
    """The first finding of pydantic or FastAPI, as a refusal that names the parameter."""
    first = errors[0]
    context = {k: v for k, v in (first.get("ctx") or {}).items() if not isinstance(v, BaseException)}
    field = str(context.get("field") or _field(first.get("loc", ())))
    if first["type"] == "extra_forbidden":
        return RefusedArgument(
            f"没有参数 {_short(field)}。",
            f"There is no parameter {_short(field)} here.",
            code="parameter-unknown",
            field=field,
            do_zh="允许的参数见 /api/docs。",
            do_en="/api/docs lists the parameters.",
        )
    if "zh" in context and "en" in context:
        zh, en = str(context["zh"]), str(context["en"])
    else:
        zh, en = (
            text.format_map(_Known(context))
            for text in MESSAGES.get(first["type"], ("无效。", "is not valid."))
        )
    return RefusedArgument(f"参数 {_short(field)}：{zh}", f"Parameter {_short(field)}: {en}", field=field)


def first_nul(query: bytes) -> str | None:
    """The name of the first parameter that holds a NUL character, which no text column can store."""
    for pair in query.split(b"&"):
        if b"%00" in pair or b"\0" in pair:
            return unquote_plus(pair.partition(b"=")[0].decode("latin-1")).replace("\0", "") or "?"
    return None


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def _field(loc: Sequence[Any]) -> str:
    names = [
        part for part in loc if isinstance(part, str) and part not in ("query", "path", "body", "header")
    ]
    if names and names[0] in NESTED:
        return ".".join(names[:2])
    return names[0] if names else "body"


def _fact(value: Any) -> Any:
    """A fact as plain values: dataclasses (violations) as objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_fact(one) for one in value]
    return value


def _short(text: str) -> str:
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"


def _server_fault(problem: WanggeError, lang: Lang) -> str:
    if problem.http_status != 503:
        return "服务器出错，已记录。" if lang == "zh" else "The server failed; the failure was logged."
    if problem.code == "too-slow":
        zh, en = "查询时间过长，请缩小范围。", "The query took too long; ask for less."
    elif problem.code == "oidc-unavailable":
        zh, en = "单点登录服务没有应答，请稍后再试。", "The sign-on provider does not answer; try again soon."
    elif problem.code == "ui-not-built":
        zh, en = (
            "网页界面尚未构建，请运行 ./run demo。",
            "The web application is not built; run `./run demo`.",
        )
    else:
        zh, en = "数据库暂时没有应答，请稍后再试。", "The database does not answer right now; try again soon."
    return zh if lang == "zh" else en


def _from_http(error: HTTPException) -> WanggeError:
    status = error.status_code
    if isinstance(error.__cause__, WanggeError):  # raised while the body was read
        return error.__cause__
    if status == 404:
        return NotFound("这里没有内容。", "There is nothing here.")
    if status == 405:
        return RequestProblem(
            405, "method-not-allowed", "此处不支持该方法。", "This method is not allowed here."
        )
    if status >= 500:
        return Broken("服务器出错。", "The server failed.")
    return RequestProblem(status, "request-malformed", "请求无法读取。", "The request cannot be read.")


def _from_database(error: BaseException) -> WanggeError:
    original = getattr(error, "orig", None) or error
    if isinstance(original, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
        return Unavailable("查询时间过长。", "The query took too long.", code="too-slow", retry_after_s=5)
    if getattr(original, "sqlstate", None) == immutable.SQLSTATE:
        return immutable.conflict()
    if isinstance(original, psycopg.DataError):
        return RefusedArgument("参数的值无效。", "A parameter's value is not valid.")
    down = (psycopg.OperationalError, psycopg.InterfaceError, sqlalchemy.exc.TimeoutError)
    if isinstance(original, (*down, psycopg.errors.UndefinedTable)):
        return Unavailable("数据库没有应答。", "The database does not answer.", code="database-unavailable")
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return Unavailable("数据库没有应答。", "The database does not answer.", code="database-unavailable")
    return Broken("服务器出错。", "The server failed.")
