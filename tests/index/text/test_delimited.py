"""CSV and TSV: each record a block, against the standard library's reading of the same text."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.formats.delimited import blocks, extract, records, sniff, value
from index.text.formats.office.tables import has_header

CELLS = st.text('ab "\n\r;,\t|é😀1', max_size=6).filter(lambda cell: cell == cell.strip())


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.span.start : block.span.end]) for block in blocks(text)]


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_records_and_fields_are_those_of_the_standard_library(rows: list[list[str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(rows)
    text = file.getvalue()
    read = [[value(text, field) for field in record.fields] for record in records(text, delimiter)]
    assert read == [row or [""] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    spans = [record.span for record in records(text, delimiter)]
    for before, after in pairwise(spans):
        assert text[before.end : after.start] in ("\n", "\r\n", "\r")


@given(st.text('a"\n\r,;é', max_size=60))
def test_every_word_is_in_exactly_one_block(text: str) -> None:
    found = [block.span for block in blocks(text)]
    for before, after in pairwise(found):
        assert before.end <= after.start
    inside = {at for span in found for at in range(*span)}
    assert {at for at, character in enumerate(text) if character.isalnum()} <= inside


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("Name;Price\nBread;1,50\nMilk;2,00\n", ";"),
        ("a,b\n1,2\n", ","),
        ("a\tb, c\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"x;y",b\n"1;2",3\n', ","),
        ("Report\n\na;b\n1;2\n3;4\n", ";"),
        ("one word\nanother\n", ","),
    ],
)
def test_delimiter_is_told_from_the_records(text: str, delimiter: str) -> None:
    assert sniff(text) == delimiter


def test_header_and_rows_are_told_and_quoted_line_breaks_end_nothing() -> None:
    text = 'city,note\r\n"Rome, Italy","He said ""hi"".\r\nAnd left."\r\nParis,\r\n'
    assert kinds(text) == [
        ("header", "city,note"),
        ("row", '"Rome, Italy","He said ""hi"".\r\nAnd left."'),
        ("row", "Paris,"),
    ]
    assert [block.label for block in blocks(text)] == ["row 1", "row 2", "row 3"]


def test_titles_comments_and_the_line_for_excel_are_no_rows() -> None:
    assert kinds("sep=;\na;b\n1;2\n") == [("header", "a;b"), ("row", "1;2")]
    assert kinds("# made today\nTowns\n\na;b\n1;2\n") == [
        ("comment", "# made today"),
        ("paragraph", "Towns"),
        ("header", "a;b"),
        ("row", "1;2"),
    ]


def test_quote_that_is_never_closed_hides_no_rows() -> None:
    assert kinds('a,b\n5" pipe,"open\n3,4\n') == [("header", "a,b"), ("row", '5" pipe,"open'), ("row", "3,4")]


def test_long_records_are_read_field_by_field() -> None:
    review = "Bread is good. " * 80
    assert kinds(f'who,what\nJack,"{review}"\n')[1:] == [("paragraph", "Jack"), ("paragraph", review.strip())]


def test_bytes_at_a_row_are_the_row() -> None:
    data = "\ufeffStadt;Fläche\nKöln;405\n".encode("utf-16")
    extracted = extract(data, "a.csv")
    start, end = extracted.blocks[1].span
    assert extracted.anchor == "exact"
    assert extracted.map is None
    assert extracted.text[start:end] == "Köln;405"
    assert extract(b"a\tb\n1\t2", "a.tsv").media_type == "text/tab-separated-values"


def test_many_odd_quotes_are_read_in_one_pass() -> None:
    """Were each looked for to the end of the file, this would take minutes."""
    text = 'a,"b\n' + '"x""y,z\n' * 100_000
    assert sum(1 for _ in blocks(text)) > 1


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["City", "Since"], ["Rome", "1871"]], True),
        ([["Rome", "1871"], ["Paris", "987"]], False),
        ([["Region", "2023", "2024"], ["North", "12", "13"]], True),
        ([["1999", "2001"], ["1998", "2002"]], False),
        ([["a", "a"], ["1", "2"]], False),
        ([["yes", "no"], ["yes", "yes"]], False),
        ([["Name"], ["Anna"]], False),
        ([["Price"], ["12 EUR"]], True),
        ([["", "Price", "Note"], ["Bread", "1", ""]], True),
        ([["Mail", "Name"], ["a@b.org", "Anna"]], True),
        ([["only", "row"]], False),
        ([["w" * 90, "b"], ["c", "d"]], False),
    ],
)
def test_header_names_columns(rows: list[list[str]], expected: bool) -> None:
    assert has_header(rows) == expected
