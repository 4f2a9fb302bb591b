"""Office files come from outside: what is too much, encrypted, old or hostile is refused with the reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from xml.parsers import expat

import pytest

from index.errors import DamagedFile, DocumentError, EncryptedFile, OldOfficeFormat, UnpackedTooLarge
from index.text.formats import docx, odt, pptx, xlsx
from index.text.formats.containers import ENCRYPTED_PACKAGE, OLE, Container
from index.types import Extracted
from tests.support.office import container, relationships
from tests.support.office import docx as made_docx

Extract = Callable[[bytes, str], Extracted]
FORMATS = pytest.mark.parametrize("extract", [docx.extract, odt.extract, pptx.extract, xlsx.extract])


def opened(parts: dict[str, str | bytes]) -> Container:
    return Container(container(parts), "a.docx", "docx")


@FORMATS
def test_binary_formats_are_refused_with_the_way_to_convert_them(extract: Extract) -> None:
    with pytest.raises(OldOfficeFormat, match=r"before 2007.*--convert-to (docx|odt|pptx|xlsx)"):
        extract(OLE + bytes(2000), "a.doc")


@FORMATS
def test_encrypted_files_are_told_from_old_ones(extract: Extract) -> None:
    with pytest.raises(EncryptedFile, match="without a password"):
        extract(OLE + bytes(1000) + ENCRYPTED_PACKAGE, "a.docx")


def test_encrypted_opendocument_is_refused() -> None:
    manifest = (
        '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<m:file-entry m:full-path="content.xml"><m:encryption-data/></m:file-entry></m:manifest>'
    )
    with pytest.raises(EncryptedFile):
        odt.extract(container({"content.xml": b"\x01\x02", "META-INF/manifest.xml": manifest}), "a.odt")


def test_encrypted_member_is_refused() -> None:
    data = bytearray(made_docx("<w:p/>"))
    entry = data.index(b"PK\x01\x02")
    while entry >= 0:
        data[entry + 8] |= 1
        entry = data.find(b"PK\x01\x02", entry + 1)
    with pytest.raises(EncryptedFile):
        docx.extract(bytes(data), "a.docx")


@FORMATS
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_container_is_damaged(extract: Extract, data: bytes) -> None:
    with pytest.raises(DamagedFile):
        extract(data, "a.docx")


def test_members_that_unpack_to_too_much_are_refused_before_they_fill_memory() -> None:
    zeros = opened({"big.xml": b" " * 40_000_000})
    with pytest.raises(UnpackedTooLarge, match="16000000 bytes"):
        zeros.tree("big.xml")
    many = opened({"many.xml": b"<a>" + b"<b/>" * 4_000_000 + b"</a>"})
    with pytest.raises(UnpackedTooLarge, match=r"4000000 tags|bytes"):
        many.tree("many.xml")


def test_declared_sizes_are_not_believed() -> None:
    data = bytearray(container({"a.xml": b"<a>" + b" " * 20_000_000 + b"</a>"}))
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    with pytest.raises(DocumentError):
        Container(bytes(data), "a.docx", "docx").tree("a.xml")


def test_too_many_members_are_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), "")
    with pytest.raises(UnpackedTooLarge, match="20000 members"):
        Container(file.getvalue(), "a.docx", "docx")


ENTITIES = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 9))


@pytest.mark.parametrize(
    "declaration",
    [
        f'<!DOCTYPE a [<!ENTITY e0 "lol">{ENTITIES}]>',
        '<!DOCTYPE a [<!ENTITY e8 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://example.org/a.dtd" [<!ENTITY e8 "x">]>',
        "<!DOCTYPE a>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(declaration: str, encoding: str) -> None:
    """So no entity is ever expanded, and nothing fetched."""
    bomb = opened({"a.xml": f'<?xml version="1.0" encoding="{encoding}"?>{declaration}<a>&e8;</a>'.encode(encoding)})
    with pytest.raises(DamagedFile, match="document type"):
        bomb.tree("a.xml")
    with pytest.raises(DamagedFile, match="document type"):
        bomb.feed("a.xml", expat.ParserCreate())


@pytest.mark.parametrize("xml", ["", "<a>", "<a>&nbsp;</a>", "<a b='1' b='2'/>", "<a>\x00</a>", "<x:a/>", "text"])
def test_malformed_xml_is_damage(xml: str) -> None:
    with pytest.raises(DamagedFile, match="well-formed"):
        opened({"a.xml": xml}).tree("a.xml")


def test_deep_trees_are_freed_without_harm() -> None:
    root = opened({"a.xml": "<a>" * 300_000 + "</a>" * 300_000}).tree("a.xml")
    assert sum(1 for _ in root.iter()) == 300_000
    del root


def test_names_of_parts_are_compared_without_case() -> None:
    data = container(
        {
            "_rels/.rels": relationships({"r1": ("officeDocument", "/Word/Document.xml")}),
            "word/document.XML": '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            "<w:body><w:p><w:r><w:t>Found</w:t></w:r></w:p></w:body></w:document>",
        }
    )
    assert docx.extract(data, "a.docx").text == "Found"


@FORMATS
@pytest.mark.parametrize(
    "target", ["../../../etc/passwd", "http://example.org/a", "", "C:\\a", "%00", "document.xml/.."]
)
def test_relationships_lead_to_members_only(extract: Extract, target: str) -> None:
    with pytest.raises(DamagedFile):
        extract(container({"_rels/.rels": relationships({"r1": ("officeDocument", target)})}), "a")
