"""The account of a load, as the person at the screen reads it.

    print_report(report, edge.lang())

Rows and what became of them, the columns that were chosen, the CRS and its evidence, repairs and warnings, the first
rejects with what to do about them.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from etl.rejects import LoadReport, Reject
from geo.errors import Lang

FIRST_REJECTS = 10
WORDS = {
    "loaded": ("已装载", "loaded"),
    "checked": ("检查完毕，未写入", "checked, nothing written"),
    "same": ("同一文件已装载过，没有变化", "this very file is loaded already, nothing changed"),
    "rows_in": ("读入", "rows in"),
    "added": ("新增", "added"),
    "updated": ("更新", "updated"),
    "unchanged": ("未变", "unchanged"),
    "duplicate": ("重复", "duplicate"),
    "rejected": ("拒收", "rejected"),
    "unplaced": ("无位置", "unplaced"),
    "layout": ("列", "columns"),
    "crs": ("坐标系", "CRS"),
    "encoding": ("编码", "encoding"),
    "personal": ("个人信息列（未保存）", "personal columns (not kept)"),
    "rejects": ("拒收", "rejected"),
    "row": ("第 {row} 行", "row {row}"),
    "more": ("…… 另有 {n} 条，wangge runs show {run} 查看全部", "… and {n} more: wangge runs show {run}"),
    "run": ("批次", "run"),
}


def print_report(report: LoadReport, lang: Lang) -> None:
    """The report on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines(report, lang):
        console.print(escape(line))


def lines(report: LoadReport, lang: Lang) -> list[str]:
    """The report as lines of text in one language."""
    said = [_head(report, lang), _counts(report, lang)]
    said += [line for line in (_layout(report, lang), _reading(report, lang)) if line]
    said += [f"  {key}: {value}" for key, value in _details(report, lang)]
    if report.personal_columns:
        shown = ", ".join(f"{name} ({n})" for name, n in report.personal_columns.items())
        said.append(f"{_word('personal', lang)}: {shown}")
    said += [_notice(n.as_dict(), lang) for n in report.notices.values()]
    said += _rejects(report, lang)
    return said


def _word(key: str, lang: Lang) -> str:
    return WORDS[key][0 if lang == "zh" else 1]


def _head(report: LoadReport, lang: Lang) -> str:
    state = (
        "same"
        if "same_as_run" in report.details
        else "checked"
        if report.details.get("dry_run")
        else "loaded"
    )
    run = f" ({_word('run', lang)} {report.run_id})" if report.run_id is not None else ""
    return f"{report.file_name} → {report.kind} {report.source}: {_word(state, lang)}{run}"


def _counts(report: LoadReport, lang: Lang) -> str:
    law = ("added", "updated", "unchanged", "duplicate", "rejected")
    parts = " + ".join(f"{_word(key, lang)} {getattr(report, key):,}" for key in law)
    tail = f"  ({_word('unplaced', lang)} {report.unplaced:,})" if report.unplaced else ""
    return f"{_word('rows_in', lang)} {report.rows_in:,} = {parts}{tail}"


def _layout(report: LoadReport, lang: Lang) -> str:
    shown = [f"{key} = {value}" for key, value in report.layout.items() if isinstance(value, str)]
    return f"{_word('layout', lang)}: {', '.join(shown)}" if shown else ""


def _reading(report: LoadReport, lang: Lang) -> str:
    shown = [
        f"{_word(key, lang)}: {value}"
        for key, value in (("crs", report.crs), ("encoding", report.encoding))
        if value
    ]
    return "; ".join(shown)


DETAILS = {  # detail of a load -> how it is called
    "measuring_crs": ("量算坐标系", "measured in"),
    "area_m2": ("总面积 m²", "total area m²"),
    "edition": ("版本", "edition"),
    "parents": ("上级", "parents"),
    "overlap_m2": ("重叠 m²", "overlap m²"),
    "gap_m2": ("缝隙 m²", "gaps m²"),
    "units": ("单元", "units"),
    "datum": ("基准重合度", "datum fit (IoU)"),
}


def _details(report: LoadReport, lang: Lang) -> list[tuple[str, str]]:
    out = []
    for key, words in DETAILS.items():
        value = report.details.get(key)
        if value in (None, 0, 0.0, {}):
            continue
        shown = _edition(value, lang) if key == "edition" else _shown(value)
        out.append((words[0 if lang == "zh" else 1], shown))
    return out


def _edition(edition: dict[str, Any], lang: Lang) -> str:
    lower, upper = edition["from"], edition["to"]
    if lang == "zh":
        return f"{lower + ' 起' if lower else '一直'}{'，至 ' + upper if upper else ''}"
    return f"since {lower or 'ever'}{', until ' + upper if upper else ''}"


def _shown(value: Any) -> str:
    if isinstance(value, dict) and all(isinstance(v, float) for v in value.values()):
        return ", ".join(f"{k} {v:.4f}" for k, v in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items() if v not in (None, 0, False))
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _notice(notice: dict[str, Any], lang: Lang) -> str:
    rows = f" [{', '.join(str(r) for r in notice['rows'])}]" if notice["rows"] else ""
    return f"! {notice['code']} × {notice['count']:,}: {notice[lang]}{rows}"


def _rejects(report: LoadReport, lang: Lang) -> list[str]:
    said = [f"{_word('rejects', lang)} {code}: {n:,}" for code, n in report.rejects_by_code.most_common()]
    said += [_reject(r, lang) for r in report.rejects[:FIRST_REJECTS]]
    more = report.rejected - min(len(report.rejects), FIRST_REJECTS)
    if report.rejects and more > 0:
        said.append(_word("more", lang).format(n=f"{more:,}", run=report.run_id or "N"))
    return said


def _reject(reject: Reject, lang: Lang) -> str:
    where = _word("row", lang).format(row=reject.row)
    column = f" {reject.column}" if reject.column else ""
    value = f" {reject.value!r}" if reject.value else ""
    why, do = (reject.why_zh, reject.do_zh) if lang == "zh" else (reject.why_en, reject.do_en)
    return f"  {where}{column}{value}: {why}" + (f" — {do}" if do else "")
