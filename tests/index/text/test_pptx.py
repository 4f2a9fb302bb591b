"""PPTX: what the slides show and what the speaker's notes say, each code point with its place in the file."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pptx import Presentation
from pptx.util import Inches

from index.errors import DocumentError, EmptyDocument
from index.text.formats.pptx import extract
from index.types import Extracted
from tests.support.office import TextOf, check_places, outline, rewritten

TITLE, CONTENT, TITLE_ONLY, BLANK = 0, 1, 5, 6  # layouts of python-pptx's template
NAMES = {
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
}
Slide = Any  # python-pptx's own, which has no types


def texts_of(data: bytes) -> TextOf:
    """The paragraph at a path, by lxml."""
    archive = zipfile.ZipFile(io.BytesIO(data))

    def text_of(part: str, path: tuple[int, ...]) -> str:
        root = etree.fromstring(archive.read(part))
        shape = root.xpath("(//p:sp|//p:graphicFrame)[$n]", n=path[1] + 1, namespaces=NAMES)[0]
        paragraph = shape.xpath("(.//a:p)[$n]", n=path[2] + 1, namespaces=NAMES)[0]
        said = paragraph.xpath(".//a:t[not(parent::a:fld[@type='slidenum'])]|.//a:br", namespaces=NAMES)
        return "".join("\n" if etree.QName(each).localname == "br" else each.text or "" for each in said).replace(
            "\u00ad", ""
        )

    return text_of


def made(*builders: Callable[[Any], None]) -> bytes:
    presentation = Presentation()
    for build in builders:
        build(presentation)
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def slide(presentation: Any, layout: int, title: str | None = None) -> Slide:  # noqa: ANN401 - it has no types
    new = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if title is not None:
        new.shapes.title.text = title
    return new


def read(*builders: Callable[[Any], None]) -> Extracted:
    data = made(*builders)
    extracted = extract(data, "a.pptx")
    check_places(extracted, texts_of(data))
    return extracted


def table_slide(presentation: Any) -> None:  # noqa: ANN401
    table = slide(presentation, TITLE_ONLY, "Fees").shapes.add_table(4, 2, 0, Inches(2), Inches(4), Inches(2)).table
    for row, cells in enumerate([("Port", "Fee"), ("Ulm", "12"), ("Ulm", "30"), ("Both", "")]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(2, 0).text = ""
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 0).merge(table.cell(3, 1))


def test_slides_have_their_title_as_heading_and_their_number_as_label() -> None:
    def first(presentation: Any) -> None:  # noqa: ANN401
        new = slide(presentation, TITLE, "Harbour report")
        new.placeholders[1].text = "By the board"

    def second(presentation: Any) -> None:  # noqa: ANN401
        frame = slide(presentation, CONTENT, "Traffic").placeholders[1].text_frame
        frame.text = "Ferries rose:"
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = "mostly in May", 1

    extracted = read(first, second)
    assert extracted.title == "Harbour report"
    assert [(block.kind, block.level, block.group, block.label, block.headings) for block in extracted.blocks] == [
        ("heading", 1, None, "slide 1", ("Harbour report",)),
        ("paragraph", 0, None, "slide 1", ("Harbour report",)),
        ("heading", 1, None, "slide 2", ("Traffic",)),
        ("item", 0, 1, "slide 2", ("Traffic",)),
        ("item", 1, 1, "slide 2", ("Traffic",)),
    ]


def test_speaker_notes_follow_their_slide() -> None:
    def noted(presentation: Any) -> None:  # noqa: ANN401
        slide(presentation, TITLE_ONLY, "One").notes_slide.notes_text_frame.text = "Mention the strike."

    extracted = read(noted, lambda presentation: slide(presentation, TITLE_ONLY, "Two"))
    assert [(text, block.label) for (_, text), block in zip(outline(extracted), extracted.blocks, strict=True)] == [
        ("One", "slide 1"),
        ("Mention the strike.", "slide 1, notes"),
        ("Two", "slide 2"),
    ]
    assert extracted.map is not None
    assert extracted.map.part(extracted.blocks[1].span) == "ppt/notesSlides/notesSlide1.xml"


def test_hidden_slides_are_left_out_and_keep_their_number() -> None:
    def hidden(presentation: Any) -> None:  # noqa: ANN401
        slide(presentation, TITLE_ONLY, "Secret")._element.set("show", "0")  # noqa: SLF001 - python-pptx has no other way

    extracted = read(hidden, lambda presentation: slide(presentation, TITLE_ONLY, "Shown"))
    assert [(text, block.label) for (_, text), block in zip(outline(extracted), extracted.blocks, strict=True)] == [
        ("Shown", "slide 2")
    ]
    assert extracted.notices == ("1 hidden slides left out",)


def test_slides_come_in_the_order_of_the_presentation() -> None:
    def swapped(presentation: Any) -> None:  # noqa: ANN401
        identifiers = presentation.slides._sldIdLst  # noqa: SLF001 - python-pptx has no other way
        identifiers.insert(0, identifiers[1])

    extracted = read(lambda p: slide(p, TITLE_ONLY, "A"), lambda p: slide(p, TITLE_ONLY, "B"), swapped)
    assert [text for _, text in outline(extracted)] == ["B", "A"]
    assert [block.label for block in extracted.blocks] == ["slide 1", "slide 2"]


def test_title_comes_first_whatever_stands_before_it() -> None:
    def reversed_order(presentation: Any) -> None:  # noqa: ANN401
        new = slide(presentation, TITLE_ONLY, "Title")
        new.shapes.add_textbox(0, 0, 100, 100).text_frame.text = "Text"
        tree = new.shapes._spTree  # noqa: SLF001 - python-pptx has no other way
        tree.append(tree.find(".//{*}sp"))

    assert [text for _, text in outline(read(reversed_order))] == ["Title", "Text"]


def test_groups_tables_and_breaks_are_read() -> None:
    def grouped(presentation: Any) -> None:  # noqa: ANN401
        group = slide(presentation, BLANK).shapes.add_group_shape().shapes.add_group_shape()
        frame = group.shapes.add_textbox(0, 0, 100, 100).text_frame
        frame.text = "It goes\von with Dampf\u00adschiff."

    assert outline(read(table_slide, grouped)) == [
        ("heading", "Fees"),
        ("header", "Port\tFee"),
        ("row", "Ulm\t12"),
        ("row", "Ulm\t30"),
        ("row", "Both"),
        ("paragraph", "It goes\non with Dampfschiff."),
    ]


def test_footers_dates_and_slide_numbers_are_left_out() -> None:
    data = made(lambda presentation: setattr(slide(presentation, CONTENT, "One").placeholders[1], "text", "Text"))
    as_footer = rewritten(
        data,
        lambda name, part: (
            part.replace(b'<p:ph idx="1"/>', b'<p:ph type="ftr" idx="1"/>') if "slides/slide1.xml" in name else part
        ),
    )
    assert [text for _, text in outline(extract(data, "a.pptx"))] == ["One", "Text"]
    assert [text for _, text in outline(extract(as_footer, "a.pptx"))] == ["One"]


def test_bullets_are_what_the_paragraph_or_the_layout_says() -> None:
    def listed(presentation: Any) -> None:  # noqa: ANN401
        frame = slide(presentation, CONTENT, "One").placeholders[1].text_frame
        frame.text = "numbered\nplain\nbullet"

    marks = [b'<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>', b"<a:pPr><a:buNone/></a:pPr>", b""]

    def mark(name: str, part: bytes) -> bytes:
        if not re.search(r"slides/slide1\.xml$", name):
            return part
        for text, properties in zip((b"numbered", b"plain", b"bullet"), marks, strict=True):
            part = part.replace(b"<a:p><a:r><a:t>" + text, b"<a:p>" + properties + b"<a:r><a:t>" + text)
        return part

    extracted = extract(rewritten(made(listed), mark), "a.pptx")
    assert outline(extracted)[1:] == [("step", "numbered"), ("paragraph", "plain"), ("item", "bullet")]


def test_presentation_without_text_is_refused() -> None:
    with pytest.raises(EmptyDocument, match="no text on its slides"):
        extract(made(lambda presentation: slide(presentation, BLANK)), "a.pptx")


@settings(max_examples=40)
@given(st.lists(st.lists(st.text("ab ä😀\v\u00ad.:", max_size=6), max_size=4), min_size=1, max_size=3))
def test_every_code_point_is_at_its_place_in_the_file(slides: list[list[str]]) -> None:
    def build(presentation: Any) -> None:  # noqa: ANN401
        for paragraphs in slides:
            new = slide(presentation, CONTENT, "Title")
            new.placeholders[1].text = "\n".join(paragraphs)
            new.notes_slide.notes_text_frame.text = "\n".join(paragraphs)

    read(build)


@settings(max_examples=60)
@given(
    st.binary(max_size=40), st.integers(0, 10_000), st.sampled_from(["slide1.xml", "presentation.xml", "slideLayout"])
)
def test_damage_is_an_error_of_the_document_or_harmless(noise: bytes, place: int, part: str) -> None:
    def damage(name: str, member: bytes) -> bytes:
        at = place % len(member)
        return member[:at] + noise + member[at + len(noise) // 2 :] if part in name else member

    try:
        extract(rewritten(DAMAGED, damage), "a.pptx")
    except DocumentError as error:
        assert str(error).startswith("a.pptx: ")  # noqa: PT017 - any other error fails, and so may none


DAMAGED = made(table_slide)
