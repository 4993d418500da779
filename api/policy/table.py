"""The one table of routes, by family: who may ask, how far they see, and what the route is about in both languages.

A row answers in JSON and takes no body unless it says otherwise (`rules.Rule` explains every word). The order is that of
the documentation (`docs/access.md`, `/api/docs`).
"""

from __future__ import annotations

from api.policy.media import (
    ANY,
    ARROW,
    BYTES,
    CSS,
    CSV,
    FILES,
    GEOJSON,
    GPKG,
    HTML,
    JSON,
    MVT,
    PDF,
    TEXT,
    UPLOADS,
    XLSX,
)
from api.policy.rules import Rule, delete, get, patch, post
from api.policy.scopes import ADMINS, EVERYONE, FIELD, PLANNERS, READERS

HEAT = (JSON, ARROW, GEOJSON)
# the largest bodies, in bytes
WORDS, SMALL, LAYERS = 4096, 16 * 1024, 64 * 1024  # a few words; a form; names of layers
LIST, UNITS = 2**20, 12 * 2**20  # a list of grids; 200 000 units
UPLOAD_BYTES = 200 * 2**20
LOAD_BYTES = 500 * 10**6  # as much as the loaders open (etl.limits)

SERVICE: tuple[Rule, ...] = (
    get("/healthz", EVERYONE, "none", "服务存活", "the process is alive", identity=False),
    get("/readyz", EVERYONE, "none", "能否应答", "it can answer", identity=False),
    get("/metrics", EVERYONE, "none", "运行指标（不含城市数据）", "operating figures, no city data",
        offers=(TEXT,), identity=False),
    get("/api/docs", EVERYONE, "none", "接口说明", "this interface, explained", offers=(HTML,)),
    get("/api/docs.css", EVERYONE, "none", "说明页样式", "its style sheet", offers=(CSS,), identity=False),
    get("/api/openapi.json", EVERYONE, "none", "OpenAPI", "OpenAPI"),
)  # fmt: skip

PEOPLE: tuple[Rule, ...] = (
    get("/api/session", EVERYONE, "own", "当前身份", "who I am"),
    post("/api/session", EVERYONE, "own", "登录", "sign in", body_bytes=WORDS),
    delete("/api/session", EVERYONE, "own", "退出", "sign out"),
    post("/api/session/password", EVERYONE, "own", "修改自己的密码", "change one's own password (signed in)",
        body_bytes=WORDS, named=True),
    get("/api/session/oidc", EVERYONE, "own", "单点登录", "single sign-on", offers=(HTML, JSON), identity=False),
    get("/api/session/oidc/callback", EVERYONE, "own", "单点登录返回处", "where single sign-on comes back",
        offers=(HTML, JSON), identity=False),
    get("/api/users", ADMINS, "people", "用户", "accounts"),
    post("/api/users", ADMINS, "people", "新增用户", "a new account", body_bytes=WORDS),
    patch("/api/users/{name}", ADMINS, "people", "角色、区域、停用", "role, area, state", body_bytes=WORDS),
    post("/api/users/{name}/password", ADMINS, "people", "设置密码", "set a password", body_bytes=WORDS),
    post("/api/users/{name}/tokens", ADMINS, "people", "发放令牌", "issue a token", body_bytes=WORDS),
    delete("/api/users/{name}/tokens/{id}", ADMINS, "people", "撤销令牌", "revoke a token"),
    get("/api/audit", ADMINS, "people", "操作记录", "what was done by whom"),
    get("/api/audit/state", ADMINS, "people", "记录是否完好", "whether the record is whole", heavy_per_minute=12),
)  # fmt: skip

FIGURES: tuple[Rule, ...] = (
    get("/api/city", EVERYONE, "sight", "城市概况", "the city in brief"),
    get("/api/zones", EVERYONE, "sight", "网格或区域列表", "grids or areas"),
    get("/api/heatmap/grids", EVERYONE, "sight", "按网格的热力", "heat by grid (k ≥ 5 for the public)", offers=HEAT),
    get("/api/heatmap/boundaries", EVERYONE, "sight", "按行政区域的热力", "heat by area (k ≥ 5)", offers=HEAT),
    get("/api/heatmap/hexagons", EVERYONE, "sight", "按六边形的热力", "heat by H3 cell (k ≥ 5)", offers=HEAT),
    get("/api/heatmap/facilities", EVERYONE, "sight", "设施分布", "facilities by grid or hexagon", offers=HEAT),
    get("/api/series", EVERYONE, "sight", "时间序列", "counts over time (k ≥ 5)"),
    get("/api/categories", EVERYONE, "sight", "类别计数", "counts by category (k ≥ 5)"),
    get("/api/summary", EVERYONE, "sight", "概要", "the figures above the map (k ≥ 5 for the public)"),
    get("/api/matrix", EVERYONE, "sight", "星期与时刻", "by weekday and hour (k ≥ 5, whole city)"),
    get("/api/indicators", READERS, "sight", "指标与名次范围", "values, intervals, rank ranges"),
    post("/api/reports", READERS, "sight", "当前视图的报告", "the present view as a file",
        offers=(PDF, HTML, XLSX), body_bytes=SMALL, heavy_per_minute=30),
    get("/api/repeats", FIELD, "area", "反复发生处", "places where it happens again"),
)  # fmt: skip

PLANS: tuple[Rule, ...] = (
    get("/api/plans", EVERYONE, "sight", "方案（公众只见已批准）", "plans (the public: approved only)"),
    post("/api/plans/propose", PLANNERS, "drafts", "提出方案（作业）", "propose plans, as a job",
        body_bytes=LIST, heavy_per_minute=20),
    post("/api/plans/import", PLANNERS, "drafts", "导入方案（作业）", "a layer becomes a plan, as a job",
        body_bytes=UPLOAD_BYTES, takes=UPLOADS, heavy_per_minute=20),
    post("/api/plans/overlay", PLANNERS, "drafts", "多格合一", "merge departments' grids",
        body_bytes=LAYERS, heavy_per_minute=20),
    get("/api/plans/{plan}", EVERYONE, "sight", "一个方案", "one plan"),
    get("/api/plans/{plan}/score", READERS, "drafts", "评分表", "its scorecard"),
    get("/api/plans/{plan}/compare", READERS, "drafts", "与另一方案比较", "what changes hands", offers=(JSON, GEOJSON)),
    get("/api/plans/{plan}/impact", READERS, "drafts", "影响说明", "the impact statement, a page",
        offers=(PDF, HTML), heavy_per_minute=30),
    get("/api/plans/{plan}/replay", READERS, "drafts", "两方案回放案件", "the same cases under two plans", heavy_per_minute=30),
    post("/api/plans/{plan}/rebalance", PLANNERS, "drafts", "重新均衡（作业）", "rebalance, as a job",
        body_bytes=WORDS, heavy_per_minute=20),
    post("/api/plans/{plan}/ensemble", PLANNERS, "drafts", "与随机方案比较（作业）", "its place among random plans, as a job",
        body_bytes=WORDS, heavy_per_minute=20),
    get("/api/plans/{plan}/check", READERS, "drafts", "违反的规则", "the rules it breaks"),
    get("/api/plans/{plan}/export.csv", READERS, "drafts", "单元归属表", "unit → grid as a table", offers=(CSV,)),
    get("/api/plans/{plan}/export.geojson", READERS, "drafts", "网格 GeoJSON", "its grids as GeoJSON", offers=(GEOJSON, JSON)),
    get("/api/plans/{plan}/export.gpkg", READERS, "drafts", "网格 GeoPackage", "its grids as GeoPackage", offers=(GPKG,)),
    delete("/api/plans/{plan}", PLANNERS, "sight", "删除草案", "throw a draft away"),
    post("/api/plans/{plan}/approve", PLANNERS, "drafts", "批准", "approve from a day on", body_bytes=WORDS),
    post("/api/plans/{plan}/withdraw", PLANNERS, "drafts", "撤回", "take back before it starts", body_bytes=WORDS),
    post("/api/plans", PLANNERS, "sight", "新建草案", "begin a draft", body_bytes=SMALL),
    get("/api/plans/{plan}/grids", READERS, "drafts", "方案的网格表", "the grids of a plan"),
    get("/api/plans/{plan}/assignment", READERS, "drafts", "单元归属", "unit → grid"),
    get("/api/plans/{plan}/edits", READERS, "drafts", "编辑历史", "the history of a plan"),
    get("/api/plans/{plan}/ground", READERS, "drafts", "方案之下的单元", "the units under a plan"),
    get("/api/plans/{plan}/changes", READERS, "drafts", "某版之后的改动", "what is new since a revision"),
    patch("/api/plans/{plan}/units", PLANNERS, "drafts", "调整单元", "give units to grids", body_bytes=UNITS),
    post("/api/plans/{plan}/split", PLANNERS, "drafts", "拆分网格", "split a grid", body_bytes=LIST),
    post("/api/plans/{plan}/merge", PLANNERS, "drafts", "合并网格", "merge two grids", body_bytes=SMALL),
    post("/api/plans/{plan}/fix", PLANNERS, "drafts", "修整网格", "put a grid right", body_bytes=SMALL),
    post("/api/plans/{plan}/undo", PLANNERS, "drafts", "撤销", "take the latest act back", body_bytes=SMALL),
    post("/api/plans/{plan}/redo", PLANNERS, "drafts", "重做", "do it again", body_bytes=SMALL),
    post("/api/plans/{plan}/lock", PLANNERS, "drafts", "锁定或解锁", "lock or unlock grids", body_bytes=LIST),
    post("/api/plans/{plan}/posts", PLANNERS, "drafts", "岗位数", "staff grids", body_bytes=LIST),
    post("/api/plans/{plan}/rename", PLANNERS, "drafts", "网格改名", "rename a grid", body_bytes=SMALL),
    post("/api/plans/{plan}/settings", PLANNERS, "drafts", "评判设置", "what it is judged by", body_bytes=SMALL),
    post("/api/plans/{plan}/exceptions", PLANNERS, "drafts", "记录例外", "allow it to break a rule", body_bytes=SMALL),
    delete("/api/plans/{plan}/exceptions", PLANNERS, "drafts", "撤销例外", "take an exception back"),
    post("/api/plans/{plan}/rebase", PLANNERS, "drafts", "移到新方案上", "carry its changes over", body_bytes=SMALL),
    get("/api/plans/{plan}/lineage", READERS, "drafts", "网格沿革", "what grids passed on"),
    get("/api/plans/{plan}/comments", READERS, "drafts", "意见", "remarks"),
    post("/api/plans/{plan}/comments", READERS, "drafts", "发表意见", "remark on a draft", body_bytes=SMALL),
    post("/api/plans/{plan}/comments/{id}/hide", PLANNERS, "drafts", "隐藏意见", "hide a remark", body_bytes=SMALL),
    get("/api/plans/{plan}/consultation", READERS, "drafts", "征求意见的状态与全部意见", "open to the public or not, remarks"),
    post("/api/plans/{plan}/consultation", PLANNERS, "drafts", "向公众开放草案", "open a draft to the public", body_bytes=WORDS),
    delete("/api/plans/{plan}/consultation", PLANNERS, "drafts", "结束征求意见", "close it again"),
    post("/api/plans/{plan}/consultation/remarks/{id}", PLANNERS, "drafts", "公布或不予公布", "release or refuse a remark",
        body_bytes=WORDS),
    post("/api/plans/{plan}/consultation/remarks/{id}/answer", PLANNERS, "drafts", "答复意见", "answer a remark",
        body_bytes=SMALL),
    post("/api/plans/{plan}/cut", PLANNERS, "drafts", "切分单元", "cut a unit", body_bytes=LIST),
    post("/api/units/{unit}/cut", PLANNERS, "drafts", "切分单元", "cut a unit", body_bytes=LIST),
)  # fmt: skip

CONSULTATION: tuple[Rule, ...] = (
    get("/api/consultations/{plan}", EVERYONE, "opened", "征求意见的草案", "a draft that is open to the public"),
    get("/api/consultations/{plan}/changes", EVERYONE, "opened", "将易手的地面", "the ground that would change hands",
        offers=(GEOJSON, JSON), heavy_per_minute=30),
    post("/api/consultations/{plan}/remarks", EVERYONE, "opened", "公众发表意见", "a remark of the public",
        body_bytes=SMALL, heavy_per_minute=6),
    get("/tiles/consultations/{plan}/grids/{z}/{x}/{y}.mvt", EVERYONE, "opened", "该草案的瓦片", "its tiles", offers=(MVT,)),
)  # fmt: skip

ROWS: tuple[Rule, ...] = (
    get("/api/cases", FIELD, "area", "案件列表", "cases, points and masked text", offers=(JSON, GEOJSON)),
    get("/api/cases/{id}", FIELD, "area", "一个案件", "one case", offers=(JSON, GEOJSON)),
    get("/api/runs", ADMINS, "city", "加载记录", "load runs"),
    get("/api/runs/{id}", ADMINS, "city", "一次加载及其拒收行", "one load run and its rejects"),
    get("/api/jobs", READERS, "drafts", "作业列表（自己的）", "jobs: one's own, planners also those of plans"),
    get("/api/jobs/{id}", READERS, "drafts", "一个作业（可等候）", "one job; may be waited for"),
    post("/api/jobs/{id}/cancel", READERS, "drafts", "取消作业", "stop a job"),
    post("/api/loads", ADMINS, "city", "装载文件（作业）", "a file becomes rows, as a job",
        body_bytes=LOAD_BYTES, takes=(BYTES,), heavy_per_minute=60),  # a folder of files, one after another
    get("/api/loads", ADMINS, "city", "历次装载", "loads"),
    get("/api/loads/{id}", ADMINS, "city", "一次装载及其退回行", "one load and its rejects"),
    get("/api/loads/{id}/rejects.csv", ADMINS, "city", "退回行", "its rejects, to correct and load again", offers=(CSV,)),
    post("/api/exports", READERS, "export", "导出图层（规划员不含案件）", "a layer becomes a file; cases not for planners",
        offers=(JSON, *FILES), body_bytes=SMALL, heavy_per_minute=30),
    get("/api/exports", READERS, "own", "本人的导出", "one's own exports"),
    get("/api/exports/{id}", READERS, "own", "导出的文件", "the file of an export", offers=(*FILES, BYTES)),
)  # fmt: skip

TILES: tuple[Rule, ...] = (
    get("/tiles/cases", FIELD, "area", "案件瓦片说明", "TileJSON of cases"),
    get("/tiles/cases/{z}/{x}/{y}.mvt", FIELD, "area", "案件瓦片", "tiles of cases", offers=(MVT,)),
    get("/tiles/plans/{plan}/grids", EVERYONE, "sight", "方案瓦片说明", "TileJSON of one plan"),
    get("/tiles/plans/{plan}/grids/{z}/{x}/{y}.mvt", EVERYONE, "sight", "方案网格瓦片", "tiles of one plan", offers=(MVT,)),
    get("/tiles/{layer}", EVERYONE, "sight", "瓦片说明", "TileJSON of a layer"),
    get("/tiles/{layer}/{z}/{x}/{y}.mvt", EVERYONE, "sight", "矢量瓦片", "vector tiles", offers=(MVT,)),
    get("/basemap.pmtiles", EVERYONE, "none", "底图文件", "the operator's base map", offers=(ANY,), identity=False),
    get("/", EVERYONE, "none", "网页", "the web application", offers=(HTML,), identity=False),
    get("/{file:path}", EVERYONE, "none", "网页文件", "its files", offers=(ANY,), identity=False),
)  # fmt: skip

TABLE: tuple[Rule, ...] = (*SERVICE, *PEOPLE, *FIGURES, *PLANS, *CONSULTATION, *ROWS, *TILES)
