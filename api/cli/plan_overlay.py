"""`wangge plan overlay`: 多格合一."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.files import check_output, write
from api.cli.groups import plan
from api.cli.output import AsJson


@plan.command("overlay")
def overlay_layers(
    layers: Annotated[
        list[str],
        typer.Argument(metavar="LAYER|PLAN…", help="各部门的方案或已装载图层 / plans or loaded layers"),
    ],
    name: Annotated[str, typer.Option(help="合并后方案的名称 / name of the merged draft")],
    weights: Annotated[
        str | None,
        typer.Option(metavar="A=2,B=1", help="各部门权重，默认 1 / weights of departments, 1 by default"),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="报告 .html .pdf .json，对照表 .csv / report, translation tables"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """多格合一：叠合各部门网格，按加权多数合成一个草案 / Merge departments' grids by weighted majority into a draft."""
    from grids import departments

    ending = check_output(to, (".html", ".pdf", ".json", ".csv"))
    with edge.work() as session:
        found = departments.merge(session, layers, name=name, weights=_weights(weights))
        content = _rendered(session, found, ending) if to is not None else b""
    if to is not None:
        write(to, content)
        output.say(f"已写出 {to}", f"Written: {to}")
    facts = found.as_dict()
    agreed = f"{facts['agreed_share'] or 0:.1%}"
    output.say(
        f"方案“{name}”（编号 {found.plan_id}）：{facts['grids']} 个网格，各部门一致的边界 {agreed}。",
        f"Plan {name!r} (id {found.plan_id}): {facts['grids']} grids; departments agree on {agreed} of borders.",
    )
    if as_json:
        output.result(facts, True)
    else:
        output.result(_rows(facts["layers"], edge.lang() == "zh"))


def _rows(layers: list[dict[str, Any]], zh: bool) -> list[dict[str, Any]]:
    words = {
        "name": ("部门", "department"),
        "weight": ("权重", "weight"),
        "grids": ("网格", "grids"),
        "drawn_m": ("界线 m", "lines m"),
        "agreed_m": ("一致 m", "agreed m"),
        "disputed_m": ("他人没有 m", "others do not m"),
        "missing_m": ("仅他人有 m", "only others m"),
    }
    return [
        {
            words[key][0 if zh else 1]: f"{value:,.0f}" if key.endswith("_m") else value
            for key, value in one.items()
        }
        for one in layers
    ]


def _weights(written: str | None) -> dict[str, float]:
    """`城管=2,公安=1` as a mapping. Raises RefusedArgument `overlay-weight`."""
    from geo.errors import RefusedArgument

    found = {}
    for part in (written or "").replace("，", ",").split(","):
        name, equals, value = part.strip().rpartition("=")
        if not part.strip():
            continue
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise RefusedArgument(
                f"权重“{part.strip()[:40]}”无法识别。", f"The weight {part.strip()[:40]!r} is not understood.",
                code="overlay-weight", field="weights",
                do_zh="请写成 城管=2,公安=1。", do_en="Write them as A=2,B=1.",
            )  # fmt: skip
    return found


def _rendered(session: Any, found: Any, ending: str) -> bytes:
    if ending == ".json":
        return output.to_json(found.as_dict()).encode()
    if ending == ".csv":
        return _table(found.as_dict()["translations"])
    from api.merged_page import statement
    from maps.reports import statement_html, statement_pdf

    said = statement(session, found, edge.lang())
    return statement_pdf(said) if ending == ".pdf" else statement_html(said).encode()


def _table(rows: list[dict[str, Any]]) -> bytes:
    """The translation tables of all departments, one row a pair; opens in Excel."""
    import csv
    import io

    from geo.exports.safety import neutralise

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0].keys() if rows else ["layer", "grid", "merged"])
    writer.writerows([neutralise(v) if isinstance(v, str) else v for v in row.values()] for row in rows)
    return text.getvalue().encode("utf-8-sig")
