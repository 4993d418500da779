"""Formulas are neutralised, and every text survives the round trip."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.exports.names import short_names
from geo.exports.safety import STARTS, neutralise, neutralise_table, restore

DANGEROUS = set(STARTS.replace("\\", ""))
PREFIXES = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'="]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_cell_starts_a_formula(prefix: str) -> None:
    safe = neutralise(prefix + "1+1")
    assert safe[0] == "'"
    assert restore(safe) == prefix + "1+1"


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n＝a1道 "), max_size=8))
def test_every_text_survives(value: str) -> None:
    safe = neutralise(value)
    assert not safe or safe[0] not in DANGEROUS
    assert restore(safe) == value


@given(st.lists(st.one_of(st.none(), st.text(max_size=6)), max_size=20))
def test_the_vectorised_form_is_the_same(values: list[str | None]) -> None:
    table = neutralise_table(pa.table({"t": pa.array(values, pa.string())}))
    assert table.column("t").to_pylist() == [None if v is None else neutralise(v) for v in values]


@given(
    st.lists(st.text(min_size=1, max_size=14), unique=True, max_size=40), st.sampled_from(["utf-8", "gbk"])
)
def test_short_names_are_short_and_unique(names: list[str], encoding: str) -> None:
    mapping = short_names(names, encoding)
    assert list(mapping) == names
    assert all(0 < len(s.encode(encoding, "replace")) <= 10 for s in mapping.values())
    assert len({s.casefold() for s in mapping.values()}) == len(names)
