"""ODT: what LibreOffice shows once all changes are accepted, each code point with its place in the file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DamagedFile, DocumentError, EmptyDocument
from index.text.formats.odt import extract
from index.types import Extracted
from tests.support.office import check_places, container, odt_texts, outline, rewritten

SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
    for name, uri in (
        ("office", "office"),
        ("style", "style"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("meta", "meta"),
    )
)
STYLES = (
    '<style:style style:name="Title" style:family="paragraph"/>'
    '<style:style style:name="Heading_20_2" style:display-name="Heading 2" style:default-outline-level="2"/>'
    '<style:style style:name="P1" style:parent-style-name="Heading_20_2"/>'
    '<style:style style:name="Preformatted_20_Text" style:display-name="Preformatted Text"/>'
    '<style:style style:name="T1"><style:text-properties text:display="none"/></style:style>'
    '<text:list-style style:name="L1">'
    '<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")" text:display-levels="1"/>'
    "</text:list-style>"
    '<text:list-style style:name="L2"><text:list-level-style-bullet text:level="1"/></text:list-style>'
    '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>'
    '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
)


def odt(body: str) -> bytes:
    styles = f"<office:document-styles {SPACES}><office:styles>{STYLES}</office:styles></office:document-styles>"
    text = f"<office:body><office:text>{body}</office:text></office:body>"
    return container(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "styles.xml": styles,
            "content.xml": f"<office:document-content {SPACES}>{text}</office:document-content>",
        }
    )


def read(body: str) -> Extracted:
    data = odt(body)
    extracted = extract(data, "a.odt")
    check_places(extracted, odt_texts(data))
    return extracted


def texts(body: str) -> list[str]:
    return [text for _, text in outline(read(body))]


def p(inside: str, style: str = "Standard") -> str:
    return f'<text:p text:style-name="{style}">{inside}</text:p>'


def h(inside: str, level: int = 1) -> str:
    return f'<text:h text:outline-level="{level}">{inside}</text:h>'


def items(*inside: str, style: str = "", attributes: str = "") -> str:
    name = f'text:style-name="{style}"' if style else ""
    wrapped = "".join(f"<text:list-item>{each}</text:list-item>" for each in inside)
    return f"<text:list {name} {attributes}>{wrapped}</text:list>"


def cell(inside: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}>{p(inside)}</table:table-cell>"


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


COVERED = "<table:covered-table-cell/>"


def test_white_space_is_collapsed_but_for_what_stands_for_itself() -> None:
    body = p('\n  One\t <text:span> two</text:span><text:s text:c="2"/>\n three<text:tab/>four<text:line-break/>five ')
    assert texts(body) == ["One two   three\tfour\nfive"]


def test_deleted_text_comments_and_hidden_text_are_left_out() -> None:
    changes = "<text:tracked-changes><text:changed-region><text:deletion>" + p("gone") + "</text:deletion>"
    changes += "</text:changed-region></text:tracked-changes>"
    comment = "<office:annotation>" + p("who says so?") + "</office:annotation>"
    hidden = '<text:span text:style-name="T1">never </text:span>'
    hidden += '<text:hidden-text text:is-hidden="true">no</text:hidden-text>'
    body = p(f"It <text:change text:change-id='c'/>is {comment}{hidden}<text:change-start/>open<text:change-end/>.")
    section = f'<text:section text:display="none">{p("secret")}</text:section><text:section>{p("shown")}</text:section>'
    paragraph = p('<text:hidden-paragraph text:is-hidden="true"/>not this')
    assert texts(changes + body + section + paragraph) == ["It is open.", "shown"]


def test_headings_are_numbered_as_the_outline_says() -> None:
    body = p("The light", "Title") + h("One") + h("Inner", 2) + p("text") + h("Two") + p("By style", "P1") + p("more")
    extracted = read(body)
    assert extracted.title == "The light"
    assert [(block.kind, block.level, block.headings) for block in extracted.blocks] == [
        ("heading", 1, ("The light",)),
        ("heading", 1, ("1 One",)),
        ("heading", 2, ("1 One", "1.1 Inner")),
        ("paragraph", 0, ("1 One", "1.1 Inner")),
        ("heading", 1, ("2 Two",)),
        ("heading", 2, ("2 Two", "2.1 By style")),
        ("paragraph", 0, ("2 Two", "2.1 By style")),
    ]


def test_lists_have_numbers_levels_and_their_introduction() -> None:
    body = (
        p("Do this:")
        + items(p("Lift") + p("gently"), p("Turn") + items(p("left"), p("right")), style="L1")
        + p("Then")
        + items(p("Push"), style="L1", attributes='text:continue-numbering="true"')
        + items(p("Oil"), style="L2")
    )
    extracted = read(body)
    assert [(block.kind, block.level, block.group, block.label) for block in extracted.blocks] == [
        ("paragraph", 0, 1, None),
        ("step", 0, 1, "1"),
        ("paragraph", 0, 1, None),
        ("step", 0, 1, "2"),
        ("step", 1, 1, "a)"),
        ("step", 1, 1, "b)"),
        ("paragraph", 0, None, None),
        ("step", 0, 1, "3"),
        ("item", 0, 2, None),
    ]
    assert extracted.blocks[0].introduces


def test_rows_have_a_header_and_merged_cells_in_each_row() -> None:
    body = (
        "<table:table><table:table-header-rows>"
        + row(cell("Land"), cell("Town"), cell("Since"))
        + "</table:table-header-rows>"
        + row(cell("Italy", 'table:number-rows-spanned="2"'), cell("Rome"), cell("1871"))
        + row(COVERED, cell("Turin"), cell("1861"))
        + row(cell("Both", 'table:number-columns-spanned="2"'), COVERED, cell("2"))
        + "</table:table>"
    )
    assert outline(read(body)) == [
        ("header", "Land\tTown\tSince"),
        ("row", "Italy\tRome\t1871"),
        ("row", "Italy\tTurin\t1861"),
        ("row", "Both\t\t2"),
    ]


def test_cells_and_rows_repeated_a_million_times_cost_nothing() -> None:
    empty = '<table:table-cell table:number-columns-repeated="1048576"/>'
    repeated = '<table:table-row table:number-rows-repeated="1048576">' + cell("a") + cell("b") + "</table:table-row>"
    many = cell("x", 'table:number-columns-repeated="999999999"')
    body = f"<table:table>{row(many, empty)}{repeated}</table:table>"
    extracted = extract(odt(body), "a.odt")
    assert len(extracted.text) < 300


def test_tables_for_layout_are_read_cell_by_cell() -> None:
    inner = f"<table:table>{row(cell('a'), cell('b'))}{row(cell('1'), cell('2'))}</table:table>"
    holder = f"<table:table-cell>{inner}</table:table-cell>"
    outer = f"<table:table>{row(holder, cell('Beside'))}</table:table>"
    assert outline(read(outer)) == [("header", "a\tb"), ("row", "1\t2"), ("paragraph", "Beside")]


def test_notes_and_text_boxes_follow_their_paragraph() -> None:
    note = (
        '<text:note text:note-class="{}"><text:note-citation>1</text:note-citation>'
        "<text:note-body><text:p>{}</text:p></text:note-body></text:note>"
    )
    box = f"<draw:frame><draw:text-box>{p('In a box')}</draw:text-box></draw:frame>"
    extracted = read(p(f"One{note.format('footnote', 'below')} two{box}.{note.format('endnote', 'at the end')}"))
    assert [(text, block.label) for (_, text), block in zip(outline(extracted), extracted.blocks, strict=True)] == [
        ("One two.", None),
        ("below", "footnote 1"),
        ("at the end", "endnote 1"),
        ("In a box", None),
    ]


def test_contents_and_code_are_told() -> None:
    source = "<text:table-of-content-source><text:index-title-template>T</text:index-title-template>"
    index = f"<text:table-of-content>{source}</text:table-of-content-source>{p('One 1')}</text:table-of-content>"
    extracted = read(index + p("Run:") + p("make", "Preformatted_20_Text") + p("make test", "Preformatted_20_Text"))
    assert [(block.kind, block.group) for block in extracted.blocks] == [
        ("contents", None),
        ("paragraph", 1),
        ("code", 1),
        ("code", 1),
    ]


def test_other_documents_and_empty_ones_are_refused() -> None:
    with pytest.raises(EmptyDocument):
        extract(odt(p(" ")), "a.odt")
    other = f"<office:document-content {SPACES}><office:body/></office:document-content>"
    with pytest.raises(DamagedFile, match="no text document"):
        extract(container({"content.xml": other}), "a.odt")
    deep = "<text:section>" * 3000 + p("x") + "</text:section>" * 3000
    with pytest.raises(DamagedFile, match="nested"):
        extract(odt(deep), "a.odt")


WORDS = st.sampled_from(["It opens. ", " at nine", "Über", "\u00ad", "😀", "\n", "  ", "U.S. ", "&amp;"])
MARKS = st.sampled_from(['<text:s text:c="3"/>', "<text:tab/>", "<text:line-break/>", "<text:bookmark/>"])
INLINE = st.recursive(
    st.one_of(WORDS, MARKS),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"<text:span>{''.join(parts)}</text:span>"),
    max_leaves=6,
)
NOTES = INLINE.map(lambda inside: f"<text:note><text:note-body>{p(inside)}</text:note-body></text:note>")
PARAGRAPHS = st.lists(st.one_of(INLINE, NOTES), max_size=4).map(lambda parts: p("".join(parts)))
TABLES = st.lists(PARAGRAPHS, min_size=4, max_size=4).map(
    lambda parts: (
        "<table:table>"
        + "".join(
            row(*(f"<table:table-cell>{each}</table:table-cell>" for each in parts[at : at + 2])) for at in (0, 2)
        )
        + "</table:table>"
    )
)
LISTS = st.lists(PARAGRAPHS, max_size=3).map(lambda parts: items(*parts, style="L1"))


@settings(max_examples=100)
@given(st.lists(st.one_of(PARAGRAPHS, TABLES, LISTS), max_size=4).map("".join))
def test_every_code_point_is_at_its_place_in_the_file(body: str) -> None:
    data = odt(body)
    try:
        extracted = extract(data, "a.odt")
    except EmptyDocument:
        return
    check_places(extracted, odt_texts(data))


@settings(max_examples=100)
@given(st.binary(max_size=40), st.integers(0, 10_000), st.sampled_from(["content", "styles"]))
def test_damage_is_an_error_of_the_document_or_harmless(noise: bytes, place: int, part: str) -> None:
    data = odt(h("One") + items(p("a"), style="L1") + f"<table:table>{row(cell('x'), cell('y'))}</table:table>")

    def damage(name: str, member: bytes) -> bytes:
        at = place % len(member)
        return member[:at] + noise + member[at + len(noise) // 2 :] if part in name else member

    try:
        extract(rewritten(data, damage), "a.odt")
    except DocumentError as error:
        assert str(error).startswith("a.odt: ")  # noqa: PT017 - any other error fails, and so may none
