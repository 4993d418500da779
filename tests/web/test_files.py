"""Loads and exports in a real browser: a dirty file and its rejects, a file that is refused, an export that is opened again."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pytest
from playwright.sync_api import Page, expect

from tests.api.at_work import working
from tests.web.at_plans import at_desk
from tests.web.conftest import PAYLOAD, SOUTH, STEP, WEST

pytestmark = pytest.mark.browser
HEADER = ["工单编号", "受理时间", "经度", "纬度", "大类"]
SHOTS = os.environ.get("WANGGE_SHOTS")  # a folder for pictures to look at


@pytest.fixture(scope="module")
def worked(town: Any) -> Iterator[Any]:
    with working(town.settings, ODD_PRELOAD="1"):
        yield town


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=False)


def rows(n: int = 120) -> list[list[str]]:
    """Cases of the town; every tenth has something wrong with it, one a name that would run as HTML."""
    start = dt.datetime(2025, 3, 1, 8)
    made = []
    for k in range(n):
        opened = f"{start + dt.timedelta(minutes=k):%Y-%m-%d %H:%M:%S}"
        lon, lat = WEST + (k % 37) / 37 * 4 * STEP, SOUTH + (k % 29) / 29 * 2 * STEP
        made.append([f"N{k:05d}", opened, f"{lon:.6f}", f"{lat:.6f}", "暴露垃圾"])
        if k % 10 == 3:
            made[-1][1] = "2025-13-45 08:00" if k % 20 == 3 else PAYLOAD
        if k % 40 == 9:
            made[-1][2] = "abc"
    return made


def gbk(made: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADER, *made])
    return text.getvalue().encode("gbk")


def choose(page: Page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").first.set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def opened(watched: Any, path: str) -> Page:
    page: Page = watched.page
    page.goto(watched.base + path)
    page.wait_for_selector("body[data-ready=true]")
    return page


def test_a_dirty_gbk_file_is_loaded_and_its_rejects_are_put_right(
    worked: Any, visit: Any, tmp_path: Path
) -> None:
    with at_desk(visit, worked.url, worked.token) as watched:
        page = opened(watched, "/loads")
        shot(page, "loads-empty-zh")
        choose(page, "热线三月.csv", gbk(rows()))
        expect(page.get_by_label("这是什么")).to_have_value("cases")  # guessed from the GBK header
        expect(page.get_by_label("来源名称 *")).to_have_value("热线三月")
        page.get_by_role("button", name="检查文件").click()
        found = page.get_by_role("region", name="检查结果（尚未装载）")
        expect(found.locator(".law")).to_contain_text("120")
        expect(found.locator(".law .rejected")).to_contain_text("15")
        expect(found.get_by_label("受理时间")).to_have_value("受理时间")
        expect(found).to_contain_text(PAYLOAD)  # as text
        page.wait_for_selector("body[data-evidence=true]")
        shot(page, "loads-looked-zh")
        assert page.evaluate("() => document.querySelectorAll('.rejects img').length") == 0
        assert (
            worked.json("/api/loads?source=%E7%83%AD%E7%BA%BF%E4%B8%89%E6%9C%88", worked.token)["loads"] == []
        )

        first = found.locator(".rejects tbody tr td").first
        before = int(first.inner_text())
        found.get_by_role("button", name="行", exact=True).click()
        assert int(first.inner_text()) > before

        page.get_by_role("button", name="装载 105 行").click()
        done = page.get_by_role("region", name="已装载，没有退回")
        expect(done).to_contain_text("15 行退回")
        shot(page, "loads-done-zh")
        with page.expect_download() as told:
            done.get_by_role("link", name="下载退回的行（CSV）").click()
        told.value.save_as(tmp_path / "rejects.csv")
        content = (tmp_path / "rejects.csv").read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        listed = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        assert len(listed) == 15 and list(listed[0])[:5] == HEADER

        book = openpyxl.Workbook()  # put right in a spreadsheet, saved as one
        book.active.append(list(listed[0]))
        for one in listed:
            book.active.append(
                [*{**one, "受理时间": "2025-03-05 09:30:00", "经度": f"{WEST + STEP:.6f}"}.values()]
            )
        book.save(tmp_path / "改正.xlsx")
        choose(page, "改正.xlsx", (tmp_path / "改正.xlsx").read_bytes())
        expect(page.get_by_label("来源名称 *")).to_have_value("热线三月")  # as before
        page.get_by_role("button", name="检查文件").click()
        page.get_by_role("button", name="装载 15 行").click()
        expect(page.get_by_role("region", name="已装载，没有退回").get_by_role("status")).to_contain_text(
            "已装载，没有退回"
        )
        runs = worked.json("/api/loads?source=%E7%83%AD%E7%BA%BF%E4%B8%89%E6%9C%88", worked.token)["loads"]
        assert [(r["rows_in"], r["rows_added"], r["rows_rejected"]) for r in runs] == [
            (15, 15, 0),
            (120, 105, 15),
        ]

        page.get_by_role("region", name="以前的装载").get_by_role("link", name="热线三月.csv").click()
        expect(page.locator(".rejects")).to_contain_text("退回的行（15）")
        shot(page, "load-zh")


def test_a_file_in_another_crs_is_explained_and_put_right(worked: Any, visit: Any) -> None:
    import geopandas
    import shapely

    squares = geopandas.GeoDataFrame(
        {"code": ["A", "B"], "name": ["甲", "乙"]},
        geometry=[
            shapely.box(WEST + i * 2 * STEP, SOUTH, WEST + (i + 1) * 2 * STEP, SOUTH + 2 * STEP)
            for i in range(2)
        ],
        crs=4326,
    ).to_crs(4548)
    lying = json.loads(squares.to_json())
    lying.pop("crs", None)
    with at_desk(visit, worked.url, worked.token) as watched:
        page = opened(watched, "/loads?lang=en")
        choose(page, "police.geojson", json.dumps(lying).encode())
        expect(page.get_by_label("What it is")).to_have_value("boundaries")
        expect(page.get_by_label("Level *")).to_have_value("police_district")
        page.get_by_role("button", name="Look at the file").click()
        refusal = page.get_by_role("alert").filter(has_text="cannot be loaded")
        expect(refusal).to_contain_text("Nothing was changed")
        shot(page, "loads-refused-en")
        refusal.get_by_role("button", name="EPSG:").first.click()  # what fits, found by the coordinates
        found = page.get_by_role("region", name="What was found (not loaded yet)")
        expect(found.locator(".law")).to_contain_text("2 rows read")
        page.wait_for_selector("body[data-evidence=true]")
        shot(page, "loads-evidence-en")


def test_an_export_is_downloaded_and_opened_again(worked: Any, visit: Any, tmp_path: Path) -> None:
    with at_desk(visit, worked.url, worked.token) as watched:
        page = opened(watched, "/exports")
        shot(page, "exports-empty-zh")
        page.locator("select[name=layer]").select_option("cases")
        page.locator("select[name=format]").select_option("gpkg")
        page.locator("input[name=crs]").fill("EPSG:4490")
        page.get_by_label("从", exact=True).fill("2024-03-01")
        page.get_by_label("到（不含）").fill("2024-06-01")
        page.get_by_role("button", name="导出", exact=True).click()
        link = page.get_by_role("region", name="我的文件").get_by_role("link").first
        expect(link).to_contain_text("案件-2024-03-01_2024-06-01")
        shot(page, "exports-zh")
        with page.expect_download() as told:
            link.click()
        assert told.value.suggested_filename.startswith("测试城-案件-2024-03-01_2024-06-01")
        told.value.save_as(tmp_path / "cases.gpkg")
        frame = pyogrio.read_dataframe(tmp_path / "cases.gpkg")
        period = frame["opened_at"].dt.tz_convert("Asia/Shanghai")
        assert frame.crs.to_epsg() == 4490 and 500 < len(frame) < 2000
        assert period.min() >= dt.datetime(2024, 3, 1, tzinfo=period.dt.tz) and period.max() < dt.datetime(
            2024, 6, 1, tzinfo=period.dt.tz
        )
        assert "description" not in frame.columns

        page.get_by_label("到（不含）").fill("2024-01-01")  # before it begins
        expect(page.get_by_role("alert")).to_contain_text("起始日应早于结束日")
        expect(page.get_by_role("button", name="导出", exact=True)).to_be_disabled()


def test_a_long_list_of_rejects_draws_only_what_is_in_sight(worked: Any, visit: Any) -> None:
    wrong = [[f"L{k}", "never", f"{WEST:.4f}", f"{SOUTH:.4f}", "x"] for k in range(900)]
    with at_desk(visit, worked.url, worked.token) as watched:
        page = opened(watched, "/loads")
        choose(page, "长.csv", gbk(wrong))
        page.get_by_role("button", name="检查文件").click()
        box = page.locator(".rejects .scroll")
        expect(page.locator(".rejects h3")).to_contain_text("900")
        assert page.locator(".rejects tbody tr").count() < 60
        box.evaluate("box => { box.scrollTop = box.scrollHeight }")
        expect(
            box.locator("tbody tr").filter(has_text="201").first
        ).to_be_visible()  # the last of the first 200


def test_pages_are_usable_on_a_phone_and_accessible(worked: Any, visit: Any) -> None:
    from tests.web.conftest import AXE, AXE_RUN

    for phone in (False, True):
        with at_desk(visit, worked.url, worked.token, phone=phone, bypass_csp=True) as watched:
            page = opened(watched, "/loads")
            choose(page, "热线.csv", gbk(rows(40)))
            page.get_by_role("button", name="检查文件").click()
            expect(page.get_by_role("region", name="检查结果（尚未装载）").locator(".law")).to_contain_text(
                "40"
            )
            page.wait_for_selector("body[data-evidence=true]")
            for path in ("loads", "exports"):
                if path == "exports":
                    page = opened(watched, "/exports")
                page.add_script_tag(path=str(AXE))
                assert page.evaluate(AXE_RUN) == []
                wide = page.evaluate(
                    "() => document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth"
                )
                assert wide <= 1, f"{path} scrolls sideways by {wide} px"
                shot(page, f"{path}-{'phone' if phone else 'desk'}")


def test_whom_the_pages_are_for(worked: Any, visit: Any) -> None:
    watched = visit(worked.url)
    for path in ("/loads", "/exports"):
        page = opened(watched, path)
        expect(page.locator("main")).to_contain_text("此页需要登录")
