"""XLSX: each row a block of what its cells show, against openpyxl's own reading of the same file."""

from __future__ import annotations

import io
from datetime import date, datetime, time
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.styles import Font
from openpyxl.workbook import Workbook
from openpyxl.worksheet.table import Table

from index.errors import DamagedFile, DocumentError, EmptyDocument
from index.text.formats.xlsx import extract
from index.text.maps import BlockMap
from index.types import Extracted
from tests.support.office import TextOf, check_places, container, outline, relationships, rewritten

S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def book_of(*rows: list[Any], name: str = "Prices") -> Workbook:
    book = Workbook()
    book.active.title = name
    for row in rows:
        book.active.append(row)
    return book


def by_openpyxl(data: bytes) -> TextOf:
    """The cell at a path as openpyxl reads it; for plain strings and whole numbers that is what shows."""
    book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)

    def text_of(part: str, path: tuple[int, ...]) -> str:
        sheet, row, column = path
        assert part == f"xl/worksheets/sheet{sheet + 1}.xml"
        return str(book.worksheets[sheet].cell(row + 1, column + 1).value)

    return text_of


def read(book: Workbook) -> Extracted:
    data = saved(book)
    extracted = extract(data, "a.xlsx")
    check_places(extracted, by_openpyxl(data))
    return extracted


def sheet(data: str, *, styles: str = "", strings: str = "", after: str = "") -> bytes:
    """A workbook of one sheet, made by hand."""
    links = {
        "r1": ("worksheet", "worksheets/sheet1.xml"),
        "r2": ("styles", "styles.xml"),
        "r3": ("sharedStrings", "s.xml"),
    }
    r = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    return container(
        {
            "_rels/.rels": relationships({"r1": ("officeDocument", "xl/workbook.xml")}),
            "xl/_rels/workbook.xml.rels": relationships(links),
            "xl/workbook.xml": f'<workbook xmlns="{S}" {r}><sheets><sheet name="One" r:id="r1"/></sheets></workbook>',
            "xl/styles.xml": f'<styleSheet xmlns="{S}">{styles}</styleSheet>',
            "xl/s.xml": f'<sst xmlns="{S}">{strings}</sst>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{S}"><sheetData>{data}</sheetData>{after}</worksheet>',
        }
    )


def test_row_is_one_block_below_the_name_of_its_sheet() -> None:
    extracted = read(book_of(["Item", "Price"], ["Bread", 3], ["Milk", 2]))
    assert outline(extracted) == [("header", "Item\tPrice"), ("row", "Bread\t3"), ("row", "Milk\t2")]
    assert [block.label for block in extracted.blocks] == ["Prices, row 1", "Prices, row 2", "Prices, row 3"]
    assert {block.headings for block in extracted.blocks} == {("Prices",)}
    assert {block.group for block in extracted.blocks} == {1}
    assert isinstance(extracted.map, BlockMap)
    assert [place.path for place in extracted.map.places(extracted.blocks[1].span)] == [(0, 1, 0), (0, 1, 1)]
    assert extracted.map.label(extracted.blocks[2].span) == "Prices, row 3"


def test_titles_above_a_table_are_paragraphs_and_blank_cells_keep_their_column() -> None:
    book = book_of(
        ["Prices of 2024"], [], ["All in euros"], ["Item", "Size", "Price"], ["Bread", None, 3], ["Milk", "1 l", 2]
    )
    assert outline(read(book)) == [
        ("paragraph", "Prices of 2024"),
        ("paragraph", "All in euros"),
        ("header", "Item\tSize\tPrice"),
        ("row", "Bread\t\t3"),
        ("row", "Milk\t1 l\t2"),
    ]


def test_table_goes_on_behind_a_blank_row() -> None:
    extracted = read(book_of(["Item", "Price"], ["Bread", 3], [], ["Milk", 2]))
    assert [(block.kind, block.group) for block in extracted.blocks] == [("header", 1), ("row", 1), ("row", 1)]


def test_single_column_is_text_unless_it_has_a_header() -> None:
    assert {kind for kind, _ in outline(read(book_of(["Read me."], ["Prices change."])))} == {"paragraph"}
    assert [kind for kind, _ in outline(read(book_of(["Year"], [1871], [1990])))] == ["header", "row", "row"]


def test_tables_filters_and_frozen_rows_tell_their_header() -> None:
    book = book_of(["1", "2"], ["3", "4"], ["5", "6"])
    book.active.freeze_panes = "A2"
    assert [kind for kind, _ in outline(read(book))] == ["header", "row", "row"]
    book = book_of(["a", "a"], ["3", "4"])
    book.active.auto_filter.ref = "A1:B2"
    assert [kind for kind, _ in outline(read(book))] == ["header", "row"]
    book = book_of(["a", "b"], ["c", "d"], ["e", "f"])
    book.active.add_table(Table(displayName="T", ref="A2:B3"))
    assert [kind for kind, _ in outline(read(book))] == ["row", "header", "row"]


def test_numbers_show_by_their_formats() -> None:
    book = book_of(["Day", "At", "Share", "Price", "Part"])
    book.active.append([date(2024, 5, 1), time(14, 30), 0.256, 4.5, True])
    book.active.append([datetime(2024, 5, 1, 14, 30), None, 1, 1200, False])  # noqa: DTZ001 - cells have no zone
    for row in (2, 3):
        book.active.cell(row, 3).number_format = "0.0%"
        book.active.cell(row, 4).number_format = '#,##0.00 "€"'
    assert outline(extract(saved(book), "a.xlsx"))[1:] == [
        ("row", "2024-05-01\t14:30:00\t25.6%\t4.50 €\tTRUE"),
        ("row", "2024-05-01 14:30:00\t\t100.0%\t1,200.00 €\tFALSE"),
    ]


def test_formulas_count_with_their_stored_value_and_those_without_are_told() -> None:
    data = sheet(
        '<row r="1"><c r="A1" t="str"><f>"a"&amp;"b"</f><v>ab</v></c><c r="B1"><f>1+1</f><v>2</v></c></row>'
        '<row r="2"><c r="A2"><f>NOW()</f></c><c r="B2" t="e"><v>#N/A</v></c></row>'
    )
    extracted = extract(data, "a.xlsx")
    assert outline(extracted) == [("row", "ab\t2"), ("row", "#N/A")]
    assert extracted.notices == ("One: 1 formulas have no stored value",)


def test_shared_and_inline_strings_are_read_without_pronunciation_and_escapes() -> None:
    strings = (
        "<si><t>Plain</t></si><si><r><t>Ri</t></r><r><rPr><b/></rPr><t>ch</t></r></si>"
        '<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si><si><t>a_x000D_\nb_x005F_x0041_</t></si><si/>'
    )
    cells = "".join(f'<c r="{column}1" t="s"><v>{at}</v></c>' for at, column in enumerate("ABCDE"))
    inline = '<c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r><rPh><t>x</t></rPh></is></c>'
    data = sheet(f'<row r="1">{cells}{inline}<c t="s"><v>99</v></c></row>', strings=strings)
    assert outline(extract(data, "a.xlsx")) == [("row", "Plain\tRich\t東京\ta\nb_x0041_\tinline")]


def test_merged_cells_are_said_in_each_of_their_rows() -> None:
    book = book_of(["Land", "Town", "Since"], ["Italy", "Rome", 1871], [None, "Turin", 1861], ["Both", None, 2])
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("A4:B4")
    data = saved(book)
    extracted = extract(data, "a.xlsx")
    check_places(extracted, by_openpyxl(data))
    assert outline(extracted)[1:] == [("row", "Italy\tRome\t1871"), ("row", "Italy\tTurin\t1861"), ("row", "Both\t\t2")]
    assert isinstance(extracted.map, BlockMap)
    assert [place.path for place in extracted.map.places(extracted.blocks[2].span)] == [(0, 1, 0), (0, 2, 1), (0, 2, 2)]


def test_hidden_sheets_rows_and_columns_are_left_out_and_told() -> None:
    book = book_of(["Item", "Price", "Cost"], ["Bread", 3, 1], ["Milk", 2, 1], ["Salt", 1, 1])
    book.create_sheet("Secret").append(["a"])
    book["Secret"].sheet_state = "hidden"
    book.active.row_dimensions[3].hidden = True
    book.active.column_dimensions["C"].hidden = True
    extracted = extract(saved(book), "a.xlsx")
    assert outline(extracted) == [("header", "Item\tPrice"), ("row", "Bread\t3"), ("row", "Salt\t1")]
    assert extracted.notices == (
        "Prices: 1 hidden rows and 1 hidden columns are left out",
        "the hidden sheet 'Secret' is left out",
    )


def test_rows_that_a_filter_hides_are_read() -> None:
    book = book_of(["Item", "Price"], ["Bread", 3], ["Milk", 2])
    book.active.auto_filter.ref = "A1:B3"
    book.active.row_dimensions[3].hidden = True
    assert outline(read(book))[-1] == ("row", "Milk\t2")


def test_long_rows_are_read_cell_by_cell() -> None:
    long = "All work and no play. " * 60
    extracted = read(book_of(["Who", "What"], ["Jack", long.strip()]))
    assert [(block.kind, block.label) for block in extracted.blocks] == [
        ("header", "Prices, row 1"),
        ("paragraph", "Prices, row 2"),
        ("paragraph", "Prices, row 2"),
    ]


def test_places_that_are_not_said_are_counted() -> None:
    data = sheet('<row><c><v>1</v></c><c r="D1"><v>2</v></c><c><v>3</v></c></row><row><c><v>4</v></c></row>')
    extracted = extract(data, "a.xlsx")
    assert isinstance(extracted.map, BlockMap)
    paths = [place.path for block in extracted.blocks for place in extracted.map.places(block.span)]
    assert paths == [(0, 0, 0), (0, 0, 3), (0, 0, 4), (0, 1, 0)]


@pytest.mark.parametrize(
    "data",
    [
        '<row r="1048577"/>',
        '<row r="0"/>',
        '<row r="1"><c r="XFE1"><v>1</v></c></row>',
        '<row><c r="ÄÖ1"><v>1</v></c></row>',
    ],
)
def test_cells_outside_any_sheet_are_damage(data: str) -> None:
    with pytest.raises(DamagedFile):
        extract(sheet(data), "a.xlsx")


def test_two_cells_in_opposite_corners_take_no_more_than_two_cells() -> None:
    data = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    assert [text for _, text in outline(extract(sheet(data), "a.xlsx"))] == ["1", "2"]


def test_merges_over_all_rows_cost_no_more_than_the_rows_that_are_there() -> None:
    merges = '<mergeCells><mergeCell ref="A1:A1048576"/><mergeCell ref="nonsense"/></mergeCells>'
    data = sheet('<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c></row>', after=merges)
    assert [text for _, text in outline(extract(data, "a.xlsx"))] == ["1\t2"]
    many = "".join('<mergeCell ref="A1:A1048576"/>' for _ in range(10))
    with pytest.raises(DocumentError, match="merged cells"):
        extract(sheet('<row r="1"><c r="A1"><v>1</v></c></row>', after=f"<mergeCells>{many}</mergeCells>"), "a.xlsx")


def test_empty_workbook_is_refused() -> None:
    with pytest.raises(EmptyDocument, match="no text in its cells"):
        extract(saved(Workbook()), "a.xlsx")


VALUES = st.one_of(st.none(), st.integers(-1000, 10**6), st.text("abc äß😀.-", min_size=1, max_size=8).map(str.strip))
GRIDS = st.lists(st.lists(VALUES, min_size=1, max_size=5), min_size=1, max_size=8)


@settings(max_examples=60)
@given(GRIDS, st.integers(0, 6))
def test_every_cell_is_said_once_and_at_its_place(rows: list[list[Any]], blank: int) -> None:
    rows.insert(min(blank, len(rows)), [])
    book = book_of(*rows)
    data = saved(book)
    filled = [str(value) for row in rows for value in row if value not in (None, "")]
    if not filled:
        return
    extracted = extract(data, "a.xlsx")
    check_places(extracted, by_openpyxl(data))
    assert isinstance(extracted.map, BlockMap)
    places = [place for block in extracted.blocks for place in extracted.map.places(block.span)]
    assert len({place.path for place in places}) == len(places) == len(filled)
    assert extracted.text.split() == " ".join(filled).split()


@settings(max_examples=100)
@given(
    st.binary(max_size=40), st.integers(0, 10_000), st.sampled_from(["sheet1", "styles", "sharedStrings", "workbook"])
)
def test_damage_is_an_error_of_the_document_or_harmless(noise: bytes, place: int, part: str) -> None:
    book = book_of(["Item", "Price"], ["Bread", 3])
    book.active["A1"].font = Font(bold=True)

    def damage(name: str, member: bytes) -> bytes:
        at = place % len(member)
        return member[:at] + noise + member[at + len(noise) // 2 :] if part in name else member

    try:
        extract(rewritten(saved(book), damage), "a.xlsx")
    except DocumentError as error:
        assert str(error).startswith("a.xlsx: ")  # noqa: PT017 - any other error fails, and so may none
