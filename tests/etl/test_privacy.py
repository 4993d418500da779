"""Masking: recall and precision on generated, labelled texts in two languages; personal columns never leave the file."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import cases, privacy

SURNAMES, GIVEN = "王李张刘陈杨黄赵周吴徐孙", ["伟", "芳", "秀英", "建国", "敏", "丽华", "强", "小明"]
FRAMES = (
    "来电人反映{}附近路灯不亮", "市民投诉小区门口积水，{}，请尽快处理", "{}，希望部门核实", "道路破损。{}。已持续三天",
    "the street light is out, {}, please help", "illegal dumping again; {}",
)  # fmt: skip
HARMLESS = (
    "3号楼前积水", "中山路326号门口堆放垃圾", "约200米路面破损", "共享单车12辆", "2025年3月1日8时发生",
    "第12345号工单", "井盖编号 20231145", "沪太路1388弄", "12345热线转办", "电压220V", "污水管DN300",
    "地铁10号线", "K301路公交", "高度2.5米", "噪音达75分贝", "经度121.473701", "编号RX000012345678",
    "building 12 entrance", "about 300 feet of sidewalk", "route M15 bus stop", "at 5th Ave and 42nd St",
    "ticket 101001240900", "zip code 02124", "王府井大街北口", "李子园路", "张江高科技园区",
    "广告牌A3尺寸", "小区业主反映电梯故障", "居民投诉噪音扰民", "群众举报占道经营", "住户家中漏水",
    "市民来电咨询政策", "老板在店外经营", "请师傅尽快维修", "环卫工人未清扫", "房东违规出租",
    "车主乱停车",
)  # fmt: skip


def identity(rng: random.Random) -> str:
    birth = f"{rng.randint(1940, 2015)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    body = f"{rng.randint(110101, 659001)}{birth}{rng.randint(0, 999):03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def mobile(rng: random.Random) -> str:
    digits = f"1{rng.choice('3456789')}{rng.randint(0, 10**9 - 1):09d}"
    dress = rng.randrange(5)
    if dress == 1:
        return f"{digits[:3]}-{digits[3:7]}-{digits[7:]}"
    if dress == 2:
        return f"+86 {digits[:3]} {digits[3:7]} {digits[7:]}"
    if dress == 3:
        return "".join(chr(ord(d) + 0xFEE0) for d in digits)
    return digits


def secret(rng: random.Random, kind: str) -> tuple[str, str]:
    """(text, the part that must vanish)."""
    name = rng.choice(SURNAMES) + rng.choice(GIVEN)
    if kind == "mobile":
        number = mobile(rng)
        return rng.choice(["电话{}", "请回电{}", "联系方式：{}", "call {}"]).format(number), number
    if kind == "id-card":
        number = identity(rng)
        return rng.choice(["身份证{}", "证件号 {}", "ID {}"]).format(number), number
    if kind == "plate":
        letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(rng.choice((4, 5))))
        plate = f"{rng.choice('京沪粤苏浙鲁川')}{rng.choice('ABCDE')}{rng.choice(['', '·', ' '])}{letters}{rng.randint(0, 9)}"
        return rng.choice(["车牌{}", "一辆{}的轿车", "车辆 {} 违停"]).format(plate), plate
    if kind == "e-mail":
        address = f"{rng.choice(['li.wei', 'zhang_3', 'a-b', 'john'])}@{rng.choice(['qq.com', 'example.org', 'mail.gov.cn'])}"
        return f"邮箱{address}", address
    if kind == "landline":
        number = rng.choice(["021-6{:07d}", "(010)8{:07d}", "0755 2{:07d}", "0571-8{:07d}"]).format(
            rng.randint(0, 10**7 - 1)
        )
        return f"固话{number}", number
    if kind == "room":
        room = f"{rng.randint(1, 30)}号楼{rng.choice(['', '2单元', '3门'])}{rng.randint(101, 2805)}室"
        return f"住在{room}", room
    role = rng.choice(["联系人：{}，", "投诉人{}反映", "业主姓名：{}，", "我叫{}，"])
    return role.format(name), name


def test_recall_and_precision() -> None:
    rng = random.Random(31)
    kinds = ("mobile", "id-card", "plate", "e-mail", "landline", "room", "name")
    texts, parts = [], []
    for number in range(2000):
        told, part = secret(rng, kinds[number % len(kinds)])
        texts.append(rng.choice(FRAMES).format(told))
        parts.append((kinds[number % len(kinds)], part))
    masked = privacy.mask_column(pa.array(texts)).column.to_pylist()
    missed = [(kind, part, out) for (kind, part), out in zip(parts, masked, strict=True) if part in out]
    clean = [rng.choice(FRAMES).format(rng.choice(HARMLESS)) for _ in range(2000)]
    touched = [
        (a, b)
        for a, b in zip(clean, privacy.mask_column(pa.array(clean)).column.to_pylist(), strict=True)
        if a != b
    ]
    recall = 1 - len(missed) / len(texts)
    found = len(texts) - len(missed)
    precision = found / (found + len(touched))
    print(f"\nrecall {recall:.4f}, precision {precision:.4f}")
    assert recall >= 0.995, missed[:20]
    assert precision >= 0.97, touched[:20]


def test_the_column_and_the_single_text_agree() -> None:
    rng = random.Random(7)
    texts = [
        rng.choice(FRAMES).format(secret(rng, k)[0])
        for k in ("mobile", "room", "name", "plate")
        for _ in range(50)
    ]
    assert privacy.mask_column(pa.array([*texts, None])).column.to_pylist() == [
        *(privacy.mask(t)[0] for t in texts),
        None,
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["13800138000", "+86 13912345678", None], "mobile"),
        (["11010519491231002X"] * 3, "id-card"),
        (["110105194912310021"] * 3, None),  # eighteen digits with a wrong check character: some other number
        (["沪A12345", "京B·2345F"], "plate"),
        (["a@b.cn", "c.d@e.org", "-"], "e-mail"),
        (["101001240900", "101001240901"], None),
    ],
)
def test_columns_that_are_personal_by_what_they_hold(values: list[str | None], kind: str | None) -> None:
    assert privacy.personal_by_content(pa.array(values)) == kind


def test_no_personal_value_reaches_the_database_or_the_reject_list(db: Session, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "工单编号,受理时间,经度,纬度,诉求内容,联系人,unknown\n"
        "1,2025-03-01 08:00,121.4,31.2,电话13800138001,欧阳娜娜,13700137001\n"
        "2,2025-03-01 08:00,121.4,31.2,好,王小二,13700137002\n"
        "3,坏时间 13600136001,121.4,31.2,身份证11010519491231002X,李四光,13700137003\n"
    )
    report = cases.load(db, path, source="x")
    assert report.personal_columns == {"联系人": 3, "unknown": 3} and report.rejected == 1
    everything = str(report.as_dict()) + str(report.rejects)
    for table in ("cases", "reject", "load_run"):
        everything += str(db.execute(text(f"SELECT * FROM {table}")).all())
    for canary in (
        "13800138001",
        "欧阳娜娜",
        "13700137001",
        "13600136001",
        "11010519491231002X",
        "李四光",
        "王小二",
    ):
        assert canary not in everything, canary
