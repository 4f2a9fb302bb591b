"""Positions against an oracle that encodes the text up to there and counts."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.positions import PositionMap
from index.types import Span

TEXT = st.text(
    st.sampled_from("aé\u0301😀👩\u200d🚀\r\n\tİ船\u202eא\u200b\0") | st.characters(exclude_categories=["Cs"])
)
UTF = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030"]


@given(TEXT, st.sampled_from(UTF), st.integers(0, 4))
def test_each_position_is_what_encoding_the_prefix_gives(text: str, encoding: str, bom: int) -> None:
    positions = PositionMap(text, encoding, bom)
    for point in range(len(text) + 1):
        assert positions.byte(point) == bom + len(text[:point].encode(encoding))
        assert positions.utf16(point) == len(text[:point].encode("utf-16-le")) // 2


@given(st.text(st.sampled_from("aй船。é")), st.sampled_from(["cp932", "gbk", "big5", "cp949", "euc_jp", "cp1251"]))
def test_code_pages_of_one_and_more_bytes(text: str, encoding: str) -> None:
    text = text.encode(encoding, "ignore").decode(encoding)
    positions = PositionMap(text, encoding)
    places = [positions.byte(point) for point in range(len(text) + 1)]
    assert places == [len(text[:point].encode(encoding)) for point in range(len(text) + 1)]


def test_a_span_in_three_units() -> None:
    ranges = PositionMap("aé😀b", "utf-8", bom=3).ranges(Span(1, 3))
    assert (ranges.codepoint, ranges.utf16, ranges.byte) == (Span(1, 3), (1, 4), (4, 10))


@pytest.mark.parametrize("codepoint", [-1, 3])
def test_a_position_outside_the_text_is_an_error(codepoint: int) -> None:
    with pytest.raises(IndexError):
        PositionMap("ab", "utf-8").byte(codepoint)


def test_the_map_grows_with_the_runs_not_with_the_text() -> None:
    text = "a" * 1_000_000 + "é" + "b" * 1_000_000
    tracemalloc.start()
    positions = PositionMap(text, "utf-8")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20_000
    assert positions.byte(2_000_001) == 2_000_002
