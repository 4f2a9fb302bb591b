"""DOCX: what Word shows once all changes are accepted, each code point with its place in the file."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DamagedFile, DocumentError, EmptyDocument
from index.text.formats.docx import extract
from index.types import Block, Extracted
from tests.support.office import check_places, container, docx, docx_texts, outline, rewritten


def read(body: str, **parts: str) -> Extracted:
    data = docx(body, **parts)
    extracted = extract(data, "a.docx")
    check_places(extracted, docx_texts(data))
    return extracted


def texts(body: str, **parts: str) -> list[str]:
    return [text for _, text in outline(read(body, **parts))]


def paragraph(inside: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{inside}</w:p>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(run(text))}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def numbered(text: str, level: int = 0, list_id: int = 1) -> str:
    return paragraph(run(text), f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


LEVELS = (
    '<w:abstractNum w:abstractNumId="0">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
    '<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="lowerRoman"/><w:lvlText w:val="(%3)"/></w:lvl>'
    "</w:abstractNum>"
    '<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/>'
    '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>'
)
STYLES = (
    '<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/>'
    '<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="K"/><w:basedOn w:val="berschrift1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Abschnitt"><w:name w:val="Überschrift 2"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Beschriftung"><w:name w:val="caption"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>'
    '<w:style w:type="character" w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>'
)


def styled(text: str, style: str) -> str:
    return paragraph(run(text), f'<w:pStyle w:val="{style}"/>')


def test_inserted_text_counts_and_deleted_text_does_not() -> None:
    body = paragraph(
        run("The fee is ")
        + f'<w:ins w:id="1">{run("twelve")}</w:ins>'
        + '<w:del w:id="2"><w:r><w:delText>ten</w:delText></w:r></w:del>'
        + f'<w:moveTo w:id="3">{run(" euros")}</w:moveTo><w:moveFrom w:id="4">{run(" dollars")}</w:moveFrom>'
    )
    assert texts(body) == ["The fee is twelve euros"]


def test_paragraphs_whose_mark_is_deleted_run_on() -> None:
    body = paragraph(run("The fee "), '<w:rPr><w:del w:id="1"/></w:rPr>') + paragraph(run("is due in May."))
    assert texts(body) == ["The fee is due in May."]
    assert texts(paragraph(run("Left open"), '<w:rPr><w:del w:id="1"/></w:rPr>')) == ["Left open"]


def test_deleted_rows_are_left_out() -> None:
    body = f"<w:tbl>{row(cell('a'), cell('b'))}{row(cell('c'), cell('d'), properties='<w:del/>')}</w:tbl>"
    assert texts(body) == ["a\tb"]


def test_hidden_text_is_left_out() -> None:
    hidden = run("not ", "<w:vanish/>") + run("never ", '<w:rStyle w:val="Secret"/>')
    shown = run("open", '<w:vanish w:val="0"/>')
    assert texts(paragraph(run("It is ") + hidden + shown), styles=STYLES) == ["It is open"]


def test_tabs_breaks_and_hyphens_are_those_that_show() -> None:
    body = paragraph(
        "<w:r><w:t>Dampf</w:t><w:softHyphen/><w:t>\u00adschiff</w:t><w:tab/><w:t>well</w:t><w:noBreakHyphen/><w:t>known"
        "</w:t><w:br/><w:t>and more</w:t></w:r>",
        '<w:tabs><w:tab w:val="left" w:pos="720"/></w:tabs>',
    )
    assert texts(body) == ["Dampfschiff\twell-known\nand more"]


def test_lines_of_verse_are_blocks_and_lines_of_prose_are_not() -> None:
    assert texts(paragraph("<w:r><w:t>Mill Lane 3</w:t><w:br/><w:t>Ulm</w:t></w:r>")) == ["Mill Lane 3", "Ulm"]
    assert texts(paragraph("<w:r><w:t>It goes</w:t><w:br/><w:t>on.</w:t></w:r>")) == ["It goes\non."]


def test_headings_come_from_outline_levels_inheritance_and_names() -> None:
    body = (
        styled("The lighthouse", "Titel")
        + styled("One", "berschrift1")
        + paragraph(run("first"))
        + styled("Details", "Abschnitt")
        + paragraph(run("second"))
        + styled("Two", "Kapitel")
        + paragraph(run("third"))
        + paragraph(run("By itself"), '<w:outlineLvl w:val="1"/>')
        + styled("fourth", "Loop")
        + styled("Five", "Heading2")
    )
    extracted = read(body, styles=STYLES)
    assert extracted.title == "The lighthouse"
    assert [(block.kind, block.level, block.headings) for block in extracted.blocks] == [
        ("heading", 1, ("The lighthouse",)),
        ("heading", 1, ("One",)),
        ("paragraph", 0, ("One",)),
        ("heading", 2, ("One", "Details")),
        ("paragraph", 0, ("One", "Details")),
        ("heading", 1, ("Two",)),
        ("paragraph", 0, ("Two",)),
        ("heading", 2, ("Two", "By itself")),
        ("paragraph", 0, ("Two", "By itself")),
        ("heading", 2, ("Two", "Five")),
    ]


def test_clause_in_the_style_of_a_heading_is_no_heading() -> None:
    clause = "The supplier shall deliver the goods to the buyer on the day that both of them have agreed upon."
    assert outline(read(styled(clause, "berschrift1"), styles=STYLES)) == [("paragraph", clause)]


def test_numbers_of_steps_and_headings_are_told() -> None:
    heading = '<w:pStyle w:val="berschrift1"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    body = (
        paragraph(run("Notice"), heading)
        + numbered("in writing", 1)
        + numbered("by post", 2)
        + numbered("by mail", 2)
        + numbered("on paper", 1)
        + paragraph(run("Term"), heading)
        + numbered("a year", 1)
        + numbered("starts anew", 0, 3)
    )
    extracted = read(body, numbering=LEVELS, styles=STYLES)
    assert [(block.kind, block.level, block.label) for block in extracted.blocks] == [
        ("heading", 1, None),
        ("step", 1, "§ 1. Notice, 1.1"),
        ("step", 2, "§ 1. Notice, (i)"),
        ("step", 2, "§ 1. Notice, (ii)"),
        ("step", 1, "§ 1. Notice, 1.2"),
        ("heading", 1, None),
        ("step", 1, "§ 2. Term, 2.1"),
        ("step", 0, "§ 2. Term, 7"),
    ]
    assert "1.1" not in extracted.text


def test_list_and_the_line_that_introduces_it_share_a_group() -> None:
    body = (
        paragraph(run("Bring:"))
        + numbered("a lamp", 0, 2)
        + numbered("with oil", 1, 2)
        + numbered("a rope", 0, 2)
        + paragraph(run("Then:"))
        + numbered("Climb.")
        + paragraph(run("It is steep."))
        + numbered("Light it.")
        + numbered("Bread", 0, 2)
    )
    blocks = read(body, numbering=LEVELS).blocks
    assert [(block.kind, block.group, block.introduces, block.level) for block in blocks] == [
        ("paragraph", 1, True, 0),
        ("item", 1, False, 0),
        ("item", 1, False, 1),
        ("item", 1, False, 0),
        ("paragraph", 2, True, 0),
        ("step", 2, False, 0),
        ("paragraph", None, False, 0),
        ("step", 2, False, 0),
        ("item", 3, False, 0),
    ]


def test_rows_have_a_header_and_merged_cells_in_each_row() -> None:
    span, merge = '<w:gridSpan w:val="2"/>', "<w:vMerge/>"
    body = (
        styled("Table 1: Towns", "Beschriftung")
        + "<w:tbl>"
        + row(cell("Land"), cell("Town"), cell("Since"))
        + row(cell("Italy", '<w:vMerge w:val="restart"/>'), cell("Rome"), cell("1871"))
        + row(cell("", merge), cell("Turin"), cell("1861"))
        + row(cell("Both", span), cell("2"))
        + "</w:tbl>"
    )
    extracted = read(body, styles=STYLES)
    assert outline(extracted) == [
        ("caption", "Table 1: Towns"),
        ("header", "Land\tTown\tSince"),
        ("row", "Italy\tRome\t1871"),
        ("row", "Italy\tTurin\t1861"),
        ("row", "Both\t\t2"),
    ]
    assert [block.group for block in extracted.blocks] == [1] * 5
    assert [block.label for block in extracted.blocks][1:3] == ["table 1, row 1", "table 1, row 2"]


def test_rows_repeated_on_each_page_are_headers() -> None:
    rows = row(cell("12"), cell("13"), properties="<w:tblHeader/>") + row(cell("14"), cell("15"))
    assert outline(read(f"<w:tbl>{rows}</w:tbl>")) == [("header", "12\t13"), ("row", "14\t15")]


def test_tables_for_layout_are_read_cell_by_cell() -> None:
    inner = f"<w:tbl>{row(cell('a'), cell('b'))}{row(cell('1'), cell('2'))}</w:tbl>"
    one_column = f"<w:tbl>{row(cell('Boxed text.'))}</w:tbl>"
    holder = f"<w:tc>{inner}{paragraph(run('After.'))}</w:tc>"
    nested = f"<w:tbl>{row(holder, cell('Beside'))}</w:tbl>"
    assert outline(read(one_column + nested)) == [
        ("paragraph", "Boxed text."),
        ("header", "a\tb"),
        ("row", "1\t2"),
        ("paragraph", "After."),
        ("paragraph", "Beside"),
    ]
    long = "All work and no play. " * 60
    assert outline(read(f"<w:tbl>{row(cell('Plan'), cell(long))}</w:tbl>")) == [
        ("paragraph", "Plan"),
        ("paragraph", long.strip()),
    ]


def test_notes_follow_the_paragraph_that_refers_to_them() -> None:
    notes = "".join(f'<w:footnote w:id="{at}">{paragraph(run(f"note {at}"))}</w:footnote>' for at in (-1, 5, 6, 7))
    ends = f'<w:endnote w:id="2">{paragraph(run("the end"))}</w:endnote>'
    body = (
        paragraph(run("One") + '<w:r><w:footnoteReference w:id="6"/></w:r>' + run(" two."))
        + paragraph('<w:r><w:t>Three</w:t><w:footnoteReference w:id="5"/><w:endnoteReference w:id="2"/></w:r>')
        + paragraph('<w:r><w:t>Again</w:t><w:footnoteReference w:id="6"/><w:footnoteReference w:id="99"/></w:r>')
    )
    extracted = read(body, footnotes=notes, endnotes=ends)
    assert [(text, block.label) for (_, text), block in zip(outline(extracted), extracted.blocks, strict=True)] == [
        ("One two.", None),
        ("note 6", "footnote 1"),
        ("Three", None),
        ("note 5", "footnote 2"),
        ("the end", "endnote 1"),
        ("Again", None),
    ]
    assert extracted.map is not None
    assert extracted.map.part(extracted.blocks[1].span) == "word/footnotes.xml"
    assert extracted.map.label(extracted.blocks[3].span) == "footnote 2"


def test_text_boxes_are_read_once_and_after_their_paragraph() -> None:
    box = f"<w:txbxContent>{paragraph(run('In a box'))}</w:txbxContent>"
    drawing = (
        f'<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice>'
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert texts(paragraph(run("Before ") + drawing + run("after")) + paragraph(run("Next"))) == [
        "Before after",
        "In a box",
        "Next",
    ]


def test_fields_show_their_result_and_not_their_code() -> None:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    code = "<w:r><w:instrText>IF </w:instrText></w:r>"
    nested = mark("begin") + code + mark("begin") + code + mark("separate") + run("inner") + mark("end")
    assert texts(paragraph(run("It is ") + nested + mark("separate") + run("outer") + mark("end"))) == ["It is outer"]
    link = f'<w:hyperlink r:id="x" xmlns:r="r">{run("the ")}</w:hyperlink>'
    simple = f'<w:fldSimple w:instr="DATE">{run("day")}</w:fldSimple>'
    assert texts(paragraph(link + simple)) == ["the day"]
    assert texts(paragraph(mark("begin") + run("lost")) + paragraph(run("kept"))) == ["kept"]


def test_contents_are_told_by_their_gallery_and_their_style() -> None:
    gallery = '<w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj>'
    contents = f"<w:sdt><w:sdtPr>{gallery}</w:sdtPr><w:sdtContent>{paragraph(run('One 1'))}</w:sdtContent></w:sdt>"
    wrapped = f"<w:sdt><w:sdtContent>{paragraph(run('Filled in'))}</w:sdtContent></w:sdt>"
    assert outline(read(contents + styled("Two 2", "TOC1") + wrapped, styles=STYLES)) == [
        ("contents", "One 1"),
        ("contents", "Two 2"),
        ("paragraph", "Filled in"),
    ]


def test_strict_variant_reads_the_same() -> None:
    data = docx(styled("One", "berschrift1") + paragraph(run("text")), styles=STYLES)
    transitional = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    strict = rewritten(
        data, lambda _, part: part.replace(transitional, b"http://purl.oclc.org/ooxml/wordprocessingml/main")
    )
    assert strict != data
    assert extract(strict, "a.docx") == extract(data, "a.docx")


def test_missing_parts_and_empty_documents_are_refused_with_the_reason() -> None:
    with pytest.raises(EmptyDocument, match="has no text"):
        extract(docx(paragraph("")), "a.docx")
    with pytest.raises(DamagedFile, match=r"word/document\.xml"):
        extract(container({"a": "b"}), "a.docx")


def test_nesting_beyond_reason_is_refused() -> None:
    deep = "<w:sdt><w:sdtContent>" * 3000 + paragraph(run("x")) + "</w:sdtContent></w:sdt>" * 3000
    with pytest.raises(DamagedFile, match="nested"):
        extract(docx(deep), "a.docx")
    tables = f"<w:tbl><w:tr><w:tc>{paragraph(run('a'))}" * 900 + "</w:tc></w:tr></w:tbl>" * 900
    with pytest.raises(DamagedFile, match="nested"):
        extract(docx(tables), "a.docx")


WORDS = st.sampled_from(["It opens. ", "at nine", "Über", "\u00ad", "😀", " ", "U.S. ", "x\ty", "&amp;", ""])
PROPERTIES = st.sampled_from(["", "", "<w:vanish/>", '<w:vanish w:val="0"/>', "<w:b/>"])
MARK = st.sampled_from(["<w:r><w:tab/></w:r>", "<w:r><w:br/></w:r>", "<w:r><w:noBreakHyphen/></w:r>"])
RUN = st.one_of(st.builds(run, WORDS, PROPERTIES), MARK)
RUNS = st.lists(RUN, max_size=4).map("".join)
INLINE = st.one_of(
    RUNS,
    RUNS.map(lambda inside: f"<w:ins>{inside}</w:ins>"),
    RUNS.map(lambda inside: f"<w:del>{inside}</w:del>"),
    RUNS.map(lambda inside: f"<w:hyperlink>{inside}</w:hyperlink>"),
    RUNS.map(lambda inside: f'<w:r><w:fldChar w:fldCharType="begin"/></w:r>{inside}'),
    st.just('<w:r><w:fldChar w:fldCharType="separate"/></w:r>'),
    st.just('<w:r><w:fldChar w:fldCharType="end"/></w:r>'),
    st.just('<w:r><w:footnoteReference w:id="5"/></w:r>'),
)
PARAGRAPHS = st.builds(
    paragraph,
    st.lists(INLINE, max_size=4).map("".join),
    st.sampled_from(
        [
            "",
            '<w:rPr><w:del w:id="1"/></w:rPr>',
            '<w:pStyle w:val="berschrift1"/>',
            '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr>',
            '<w:numPr><w:numId w:val="2"/></w:numPr>',
        ]
    ),
)


def tabled(paragraphs: list[str]) -> str:
    merged = ["", "<w:tcPr><w:vMerge/></w:tcPr>", '<w:tcPr><w:gridSpan w:val="3"/></w:tcPr>']
    cells = [f"<w:tc>{merged[at % 3]}{each}</w:tc>" for at, each in enumerate(paragraphs)]
    return f"<w:tbl>{''.join(row(*cells[at : at + 2]) for at in range(0, len(cells), 2))}</w:tbl>"


BODIES = st.lists(st.one_of(PARAGRAPHS, st.lists(PARAGRAPHS, max_size=6).map(tabled)), max_size=5).map("".join)


def closed_fields(body: str) -> str:
    """Fields end with their paragraph, so that the oracle needs to know of one paragraph alone."""
    opened = body.count('"begin"')
    return (
        body
        if opened == 0
        else body.replace("</w:p>", '<w:r><w:fldChar w:fldCharType="end"/></w:r>' * opened + "</w:p>")
    )


@settings(max_examples=150)
@given(BODIES)
def test_every_code_point_is_at_its_place_in_the_file(body: str) -> None:
    note = f'<w:footnote w:id="5">{paragraph(run("A note."))}</w:footnote>'
    data = docx(closed_fields(body), numbering=LEVELS, styles=STYLES, footnotes=note)
    try:
        extracted = extract(data, "a.docx")
    except EmptyDocument:
        return
    check_places(extracted, docx_texts(data))
    assert_groups(extracted.blocks)


def assert_groups(blocks: tuple[Block, ...]) -> None:
    """What introduces a group is followed by it."""
    for block, following in pairwise(blocks):
        assert not block.introduces or block.group == following.group


@settings(max_examples=150)
@given(
    st.binary(max_size=40), st.integers(0, 10_000), st.sampled_from(["document", "styles", "numbering", "footnotes"])
)
def test_damage_is_an_error_of_the_document_or_harmless(noise: bytes, place: int, part: str) -> None:
    data = docx(
        styled("One", "berschrift1") + numbered("a") + f"<w:tbl>{row(cell('x'), cell('y'))}</w:tbl>",
        numbering=LEVELS,
        styles=STYLES,
        footnotes=f'<w:footnote w:id="5">{paragraph(run("A note."))}</w:footnote>',
    )

    def damage(name: str, member: bytes) -> bytes:
        at = place % len(member)
        return member[:at] + noise + member[at + len(noise) // 2 :] if part in name else member

    for broken in (rewritten(data, damage), data[: place % len(data)] + noise + data[place % len(data) :]):
        try:
            extract(broken, "a.docx")
        except DocumentError as error:
            assert str(error).startswith("a.docx: ")  # noqa: PT017 - any other error fails, and so may none
