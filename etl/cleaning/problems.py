"""What can be wrong with a row, in both languages: code → (why zh, why en, do zh, do en). `{…}` are filled per row."""

from __future__ import annotations

from etl.rejects import VALUE_CHARACTERS, Reject

NUL_SHOWN = "\u2400"  # PostgreSQL text holds no NUL
PROBLEMS: dict[str, tuple[str, str, str, str]] = {
    "id-missing": ("没有编号", "no identifier", "补上编号", "fill in the identifier"),
    "id-precision": (
        "编号是超过 15 位的数字单元格，表格软件已改动其末位",
        "the identifier is a number cell of more than 15 digits, whose last digits the spreadsheet has lost",
        "把该列设为文本后重新导出",
        "export that column as text",
    ),
    "opened-missing": ("没有受理时间", "no opened time", "补上时间", "fill in the time"),
    "date-invalid": (
        "不是 1900 至 2199 年间可识别的时间",
        "not a known time of the years 1900 to 2199",
        "用 2025-03-01 08:00:00 这样的格式",
        "write it like 2025-03-01 08:00:00",
    ),
    "date-ambiguous": (
        "日和月的先后不明，整列也无法判定",
        "day and month cannot be told apart, nor does the whole column tell",
        "改用 2025-03-01，或在列映射里写明 formats",
        "write 2025-03-01, or declare formats in the column mapping",
    ),
    "date-future": (
        "时间在将来",
        "the time lies in the future",
        "检查年份与时区",
        "check the year and the time zone",
    ),
    "number-format": (
        "不是数字（小数点用“.”，不接受逗号和字母）",
        "not a number (the decimal sign is a point; no commas, no letters)",
        "改成 121.4737 这样的数字",
        "write it like 121.4737",
    ),
    "coordinate-not-finite": (
        "坐标不是有限的数",
        "the coordinate is not a finite number",
        "改正或留空",
        "correct it or leave it empty",
    ),
    "coordinate-range": (
        "坐标超出范围（经度 ±180，纬度 ±90）",
        "the coordinate is out of range (longitude ±180, latitude ±90)",
        "改正坐标",
        "correct the coordinate",
    ),
    "coordinate-swapped": (
        "纬度超出 ±90；经纬度似乎颠倒（lat/lon swapped）",
        "latitude is beyond ±90; longitude and latitude look swapped",
        "交换两列后重新装载",
        "swap the two values and load again",
    ),
    "coordinate-crs": (
        "坐标不在所声明坐标系的范围内",
        "the coordinate lies outside the area of the declared CRS",
        "检查所声明的坐标系与坐标",
        "check the declared CRS and the coordinate",
    ),
    "geometry-type": ("不是点几何", "not a point geometry", "用 POINT(经度 纬度)", "write POINT(lon lat)"),
    "control-character": ("含有控制字符", "holds a control character", "删除该字符", "remove it"),
    "field-too-long": ("超过 {allowed} 个字符", "longer than {allowed} characters", "缩短内容", "shorten it"),
    "category-unknown": (
        "类别不在该来源的目录里",
        "the category is not in the catalogue of this source",
        "改正类别或更新目录",
        "correct it or extend the catalogue",
    ),
    "row-conflict": (
        "编号 {id} 在文件中出现多次且内容不同：第 {rows} 行",
        "identifier {id} stands more than once with different content: line {rows}",
        "只保留正确的一行",
        "keep the right one",
    ),
    "cell-formula": (
        "单元格是没有缓存值的公式",
        "the cell is a formula without a stored value",
        "在表格软件中打开并保存后重试",
        "open and save it in a spreadsheet program",
    ),
}
SAME_CODE = {
    "coordinate-swapped": "coordinate-range",
    "coordinate-crs": "coordinate-range",
    "opened-missing": "value-missing",
    "id-missing": "value-missing",
}


def reject(
    row: int,
    problem: str,
    *,
    column: str | None = None,
    value: str | None = None,
    original: dict[str, str | None] | None = None,
    **facts: object,
) -> Reject:
    """A reject with the words of its problem.

    >>> reject(4, "coordinate-swapped", column="lat", value="121.4").code
    'coordinate-range'
    """
    why_zh, why_en, do_zh, do_en = PROBLEMS[problem]
    return Reject(
        row,
        SAME_CODE.get(problem, problem),
        why_zh.format(**facts),
        why_en.format(**facts),
        column=column,
        value=None if value is None else value[:VALUE_CHARACTERS].replace("\x00", NUL_SHOWN),
        do_zh=do_zh,
        do_en=do_en,
        original=original or {},
    )
