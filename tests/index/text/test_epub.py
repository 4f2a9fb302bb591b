"""What a book says, chapter by chapter, each with its bytes in the member of the container."""

from __future__ import annotations

import io
import zipfile

import pytest

from index.errors import DamagedFile, DocumentError, EmptyDocument, EncryptedFile, UnpackedTooLarge
from index.text.formats import epub
from index.text.maps import ByteMap
from index.types import Extracted
from tests.support.pages import rejoined

CONTAINER = (
    "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
    "<rootfile full-path='OEBPS/book.opf' media-type='application/oebps-package+xml'/></rootfiles></container>"
)
PACKAGE = """<package xmlns='http://www.idpf.org/2007/opf' xmlns:dc='http://purl.org/dc/elements/1.1/'><metadata>
<dc:title>The Tides</dc:title><dc:creator>Zoë Marsh</dc:creator><dc:date>2019-04-01</dc:date>
<dc:language>en</dc:language>
</metadata><manifest><item id='n' href='nav.xhtml' media-type='application/xhtml+xml'
properties='nav'/><item id='b' href='text/two%20b.xhtml' media-type='application/xhtml+xml'/>
<item id='a' href='text/one.xhtml' media-type='application/xhtml+xml'/>
<item id='i' href='i.png' media-type='image/png'/></manifest>
<spine><itemref idref='n'/><itemref idref='a'/><itemref idref='i'/><itemref idref='b'/></spine></package>"""
ONE = """<?xml version='1.0' encoding='utf-8'?>
<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.1//EN' 'http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd'>
<html xmlns='http://www.w3.org/1999/xhtml'><head><title/></head><body><h1><a id='x'/>Ebb</h1>
<p>The tide <i>falls</i> at&nbsp;noon &#8212; caf\u00e9 &amp; quay.</p><ul><li>first</li></ul></body></html>"""
TWO = "<html xmlns='http://www.w3.org/1999/xhtml'><body>"
TWO += "<h1>Flood</h1><ul><li>second</li></ul><p>It <b>rises</b>.</body></html>"


def book(**members: str | bytes) -> bytes:
    files: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": PACKAGE,
        "OEBPS/nav.xhtml": "<html><body><nav>no</nav></body></html>",
        "OEBPS/text/one.xhtml": ONE,
        "OEBPS/text/two b.xhtml": TWO,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in {**files, **members}.items():
            container.writestr(name, content)
    return out.getvalue()


def map_of(extracted: Extracted) -> ByteMap:
    assert isinstance(extracted.map, ByteMap)
    return extracted.map


def test_chapters_come_in_the_order_of_the_spine_each_with_its_bytes() -> None:
    extracted = epub.extract(book(), "tides.epub")
    members = {"OEBPS/text/one.xhtml": ONE.encode(), "OEBPS/text/two b.xhtml": TWO.encode()}
    parts = [map_of(extracted).part(block.span) for block in extracted.blocks]
    assert parts == ["OEBPS/text/one.xhtml"] * 3 + ["OEBPS/text/two b.xhtml"] * 3
    shown = [extracted.text[slice(*block.span)] for block in extracted.blocks]
    assert shown == ["Ebb", "The tide falls at\xa0noon — café & quay.", "first", "Flood", "second", "It rises."]
    for block, quote, part in zip(extracted.blocks, shown, parts, strict=True):
        assert rejoined(members[str(part)], "utf-8", map_of(extracted), block.span) == quote
    groups = [block.group for block in extracted.blocks if block.group]
    assert len(groups) == len(set(groups)) == 2


def test_title_author_date_and_language_are_those_of_the_package() -> None:
    extracted = epub.extract(book(), "tides.epub")
    assert (extracted.title, extracted.date) == ("The Tides", "2019-04-01")
    assert extracted.meta == {"author": "Zoë Marsh", "language": "en"}


def test_chapter_that_is_not_well_formed_is_read_as_html() -> None:
    extracted = epub.extract(
        book(**{"OEBPS/text/one.xhtml": "<html><head><title/></head><p>One<p>Two & three"}), "a.epub"
    )
    assert "One\n\nTwo & three" in extracted.text


def test_chapter_that_cannot_be_read_is_told() -> None:
    extracted = epub.extract(book(**{"OEBPS/text/one.xhtml": b"\x89PNG\r\n"}), "a.epub")
    assert extracted.text.startswith("Flood")
    assert "one.xhtml" in extracted.notices[0]


BOMB = b"<html><body><p>" + b"0" * 20_000_000 + b"</p></body></html>"
ENCRYPTION = "<e><CipherReference xmlns='x' URI='OEBPS/text/one.xhtml'/></e>"
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><package>&b;</package>"


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (b"no zip", DamagedFile),
        (book(**{"META-INF/container.xml": "<container/>"}), DamagedFile),
        (book(**{"OEBPS/book.opf": "<package>"}), DamagedFile),
        (book(**{"OEBPS/book.opf": LAUGHS}), DamagedFile),
        (book(**{"OEBPS/book.opf": "<package/>"}), EmptyDocument),
        (book(**{"OEBPS/text/one.xhtml": BOMB}), UnpackedTooLarge),
        (book(**{"META-INF/encryption.xml": ENCRYPTION}), EncryptedFile),
    ],
)
def test_what_is_no_book_is_refused_with_the_reason(file: bytes, error: type[DocumentError]) -> None:
    with pytest.raises(error):
        epub.extract(file, "a.epub")


def test_entities_of_a_chapter_are_never_expanded() -> None:
    chapter = "<!DOCTYPE x [<!ENTITY a 'haha'>]><html><body><p>Quiet &a; here.</p></body></html>"
    extracted = epub.extract(book(**{"OEBPS/text/one.xhtml": chapter}), "a.epub")
    assert "haha" not in extracted.text.split("Flood")[0].replace("'haha'", "")
