"""Every hostile or broken case file of the bad-input corpus: the promised outcome, and a database that stays sound."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import cases
from etl.rejects import LoadReport
from geo.db import session as sessions
from geo.errors import Refused
from geo.settings import Settings

# How many cases are stored afterwards, where the corpus says so.
STORED = {
    "csv_header_only": 0, "csv_utf8_bom": 3, "csv_utf16le": 3, "csv_gb18030_undeclared": 1, "csv_invalid_utf8_mid_file": 2,
    "csv_nul_byte": 2, "csv_short_row": 2, "csv_long_row": 2, "csv_unclosed_quote": 502, "csv_embedded_newline": 3,
    "csv_cr_only": 3, "csv_decimal_comma": 2, "csv_lat_lon_swapped": 2, "csv_lat_91": 2, "csv_nan_coordinate": 2,
    "csv_inf_coordinate": 2, "csv_1e400_coordinate": 2, "csv_null_island": 3, "csv_outside_service_area": 3,
    "csv_text_in_coordinate": 2, "csv_feb_30": 2, "csv_ambiguous_date": 2, "csv_closed_before_opened": 3, "csv_year_10000": 2,
    "csv_future_2099": 2, "csv_shanghai_1986_gap": 3, "csv_duplicate_identical": 3, "csv_duplicate_conflicting": 2,
    "csv_unknown_category": 3, "csv_field_5mb": 2, "csv_100k_malformed": 0, "xlsx_first_sheet_empty": 1,
    "xlsx_lying_dimension": 1, "xlsx_formula_no_cached_value": 0, "xlsx_long_numeric_id": 0, "xlsx_date1904": 0,
}  # fmt: skip
# Codes of ours where the corpus has another word for the same thing.
ALSO = {
    "csv_million_columns": {"column-count"},
    "wkt_deep_collection": {"geometry-type", "column-missing"},
    "xlsx_date1904": {"date-invalid"},
}


def corpus() -> list[dict[str, Any]]:
    import os

    root = Path(os.environ.get("WANGGE_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared")
    file = root / "corpus" / "bad_inputs.json"
    if not file.is_file():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))
    scope: dict[str, Any] = {}
    exec(found["helpers_py"], scope)  # the corpus's own helpers, standard library only
    chosen = [case for case in found["cases"] if case["target"] == "etl_cases"]
    for case in chosen:
        case["scope"] = scope
    return chosen


CASES = corpus()


def body(case: dict[str, Any]) -> bytes:
    payload = case["payload"]
    made = payload["content"] if payload["kind"] == "inline" else eval(payload["expr"], case["scope"])
    return made.encode() if isinstance(made, str) else made


def outcome(report: LoadReport) -> str:
    return "reject_rows" if report.rejected else "accept_warn" if report.notices else "accept"


def said(report: LoadReport) -> str:
    word = str(report.details["row_word"])
    lines = [f"{word} {r.row}, {r.column}: {r.code} {r.why_en} {r.value}" for r in report.rejects[:1000]]
    for notice in report.notices.values():
        rows = ", ".join(f"{word} {row}" for row in notice.rows)
        lines.append(f"{rows} {notice.code} {notice.en}")
    lines += [f"personal-data-column {name}" for name in report.personal_columns]
    return "\n".join([*lines, json.dumps(report.rejects_by_code)])


def test_the_corpus_is_read(shared_data: Path) -> None:
    assert len(CASES) == 59


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any], open_session: Session, tmp_path: Path) -> None:
    expect, session = case["expect"], open_session
    path = tmp_path / f"{case['id']}.{case['format']}"
    path.write_bytes(body(case))
    memory, started = psutil.Process().memory_info().rss, time.monotonic()
    code, message, report = "", "", None
    try:
        with session.begin_nested():
            report = cases.load(session, path, source="corpus")
        found, message = outcome(report), said(report)
    except Refused as refused:
        found, code, message = "reject_file", refused.code, str(refused) + f" {refused.facts}"
    assert time.monotonic() - started < 30
    assert psutil.Process().memory_info().rss - memory < 300 << 20
    wanted = expect["outcome"]
    assert found in wanted or (found == "accept_warn" and "accept" in wanted), message
    problem = expect.get("problem_type", "").rsplit(":", 1)[-1]
    if report is not None:
        codes = set(report.rejects_by_code) | {n.code for n in report.notices.values()}
        codes |= {"personal-data-column"} if report.personal_columns else set()
        if found == "reject_rows" or (found == "accept_warn" and "accept" not in wanted):
            assert codes & ({problem} | ALSO.get(case["id"], set())), codes
        report.check()
        check_stored(session, case, report, path)
    else:
        assert code in {problem} | ALSO.get(case["id"], set()), code
        assert stored(session) == 0
    if problem and not (found == "accept" or (found == "accept_warn" and "accept" in wanted)):
        for part in expect.get("message_contains", []):
            assert part.casefold() in message.casefold(), (part, message[:2000])


@pytest.fixture
def open_session(module_settings: Settings) -> Iterator[Session]:
    """A session on the module's database; whatever the test does is rolled back."""
    with Session(sessions.engine(module_settings, "owner"), expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


def stored(session: Session) -> int:
    return int(session.scalar(text("SELECT count(*) FROM cases")) or 0)


def check_stored(session: Session, case: dict[str, Any], report: LoadReport, path: Path) -> None:
    if case["id"] in STORED:
        assert stored(session) == STORED[case["id"]]
    texts = session.scalars(
        text("SELECT coalesce(description, '') || coalesce(attributes::text, '') FROM cases")
    ).all()
    assert not any("\ufffd" in value or "\x00" in value for value in texts)
    again = cases.load(session, path, source="corpus")
    assert (again.added, again.updated) == (0, 0)
    assert again.unchanged == report.added and again.rejected == report.rejected
    dumped = dump(session)
    assert "13800138000" not in dumped and "310101199001011234" not in dumped and "Zhang San" not in dumped


def dump(session: Session) -> str:
    """Everything stored, as text."""
    tables = session.scalars(
        text(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
    ).all()
    skip = {"spatial_ref_sys"}
    return "\n".join(
        str(row)
        for table in tables
        if table not in skip
        for row in session.execute(text(f'SELECT * FROM "{table}"'))
    )


def find(name: str) -> dict[str, Any]:
    return next(case for case in CASES if case["id"] == name)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("csv_gb18030_undeclared", "道路破损"),
        ("csv_embedded_newline", "two\nlines"),
        ("csv_formula_dde", "=cmd|'/C calc'!A0"),
        ("csv_negative_number_text", "-5 degrees"),
        ("csv_xss_description", "<img src=x onerror=alert(1)>"),
        ("csv_sql_text", "'); DROP TABLE cases;--"),
        ("csv_bidi_override", "abc\u202etxt.exe"),
        ("csv_formula_tab_prefix", "\t=1+1"),
        ("csv_phone_in_text", "call me [手机]"),
    ],
)
def test_text_is_stored_verbatim(
    name: str, wanted: str, shared_data: Path, open_session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(body(find(name)))
    cases.load(open_session, path, source="corpus")
    assert wanted in open_session.scalars(text("SELECT description FROM cases")).all()


def test_line_numbers_stay_physical_after_a_line_break(
    shared_data: Path, open_session: Session, tmp_path: Path
) -> None:
    scope = CASES[0]["scope"]
    rows = [*scope["good"](2), scope["row"](sid="X9", d='"two\nlines"'), scope["row"](sid="X8", lat="91")]
    path = tmp_path / "a.csv"
    path.write_bytes(scope["csvf"](*rows))
    assert [r.row for r in cases.load(open_session, path, source="corpus").rejects] == [6]


def test_conflicts_do_not_depend_on_the_order_of_rows(
    shared_data: Path, open_session: Session, tmp_path: Path
) -> None:
    scope = CASES[0]["scope"]
    twins = [scope["row"](sid="X9", d="one"), scope["row"](sid="X9", d="two")]
    for order, name in ((twins, "a"), (twins[::-1], "b")):
        path = tmp_path / f"{name}.csv"
        path.write_bytes(scope["csvf"](*scope["good"](2), *order))
        report = cases.load(open_session, path, source=name)
        assert (report.added, report.rejected) == (2, 2)
        assert {r.row for r in report.rejects} == {4, 5}


def test_gzip_is_read_by_its_name_and_a_bomb_is_refused(
    shared_data: Path, open_session: Session, tmp_path: Path
) -> None:
    scope = CASES[0]["scope"]
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(scope["csvf"](*scope["good"](3))))
    assert cases.load(open_session, path, source="gz").added == 3
    bomb = tmp_path / "b.csv.gz"
    with gzip.open(bomb, "wb") as file:
        file.write(scope["csvf"]())
        for _ in range(400):
            file.write(b"\n" * (1 << 20))
    with pytest.raises(Refused) as refused:
        cases.load(open_session, bomb, source="gz2")
    assert refused.value.code == "archive-too-large"


def test_a_file_name_with_a_path_writes_nothing_elsewhere(
    shared_data: Path, settings: Settings, tmp_path: Path
) -> None:
    before = set(Path(tempfile.gettempdir()).glob("evil*"))
    path = tmp_path / "..evil.csv"
    path.write_bytes(body(find("csv_filename_traversal")))
    with sessions.session(settings) as session:
        report = cases.load(session, path, source="x")
    assert not re.search(r"[/\\]", report.file_name)
    assert set(Path(tempfile.gettempdir()).glob("evil*")) == before
