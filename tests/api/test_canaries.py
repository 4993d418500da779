"""Words planted in every restricted place are looked for in every answer, tile, file, header, log line and error.

Each canary is one word that stands in one place of the database. Who may see it is said beside it; a crawl of all
routes in all their formats must find it nowhere else. That it is found where it belongs shows that the crawl looks.
"""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import policy
from geo.db import session as sessions
from geo.db.versions import bump
from geo.settings import Settings
from tests.api import people
from tests.api.conftest import Served, admin_token, found_town, serving
from tests.api.conftest import plan as make_plan
from tests.api.test_matrix import tile

NOBODY: frozenset[str] = frozenset()  # of those who crawl
FIELD = frozenset({"worker", "supervisor"})
STAFF = frozenset({"supervisor"})
ALL = frozenset({"public", "worker", "supervisor"})
WORD = re.compile(rb"Kanarie[0-9]{3}[a-z]+")
FORMATS = ("application/json", "application/geo+json", "application/vnd.apache.arrow.stream", "*/*")


class Canaries:
    """Makes words, and knows where each stands and who may see it."""

    def __init__(self) -> None:
        self.places: dict[bytes, tuple[str, frozenset[str]]] = {}

    def word(self, place: str, may: frozenset[str] = NOBODY) -> str:
        made = f"Kanarie{len(self.places):03d}{re.sub('[^a-z]', '', place)}"
        self.places[made.encode()] = (place, may)
        return made


def plant(session: Session, canaries: Canaries) -> None:
    w = canaries.word
    for where, may, condition in (
        ("own", FIELD, "unit_id = (SELECT id FROM unit WHERE code = 'U0000')"),
        ("far", NOBODY, "unit_id = (SELECT id FROM unit WHERE code = 'U0909')"),
        ("unplaced", NOBODY, "geom IS NULL"),
        ("outside", NOBODY, "geom IS NOT NULL AND unit_id IS NULL"),
    ):
        session.execute(
            text(
                "UPDATE cases SET description = :d, attributes = jsonb_build_object(CAST(:k AS text), CAST(:a AS text)), "
                f"responsible_body = :b, source_case_id = :s, repeat_of = :r "
                f"WHERE id = (SELECT min(id) FROM cases WHERE {condition})"
            ),
            {
                "d": w(f"description {where}", may), "k": w(f"attribute name {where}", may), "a": w(f"attribute {where}", may),
                "b": w(f"body {where}", may), "s": w(f"source id {where}", may), "r": w(f"repeat {where}", may),
            },
        )  # fmt: skip
    session.execute(
        text(
            "INSERT INTO reject (load_run_id, row, value, code, why_zh, why_en, original) "
            "VALUES (1, 1, :v, 'x', :z, :e, jsonb_build_object('k', CAST(:o AS text)))"
        ),
        {"v": w("reject value"), "z": w("reject why"), "e": w("reject why en"), "o": w("reject original")},
    )
    session.execute(
        text(
            "UPDATE load_run SET file_name = :f, source = :s, layout = jsonb_build_object('k', CAST(:l AS text)), "
            "warnings = jsonb_build_array(CAST(:w AS text)), report = jsonb_build_object('header', CAST(:r AS text))"
        ),
        {"f": w("file name"), "s": w("run source"), "l": w("layout"), "w": w("warning"), "r": w("report")},
    )
    draft = session.scalar(text("UPDATE plan SET name = :n, author = :a WHERE name = '草稿' RETURNING id"),
                           {"n": w("draft name", STAFF), "a": w("draft author", STAFF)})  # fmt: skip
    grid = {"d": draft, "n": w("draft grid name", STAFF), "c": w("draft grid code", STAFF)}
    session.execute(
        text("UPDATE grid SET name = :n, code = :c WHERE id = (SELECT min(id) FROM grid WHERE plan_id = :d)"),
        grid,
    )
    session.execute(
        text(
            "INSERT INTO plan_edit (plan_id, revision, act, what, author) "
            "VALUES (:d, 1, 'posts', jsonb_build_object('k', CAST(:w AS text)), :a)"
        ),
        {"d": draft, "w": w("edit what", STAFF), "a": w("edit author", STAFF)},
    )
    session.execute(text("UPDATE plan SET revision = 1 WHERE id = :d"), {"d": draft})
    session.execute(
        text(
            "INSERT INTO plan_comment (plan_id, body, author, revision, hidden_at) VALUES (:d, :b, :a, 0, NULL), "
            "(:d, :hb, :ha, 0, now())"
        ),
        {"d": draft, "b": w("comment", STAFF), "a": w("comment author", STAFF), "hb": w("hidden comment"),
         "ha": w("hidden comment author", STAFF)},
    )  # fmt: skip
    session.execute(
        text(
            "INSERT INTO public_remark (plan_id, body, revision, state, decided_by, answer, answered_by) VALUES "
            "(:d, :b, 0, 'released', :e, :a, :n)"
        ),
        {
            "d": draft,
            "b": w("remark", STAFF),
            "e": w("remark by", STAFF),
            "a": w("answer", STAFF),
            "n": w("answer by", STAFF),
        },
    )
    open_to_the_public(session, w)
    session.execute(
        text("INSERT INTO plan_exception (plan_id, rule, reason, author) VALUES (:d, 'thin', :r, :a)"),
        {"d": draft, "r": w("exception reason", STAFF), "a": w("exception author", STAFF)},
    )
    session.execute(
        text("INSERT INTO app_user (name, role, oidc_subject, password_hash) VALUES (:n, 'planner', :o, :p)"),
        {"n": w("user name"), "o": w("oidc subject"), "p": w("password hash")},
    )
    session.execute(
        text(
            "INSERT INTO token (user_id, sha256, label, expires_at) "
            "SELECT max(id), '\\x01', :l, now() + interval '1 day' FROM app_user"
        ),
        {"l": w("token label")},
    )
    session.execute(
        text(
            "INSERT INTO job (kind, state, author, params, result, problem) VALUES ('plan.propose', 'failed', :a, "
            "jsonb_build_object('k', CAST(:p AS text)), jsonb_build_object('k', CAST(:r AS text)), "
            "jsonb_build_object('code', 'x', 'zh', CAST(:z AS text), 'en', '', 'do_zh', '', 'do_en', ''))"
        ),
        {"a": w("job author"), "p": w("job params"), "r": w("job result"), "z": w("job problem")},
    )
    session.execute(
        text("INSERT INTO audit (who, act, what) VALUES (:w, :a, jsonb_build_object('k', CAST(:k AS text)))"),
        {"w": w("audit who"), "a": w("audit act"), "k": w("audit what")},
    )
    bump(session, "cases", "plans", "drafts")


def open_to_the_public(session: Session, w: Callable[..., str]) -> None:
    """A draft that is open: its name, grids, released remarks and answers are for everybody, and nothing else of it."""
    units = list(session.scalars(text("SELECT id FROM unit ORDER BY code")))
    draft = make_plan(session, units, w("open draft", ALL), "draft", 2)
    session.execute(
        text("UPDATE plan SET author = :a WHERE id = :d"), {"d": draft, "a": w("open draft author", STAFF)}
    )
    session.execute(
        text("UPDATE grid SET name = :n WHERE id = (SELECT min(id) FROM grid WHERE plan_id = :d)"),
        {"d": draft, "n": w("open draft grid", ALL)},
    )
    session.execute(
        text("INSERT INTO consultation (plan_id, last_day, opened_by) VALUES (:d, '2099-01-01', :o)"),
        {"d": draft, "o": w("opened by", STAFF)},
    )
    session.execute(
        text("INSERT INTO plan_comment (plan_id, body, author, revision) VALUES (:d, :b, :a, 0)"),
        {"d": draft, "b": w("open draft comment", STAFF), "a": w("open draft commenter", STAFF)},
    )
    for state, may in (("released", ALL), ("held", STAFF), ("refused", STAFF)):
        session.execute(
            text(
                "INSERT INTO public_remark (plan_id, body, revision, state, decided_by, answer, answered_by) VALUES "
                "(:d, :b, 0, :s, :e, :a, :n)"
            ),
            {
                "d": draft, "s": state, "b": w(f"{state} remark", may), "e": w(f"{state} by", STAFF),
                "a": w(f"{state} answer", may), "n": w(f"{state} answer by", STAFF),
            },
        )  # fmt: skip


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def town(module_settings: Settings, canaries: Canaries) -> Iterator[Served]:
    with sessions.session(module_settings, "owner") as session:
        found_town(session)
        plant(session, canaries)
    token = admin_token(module_settings)
    with (
        serving(module_settings.with_(public_comments=True)) as (url, app),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        assert app.state.service.fresh.ready.wait(120), "the columns were not built"
        yield Served(url, module_settings, app, token, client)


def crawlers(settings: Settings) -> dict[str, people.Headers]:
    own = ("community", "C00")
    return {
        "public": {},
        "worker": people.token(settings, "worker", "worker", own),
        "supervisor": people.token(settings, "supervisor", "supervisor", own),
    }


def addresses(settings: Settings) -> Iterator[str]:
    """Every GET route with every object there is, and questions that go wrong."""
    with sessions.session(settings, "owner") as session:
        plans = [str(p) for p in session.scalars(text("SELECT id FROM plan ORDER BY id"))] + [
            "current",
            "nope",
        ]
        ids = session.scalars(
            text("SELECT id FROM cases WHERE description LIKE 'Kanarie%' UNION SELECT 999999999")
        ).all()
    for rule in policy.TABLE:
        if rule.method != "GET" or rule.path.startswith(("/api/session/oidc", "/basemap", "/{file")):
            continue
        numbers = [str(i) for i in ids] if rule.path.startswith("/api/cases") else ["1", "2", "99"]
        for plan in plans if "{plan}" in rule.path else [""]:
            for number in numbers if "{id}" in rule.path else [""]:
                for layer in (
                    ("grids", "units", "facilities", "ways", "boundaries", "hexagons", "cases")
                    if "{layer}" in rule.path
                    else [""]
                ):
                    path = rule.path.replace("{plan}", plan).replace("{id}", number).replace("{layer}", layer)
                    yield from tiled(path)


QUERIES = {
    "/api/zones": ("by=grid", "by=community", "by=grid&plan=2"),
    "/api/heatmap/grids": ("", "plan=2", "measure=open", "measure=median_days_to_close", "measure=satisfied_share"),
    "/api/heatmap/boundaries": ("level=community", "level=street", "level=nope"),
    "/api/heatmap/hexagons": ("", "resolution=8"),
    "/api/heatmap/facilities": ("", "kind=school", "kind=nope"),
    "/api/series": ("", "by=grid&code=G0000", "bucket=month"),
    "/api/categories": ("", "by=community&code=C00"),
    "/api/summary": ("", "by=community&code=C11", "by=grid&code=G0000&plan=2"),
    "/api/matrix": ("", "by=community&code=C11"),
    "/api/indicators": ("by=grid", "by=community", "by=grid&plan=2"),
    "/api/repeats": ("", "by=community&code=C11", "limit=1000"),
    "/api/cases": (
        "limit=1000", "limit=1000&format=geojson", "placed=unplaced", "placed=outside", "by=community&code=C11",
        "bbox=-180,-90,180,90&limit=1000", "source=town&limit=1000", "after=x", "by=grid&code=G0905&plan=2",
    ),
    "/api/plans/{}/compare": ("with=1", "with=2", "with=1&format=geojson"),
    "/api/plans/{}/impact": ("with=1&format=html", "with=2&format=html"),
    "/api/plans/{}/replay": ("with=1&replicates=10", "with=2&replicates=10"),
    "/api/plans/{}/changes": ("since=0",),
    "/api/openapi.json": ("",),
}  # fmt: skip


def tiled(path: str) -> Iterator[str]:
    """An address with its tiles or its questions."""
    if "{z}" in path:
        for z in (8, 11, 13, 15, 17):
            for lon, lat in ((116.3011, 39.9009), (116.3191, 39.9191), (117.3, 39.9)):
                yield path.replace("{z}/{x}/{y}", tile(lon, lat, z))
        return
    known = QUERIES.get(re.sub(r"(?<=/api/plans/)[^/]+", "{}", path), ("",))
    for query in (*known, "nonsense=1"):
        yield f"{path}?{query}" if query else path


def unpacked(content: bytes) -> bytes:
    """The bytes, and those of the files in it when it is a zip (XLSX)."""
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def words(answer: httpx.Response) -> set[bytes]:
    told = "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    return set(WORD.findall(unpacked(answer.content) + b"\n" + told))


def test_no_canary_flies_where_it_does_not_belong(
    town: Served, canaries: Canaries, capfd: pytest.CaptureFixture[str]
) -> None:
    who = crawlers(town.settings)
    asked, strays = 0, []
    found: dict[str, set[bytes]] = defaultdict(set)
    for address in addresses(town.settings):
        for name, headers in who.items():
            for accept in (
                FORMATS if address.startswith(("/api/heatmap", "/api/cases", "/api/series")) else FORMATS[-1:]
            ):
                answer = town.get(address, headers={**headers, "Accept": accept})
                if answer.status_code == 429:  # a heavy route: its minute begins again
                    forget(town)
                    answer = town.get(address, headers={**headers, "Accept": accept})
                assert answer.status_code < 500, (address, answer.text)
                asked += 1
                seen = words(answer)
                found[name] |= seen
                strays += [
                    (name, address, canaries.places[s][0]) for s in seen if name not in canaries.places[s][1]
                ]
    for name, answer in taken(town, who):
        asked += 1
        seen = words(answer)
        found[name] |= seen
        strays += [
            (name, str(answer.url), canaries.places[s][0]) for s in seen if name not in canaries.places[s][1]
        ]
    log = capfd.readouterr().err.encode()
    assert log.count(b"\n") > 500
    logged = set(WORD.findall(log))
    print(f"{len(canaries.places)} canaries, {asked} answers, {len(strays)} strays, {len(logged)} in the log")
    assert strays == [] and logged == set()
    open_ones = {word for word, (_, may) in canaries.places.items() if may == ALL}
    assert found["public"] == open_ones
    assert len(open_ones) == 4  # of the draft that is open: name, a grid, the released remark, its answer
    assert len(found["worker"]) >= 6  # the own case, all of it
    assert len(found["supervisor"]) >= 12  # and drafts with their remarks
    assert len(canaries.places) >= 50 and asked > 1000


def forget(town: Served) -> None:
    with sessions.session(town.settings, "owner") as session:
        session.execute(text("DELETE FROM attempt"))
    time.sleep(0.01)


def taken(town: Served, who: dict[str, people.Headers]) -> Iterator[tuple[str, httpx.Response]]:
    """What leaves by POST: reports and exports in their formats."""
    for name in ("public", "worker", "supervisor"):
        for kind in ("html", "xlsx"):
            body = {"format": kind, "view": {"by": "grid"}}
            yield name, town.ask("POST", "/api/reports", json=body, headers=who[name])
        for layer in ("grids", "boundaries", "facilities", "units", "heatmap", "cases"):
            for kind in ("csv", "geojson", "xlsx"):
                body = {"layer": layer, "format": kind}
                yield name, town.ask("POST", "/api/exports", json=body, headers=who[name])
        forget(town)
