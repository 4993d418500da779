"""What cleaning noticed, in words: warnings and repairs that rejected nothing."""

from __future__ import annotations

from etl.cases.batch import Rules, Seen
from etl.rejects import LoadReport, Notice

WORDS: dict[str, tuple[str, str]] = {
    "unplaced": (
        "没有可用坐标（缺失、(0,0) 或两个坐标都是整度），保留并计数为“未定位”",
        "without a usable position (missing, (0,0) or both whole degrees): kept and counted as unplaced",
    ),
    "date-order": (
        "{column} 早于受理时间：去掉办结时间并标记",
        "{column} is before the opened time: the closed time is dropped and flagged",
    ),
    "time-nonexistent": (
        "{column} 的钟点在 {zone} 因夏令时不存在：按变更前的时差推后并标记",
        "{column} is a clock time that {zone} skipped: moved on by the offset before the change, and flagged",
    ),
    "time-ambiguous": (
        "{column} 的钟点在 {zone} 出现两次：取第一次",
        "{column} is a clock time that {zone} had twice: the first is taken",
    ),
    "personal-data": (
        "{column} 里的个人信息已遮盖",
        "personal data in {column} was masked",
    ),
    "word-unknown": ("{column} 里有不认识的词：{words}", "unknown words in {column}: {words}"),
}


def tell_seen(report: LoadReport, rules: Rules, seen: Seen) -> None:
    """Add what a batch noticed to the report."""
    for key, rows in seen.rows.items():
        code, _, name = key.partition(":")
        column = rules.layout.columns.get(name or "closed_at", name)
        facts = {
            "column": column,
            "zone": rules.zone,
            "words": ", ".join(sorted(seen.words.get(name, ()))[:10]),
        }
        zh, en = WORDS[code]
        notice = report.notices.setdefault(key, Notice(code, zh.format(**facts), en.format(**facts)))
        notice.add(rows)
    for header, values in seen.personal.items():
        report.personal_columns[header] = report.personal_columns.get(header, 0) + values
    if seen.masked:
        masked = report.details.setdefault("masked", {})
        for kind, number in seen.masked.items():
            masked[kind] = masked.get(kind, 0) + number
    if seen.empty:
        report.notice("rows-empty", "空行，不计", "empty rows, not counted", count=seen.empty)
