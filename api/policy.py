"""Who may ask what, and how far they see: the one table of routes, roles and scopes. What is not in it does not exist (404).

Every request passes `api.guard`, which looks here first; the application refuses to start when it has a route that is
not in the table, or the table a row without a route. `python -m api.policy > docs/access.md` writes the documentation.

>>> rule = match("/api/cases/7").rules["GET"]
>>> rule.who == FIELD, rule.scope
(True, 'area')
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

PRINCIPALS = ("public", "worker", "supervisor", "planner", "admin")
EVERYONE = frozenset(PRINCIPALS)
FIELD = frozenset(
    {"worker", "supervisor", "admin"}
)  # cases, a worker's and a supervisor's of their own area only
READERS = frozenset({"supervisor", "planner", "admin"})  # drafts and exact figures
PLANNERS = frozenset({"planner", "admin"})
ADMINS = frozenset({"admin"})

JSON = "application/json"
GEOJSON = "application/geo+json"
ARROW = "application/vnd.apache.arrow.stream"
MVT = "application/vnd.mapbox-vector-tile"
HTML = "text/html"
TEXT = "text/plain"
GPKG = "application/geopackage+sqlite3"
UPLOAD_BYTES = 200 * 2**20
LOAD_BYTES = 500 * 10**6  # as much as the loaders open (etl.limits)
FILES = (
    GPKG,
    GEOJSON,
    "application/zip",
    "application/flatgeobuf",
    "application/vnd.apache.parquet",
    "application/vnd.google-earth.kml+xml",
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)  # what an export may be
UPLOADS = (
    "application/octet-stream",
    GPKG,
    GEOJSON,
    "application/zip",
    "application/vnd.google-earth.kml+xml",
)
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Scope = Literal["none", "own", "sight", "area", "drafts", "export", "city", "people"]
SCOPES: Mapping[Scope, tuple[str, str]] = {
    "none": ("对所有人相同，不含城市数据", "the same for all, nothing of the city's data"),
    "own": ("只涉及提问者本人", "of the one who asks alone"),
    "sight": (
        "公众与网格员：k ≥ 5，仅已批准方案；其他人：精确数字与草案",
        "public and workers: k ≥ 5, approved plans; others: exact figures, drafts",
    ),
    "area": (
        "案件行：网格员与网格长仅本责任区，管理员全市",
        "rows of cases: a worker's and a supervisor's area; an administrator's whole city",
    ),
    "drafts": (
        "方案与草案，以全市案件计算数字，不给出案件行",
        "plans and drafts, with figures of all cases and no row of them",
    ),
    "export": (
        "精确的图层；案件行：网格长仅本责任区，管理员全市，规划员没有",
        "exact layers; rows of cases: a supervisor's area, an administrator's whole city, none for a planner",
    ),
    "city": ("全市的装载记录与拒收行", "what was loaded, with rejected rows of the whole city"),
    "people": ("账号与操作记录", "accounts, and what was done by whom"),
}


@dataclass(frozen=True)
class Rule:
    """One row: method and path, who may, how far they see, which media types are offered, how large a body may be.

    `scope` is a word of `SCOPES`; a row cannot be written without one.
    `identity` false: the caller's token is not even looked at (health, static files), so a wrong one does no harm.
    `body_bytes` is the largest body (0: none), `takes` the media types it may have. `named`: whoever asks must be signed
    in, whatever the role. `heavy_per_minute` limits one person (or network of strangers) on what costs much (0: no limit).
    """

    method: str
    path: str
    who: frozenset[str]
    offers: tuple[str, ...]
    zh: str
    en: str
    identity: bool = True
    body_bytes: int = 0
    takes: tuple[str, ...] = (JSON,)
    scope: Scope = field(kw_only=True)
    named: bool = False
    heavy_per_minute: int = 0


@dataclass(frozen=True)
class Found:
    """The rows of one path, by method, and what stood in its braces."""

    rules: Mapping[str, Rule]
    params: Mapping[str, str] = field(default_factory=dict)


_HEAT = (JSON, ARROW, GEOJSON)
_SMALL, _LIST, _UNITS = 16 * 1024, 2**20, 12 * 2**20  # bytes: a few words; a list of grids; 200 000 units

TABLE: tuple[Rule, ...] = (
    Rule(
        "GET", "/healthz", EVERYONE, (JSON,), "服务存活", "the process is alive", identity=False, scope="none"
    ),
    Rule("GET", "/readyz", EVERYONE, (JSON,), "能否应答", "it can answer", identity=False, scope="none"),
    Rule(
        "GET",
        "/metrics",
        EVERYONE,
        (TEXT,),
        "运行指标（不含城市数据）",
        "operating figures, no city data",
        identity=False,
        scope="none",
    ),
    Rule("GET", "/api/docs", EVERYONE, (HTML,), "接口说明", "this interface, explained", scope="none"),
    Rule(
        "GET",
        "/api/docs.css",
        EVERYONE,
        ("text/css",),
        "说明页样式",
        "its style sheet",
        identity=False,
        scope="none",
    ),
    Rule("GET", "/api/openapi.json", EVERYONE, (JSON,), "OpenAPI", "OpenAPI", scope="none"),
    Rule("GET", "/api/session", EVERYONE, (JSON,), "当前身份", "who I am", scope="own"),
    Rule(
        "POST",
        "/api/session",
        EVERYONE,
        (JSON,),
        "登录",
        "sign in",
        body_bytes=4096,
        scope="own",
    ),
    Rule("DELETE", "/api/session", EVERYONE, (JSON,), "退出", "sign out", scope="own"),
    Rule(
        "POST",
        "/api/session/password",
        EVERYONE,
        (JSON,),
        "修改自己的密码",
        "change one's own password (signed in)",
        body_bytes=4096,
        scope="own",
        named=True,
    ),
    Rule(
        "GET",
        "/api/session/oidc",
        EVERYONE,
        (HTML, JSON),
        "单点登录",
        "single sign-on",
        identity=False,
        scope="own",
    ),
    Rule(
        "GET",
        "/api/session/oidc/callback",
        EVERYONE,
        (HTML, JSON),
        "单点登录返回处",
        "where single sign-on comes back",
        identity=False,
        scope="own",
    ),
    Rule("GET", "/api/users", ADMINS, (JSON,), "用户", "accounts", scope="people"),
    Rule("POST", "/api/users", ADMINS, (JSON,), "新增用户", "a new account", body_bytes=4096, scope="people"),
    Rule(
        "PATCH",
        "/api/users/{name}",
        ADMINS,
        (JSON,),
        "角色、区域、停用",
        "role, area, state",
        body_bytes=4096,
        scope="people",
    ),
    Rule(
        "POST",
        "/api/users/{name}/password",
        ADMINS,
        (JSON,),
        "设置密码",
        "set a password",
        body_bytes=4096,
        scope="people",
    ),
    Rule(
        "POST",
        "/api/users/{name}/tokens",
        ADMINS,
        (JSON,),
        "发放令牌",
        "issue a token",
        body_bytes=4096,
        scope="people",
    ),
    Rule(
        "DELETE",
        "/api/users/{name}/tokens/{id}",
        ADMINS,
        (JSON,),
        "撤销令牌",
        "revoke a token",
        scope="people",
    ),
    Rule("GET", "/api/audit", ADMINS, (JSON,), "操作记录", "what was done by whom", scope="people"),
    Rule(
        "GET",
        "/api/audit/state",
        ADMINS,
        (JSON,),
        "记录是否完好",
        "whether the record is whole",
        scope="people",
        heavy_per_minute=12,
    ),
    Rule("GET", "/api/city", EVERYONE, (JSON,), "城市概况", "the city in brief", scope="sight"),
    Rule("GET", "/api/zones", EVERYONE, (JSON,), "网格或区域列表", "grids or areas", scope="sight"),
    Rule(
        "GET",
        "/api/heatmap/grids",
        EVERYONE,
        _HEAT,
        "按网格的热力",
        "heat by grid (k ≥ 5 for the public)",
        scope="sight",
    ),
    Rule(
        "GET",
        "/api/heatmap/boundaries",
        EVERYONE,
        _HEAT,
        "按行政区域的热力",
        "heat by area (k ≥ 5)",
        scope="sight",
    ),
    Rule(
        "GET",
        "/api/heatmap/hexagons",
        EVERYONE,
        _HEAT,
        "按六边形的热力",
        "heat by H3 cell (k ≥ 5)",
        scope="sight",
    ),
    Rule(
        "GET",
        "/api/heatmap/facilities",
        EVERYONE,
        _HEAT,
        "设施分布",
        "facilities by grid or hexagon",
        scope="sight",
    ),
    Rule("GET", "/api/series", EVERYONE, (JSON,), "时间序列", "counts over time (k ≥ 5)", scope="sight"),
    Rule(
        "GET", "/api/categories", EVERYONE, (JSON,), "类别计数", "counts by category (k ≥ 5)", scope="sight"
    ),
    Rule(
        "GET",
        "/api/summary",
        EVERYONE,
        (JSON,),
        "概要",
        "the figures above the map (k ≥ 5 for the public)",
        scope="sight",
    ),
    Rule(
        "GET",
        "/api/matrix",
        EVERYONE,
        (JSON,),
        "星期与时刻",
        "by weekday and hour (k ≥ 5, whole city)",
        scope="sight",
    ),
    Rule(
        "GET",
        "/api/indicators",
        READERS,
        (JSON,),
        "指标与名次范围",
        "values, intervals, rank ranges",
        scope="sight",
    ),
    Rule(
        "POST",
        "/api/reports",
        READERS,
        (PDF, HTML, XLSX),
        "当前视图的报告",
        "the present view as a file",
        body_bytes=_SMALL,
        scope="sight",
        heavy_per_minute=30,
    ),
    Rule("GET", "/api/repeats", FIELD, (JSON,), "反复发生处", "places where it happens again", scope="area"),
    Rule(
        "GET",
        "/api/plans",
        EVERYONE,
        (JSON,),
        "方案（公众只见已批准）",
        "plans (the public: approved only)",
        scope="sight",
    ),
    Rule(
        "POST",
        "/api/plans/propose",
        PLANNERS,
        (JSON,),
        "提出方案（作业）",
        "propose plans, as a job",
        body_bytes=2**20,
        scope="drafts",
        heavy_per_minute=20,
    ),
    Rule(
        "POST",
        "/api/plans/import",
        PLANNERS,
        (JSON,),
        "导入方案（作业）",
        "a layer becomes a plan, as a job",
        body_bytes=UPLOAD_BYTES,
        takes=UPLOADS,
        scope="drafts",
        heavy_per_minute=20,
    ),
    Rule(
        "POST",
        "/api/plans/overlay",
        PLANNERS,
        (JSON,),
        "多格合一",
        "merge departments' grids",
        body_bytes=65536,
        scope="drafts",
        heavy_per_minute=20,
    ),
    Rule("GET", "/api/plans/{plan}", EVERYONE, (JSON,), "一个方案", "one plan", scope="sight"),
    Rule("GET", "/api/plans/{plan}/score", READERS, (JSON,), "评分表", "its scorecard", scope="drafts"),
    Rule(
        "GET",
        "/api/plans/{plan}/compare",
        READERS,
        (JSON, GEOJSON),
        "与另一方案比较",
        "what changes hands",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/impact",
        READERS,
        (PDF, HTML),
        "影响说明",
        "the impact statement, a page",
        scope="drafts",
        heavy_per_minute=30,
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/replay",
        READERS,
        (JSON,),
        "两方案回放案件",
        "the same cases under two plans",
        scope="drafts",
        heavy_per_minute=30,
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/rebalance",
        PLANNERS,
        (JSON,),
        "重新均衡（作业）",
        "rebalance, as a job",
        body_bytes=4096,
        scope="drafts",
        heavy_per_minute=20,
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/ensemble",
        PLANNERS,
        (JSON,),
        "与随机方案比较（作业）",
        "its place among random plans, as a job",
        body_bytes=4096,
        scope="drafts",
        heavy_per_minute=20,
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/check",
        READERS,
        (JSON,),
        "违反的规则",
        "the rules it breaks",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/export.csv",
        READERS,
        ("text/csv",),
        "单元归属表",
        "unit → grid as a table",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/export.geojson",
        READERS,
        (GEOJSON, JSON),
        "网格 GeoJSON",
        "its grids as GeoJSON",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/export.gpkg",
        READERS,
        (GPKG,),
        "网格 GeoPackage",
        "its grids as GeoPackage",
        scope="drafts",
    ),
    Rule("DELETE", "/api/plans/{plan}", PLANNERS, (JSON,), "删除草案", "throw a draft away", scope="sight"),
    Rule(
        "POST",
        "/api/plans/{plan}/approve",
        PLANNERS,
        (JSON,),
        "批准",
        "approve from a day on",
        body_bytes=4096,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/withdraw",
        PLANNERS,
        (JSON,),
        "撤回",
        "take back before it starts",
        body_bytes=4096,
        scope="drafts",
    ),
    Rule(
        "POST", "/api/plans", PLANNERS, (JSON,), "新建草案", "begin a draft", body_bytes=_SMALL, scope="sight"
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/grids",
        READERS,
        (JSON,),
        "方案的网格表",
        "the grids of a plan",
        scope="drafts",
    ),
    Rule("GET", "/api/plans/{plan}/assignment", READERS, (JSON,), "单元归属", "unit → grid", scope="drafts"),
    Rule(
        "GET",
        "/api/plans/{plan}/edits",
        READERS,
        (JSON,),
        "编辑历史",
        "the history of a plan",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/ground",
        READERS,
        (JSON,),
        "方案之下的单元",
        "the units under a plan",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/changes",
        READERS,
        (JSON,),
        "某版之后的改动",
        "what is new since a revision",
        scope="drafts",
    ),
    Rule(
        "PATCH",
        "/api/plans/{plan}/units",
        PLANNERS,
        (JSON,),
        "调整单元",
        "give units to grids",
        body_bytes=_UNITS,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/split",
        PLANNERS,
        (JSON,),
        "拆分网格",
        "split a grid",
        body_bytes=_LIST,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/merge",
        PLANNERS,
        (JSON,),
        "合并网格",
        "merge two grids",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/fix",
        PLANNERS,
        (JSON,),
        "修整网格",
        "put a grid right",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/undo",
        PLANNERS,
        (JSON,),
        "撤销",
        "take the latest act back",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/redo",
        PLANNERS,
        (JSON,),
        "重做",
        "do it again",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/lock",
        PLANNERS,
        (JSON,),
        "锁定或解锁",
        "lock or unlock grids",
        body_bytes=_LIST,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/posts",
        PLANNERS,
        (JSON,),
        "岗位数",
        "staff grids",
        body_bytes=_LIST,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/rename",
        PLANNERS,
        (JSON,),
        "网格改名",
        "rename a grid",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/settings",
        PLANNERS,
        (JSON,),
        "评判设置",
        "what it is judged by",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/exceptions",
        PLANNERS,
        (JSON,),
        "记录例外",
        "allow it to break a rule",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "DELETE",
        "/api/plans/{plan}/exceptions",
        PLANNERS,
        (JSON,),
        "撤销例外",
        "take an exception back",
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/rebase",
        PLANNERS,
        (JSON,),
        "移到新方案上",
        "carry its changes over",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/plans/{plan}/lineage",
        READERS,
        (JSON,),
        "网格沿革",
        "what grids passed on",
        scope="drafts",
    ),
    Rule("GET", "/api/plans/{plan}/comments", READERS, (JSON,), "意见", "remarks", scope="drafts"),
    Rule(
        "POST",
        "/api/plans/{plan}/comments",
        READERS,
        (JSON,),
        "发表意见",
        "remark on a draft",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/comments/{id}/hide",
        PLANNERS,
        (JSON,),
        "隐藏意见",
        "hide a remark",
        body_bytes=_SMALL,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/plans/{plan}/cut",
        PLANNERS,
        (JSON,),
        "切分单元",
        "cut a unit",
        body_bytes=_LIST,
        scope="drafts",
    ),
    Rule(
        "POST",
        "/api/units/{unit}/cut",
        PLANNERS,
        (JSON,),
        "切分单元",
        "cut a unit",
        body_bytes=_LIST,
        scope="drafts",
    ),
    Rule(
        "GET", "/api/cases", FIELD, (JSON, GEOJSON), "案件列表", "cases, points and masked text", scope="area"
    ),
    Rule("GET", "/api/cases/{id}", FIELD, (JSON, GEOJSON), "一个案件", "one case", scope="area"),
    Rule("GET", "/api/runs", ADMINS, (JSON,), "加载记录", "load runs", scope="city"),
    Rule(
        "GET",
        "/api/runs/{id}",
        ADMINS,
        (JSON,),
        "一次加载及其拒收行",
        "one load run and its rejects",
        scope="city",
    ),
    Rule(
        "GET",
        "/api/jobs",
        READERS,
        (JSON,),
        "作业列表（自己的）",
        "jobs: one's own, planners also those of plans",
        scope="drafts",
    ),
    Rule(
        "GET",
        "/api/jobs/{id}",
        READERS,
        (JSON,),
        "一个作业（可等候）",
        "one job; may be waited for",
        scope="drafts",
    ),
    Rule("POST", "/api/jobs/{id}/cancel", READERS, (JSON,), "取消作业", "stop a job", scope="drafts"),
    Rule(
        "POST",
        "/api/loads",
        ADMINS,
        (JSON,),
        "装载文件（作业）",
        "a file becomes rows, as a job",
        body_bytes=LOAD_BYTES,
        takes=("application/octet-stream",),
        scope="city",
        heavy_per_minute=60,  # a folder of files, one after another
    ),
    Rule("GET", "/api/loads", ADMINS, (JSON,), "历次装载", "loads", scope="city"),
    Rule(
        "GET",
        "/api/loads/{id}",
        ADMINS,
        (JSON,),
        "一次装载及其退回行",
        "one load and its rejects",
        scope="city",
    ),
    Rule(
        "GET",
        "/api/loads/{id}/rejects.csv",
        ADMINS,
        ("text/csv",),
        "退回行",
        "its rejects, to correct and load again",
        scope="city",
    ),
    Rule(
        "POST",
        "/api/exports",
        READERS,
        (JSON, *FILES),
        "导出图层（规划员不含案件）",
        "a layer becomes a file; cases not for planners",
        body_bytes=_SMALL,
        scope="export",
        heavy_per_minute=30,
    ),
    Rule("GET", "/api/exports", READERS, (JSON,), "本人的导出", "one's own exports", scope="own"),
    Rule(
        "GET",
        "/api/exports/{id}",
        READERS,
        (*FILES, "application/octet-stream"),
        "导出的文件",
        "the file of an export",
        scope="own",
    ),
    Rule("GET", "/tiles/cases", FIELD, (JSON,), "案件瓦片说明", "TileJSON of cases", scope="area"),
    Rule("GET", "/tiles/cases/{z}/{x}/{y}.mvt", FIELD, (MVT,), "案件瓦片", "tiles of cases", scope="area"),
    Rule(
        "GET",
        "/tiles/plans/{plan}/grids",
        EVERYONE,
        (JSON,),
        "方案瓦片说明",
        "TileJSON of one plan",
        scope="sight",
    ),
    Rule(
        "GET",
        "/tiles/plans/{plan}/grids/{z}/{x}/{y}.mvt",
        EVERYONE,
        (MVT,),
        "方案网格瓦片",
        "tiles of one plan",
        scope="sight",
    ),
    Rule("GET", "/tiles/{layer}", EVERYONE, (JSON,), "瓦片说明", "TileJSON of a layer", scope="sight"),
    Rule(
        "GET", "/tiles/{layer}/{z}/{x}/{y}.mvt", EVERYONE, (MVT,), "矢量瓦片", "vector tiles", scope="sight"
    ),
    Rule(
        "GET",
        "/basemap.pmtiles",
        EVERYONE,
        ("*/*",),
        "底图文件",
        "the operator's base map",
        identity=False,
        scope="none",
    ),
    Rule("GET", "/", EVERYONE, (HTML,), "网页", "the web application", identity=False, scope="none"),
    Rule("GET", "/{file:path}", EVERYONE, ("*/*",), "网页文件", "its files", identity=False, scope="none"),
)


def match(path: str) -> Found | None:
    """The rows for a path, the most particular template first; None when there is none.

    >>> match("/tiles/grids/3/4/5.mvt").params["z"]
    '3'
    """
    fixed, patterns = _compiled()
    rules = fixed.get(path)
    if rules is not None:
        return Found(rules)
    for pattern, rules in patterns:
        hit = pattern.fullmatch(path)
        if hit:
            return Found(rules, hit.groupdict())
    return None


def mismatch(routes: set[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """(routes without a row, rows without a route); both empty when the table is complete."""
    rows = {(rule.method, rule.path) for rule in TABLE}
    return ([f"{m} {p}" for m, p in sorted(routes - rows)], [f"{m} {p}" for m, p in sorted(rows - routes)])


@lru_cache(maxsize=1)
def _compiled() -> tuple[dict[str, dict[str, Rule]], list[tuple[re.Pattern[str], dict[str, Rule]]]]:
    by_path: dict[str, dict[str, Rule]] = {}
    for rule in TABLE:
        by_path.setdefault(rule.path, {})[rule.method] = rule
    fixed = {path: rules for path, rules in by_path.items() if "{" not in path}
    patterns = [(_pattern(path), rules) for path, rules in by_path.items() if "{" in path]
    return fixed, patterns


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[a-z]+(?::path)?\})", path)
    made = ""
    for part in parts:
        if part.endswith(":path}"):
            made += f"(?P<{part[1:-6]}>.+)"
        elif part.startswith("{"):
            made += f"(?P<{part[1:-1]}>[^/]+)"
        else:
            made += re.escape(part)
    return re.compile(made, re.DOTALL)


if __name__ == "__main__":
    runpy.run_module("api.access_page", run_name="__main__")  # it reads this table, so it stands above it
