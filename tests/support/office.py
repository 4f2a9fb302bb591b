"""Office files made by hand, and an oracle that reads their places again with another parser."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from xml.dom import minidom

from index.text.maps import BlockMap, BlockPlace
from index.types import Extracted, Span

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
Parts = Mapping[str, str | bytes]
TextOf = Callable[[str, tuple[int, ...]], str]


def container(parts: Parts) -> bytes:
    """A zip container with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def relationships(targets: Mapping[str, tuple[str, str]]) -> str:
    """Identifiers with their kind and target, as XML."""
    links = "".join(f'<Relationship Id="{id_}" Type="{R}/{kind}" Target="{to}"/>' for id_, (kind, to) in targets.items())
    return f'<Relationships xmlns="{RELATIONSHIPS}">{links}</Relationships>'


def docx(body: str, **parts: str) -> bytes:
    """A DOCX with this inside its body; `styles`, `numbering`, `footnotes` and `endnotes` are what is in those parts."""
    space = (
        f'xmlns:w="{W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    )
    members = {f"word/{name}.xml": f"<w:{name} {space}>{inside}</w:{name}>" for name, inside in parts.items()}
    return container(
        {
            "_rels/.rels": relationships({"r1": ("officeDocument", "word/document.xml")}),
            "word/_rels/document.xml.rels": relationships({name: (name, f"{name}.xml") for name in parts}),
            "word/document.xml": f"<w:document {space}><w:body>{body}</w:body></w:document>",
            **members,
        }
    )


def rewritten(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A container with each member changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return container({name: change(name, archive.read(name)) for name in archive.namelist()})


def outline(extracted: Extracted) -> list[tuple[str, str]]:
    """Each block's kind and text."""
    return [(block.kind, extracted.text[block.span.start : block.span.end]) for block in extracted.blocks]


def check_places(extracted: Extracted, text_of: TextOf) -> None:
    """Each code point of each block is at its place what the file says there, or white space that is nowhere in it."""
    block_map = extracted.map
    assert isinstance(block_map, BlockMap)
    assert extracted.anchor == "block"
    for before, after in zip(extracted.blocks, extracted.blocks[1:], strict=False):
        assert before.span.end <= after.span.start
        assert not extracted.text[before.span.end : after.span.start].strip()
    for block in extracted.blocks:
        quote = extracted.text[block.span.start : block.span.end]
        assert quote
        assert quote == quote.strip()
        placed = [cited(place, text_of) for place in block_map.places(block.span)]
        assert placed
        rest = quote
        for text in placed:
            generated, found, rest = rest.partition(text)
            assert found == text
            assert not generated.strip()
        assert not rest.strip()
        for at in range(*block.span):
            one = block_map.places(Span(at, at + 1))
            assert [cited(each, text_of) for each in one] == [extracted.text[at]] * len(one)
            assert one or extracted.text[at].isspace()


def cited(place: BlockPlace, text_of: TextOf) -> str:
    return text_of(place.part, place.path)[place.codepoint.start : place.codepoint.end]


def docx_texts(data: bytes) -> TextOf:
    """The text of the paragraph at a path, by minidom."""
    documents: dict[str, list[minidom.Element]] = {}
    archive = zipfile.ZipFile(io.BytesIO(data))

    def text_of(part: str, path: tuple[int, ...]) -> str:
        if part not in documents:
            documents[part] = minidom.parseString(archive.read(part)).getElementsByTagName("w:p")
        return re.sub("[\u00ad\ufeff]", "", _docx_text(documents[part][path[0]], [], top=True))

    return text_of


def _docx_text(node: minidom.Element, fields: list[bool], *, top: bool = False) -> str:
    text = ""
    for child in node.childNodes:
        name = child.nodeName
        if child.nodeType != child.ELEMENT_NODE or (name == "w:p" and not top):
            continue
        vanish = [each for each in child.getElementsByTagName("w:vanish") if each.parentNode.parentNode is child]
        if name == "w:r" and vanish and vanish[0].getAttribute("w:val") not in ("0", "false"):
            continue
        if any(each.getAttribute("w:val") == "Secret" for each in child.getElementsByTagName("w:rStyle") if name == "w:r"):
            continue
        if name in ("w:del", "w:moveFrom", "w:pPr", "w:rPr", "w:txbxContent", "mc:Fallback"):
            continue
        if name == "w:fldChar":
            kind = child.getAttribute("w:fldCharType")
            if kind == "begin":
                fields.append(True)
            elif fields:
                fields[-1:] = [False] if kind == "separate" else []
        elif name in ("w:t", "m:t") and not any(fields):
            said = "".join(each.data for each in child.childNodes)
            text += said if child.getAttribute("xml:space") == "preserve" or name == "m:t" else said.strip(" \t\r\n")
        elif name in ("w:tab", "w:br", "w:cr", "w:noBreakHyphen") and not any(fields):
            text += {"w:tab": "\t", "w:noBreakHyphen": "-"}.get(name, "\n")
        else:
            text += _docx_text(child, fields)
    return text


def odt_texts(data: bytes) -> TextOf:
    """The text of the paragraph at a path in `content.xml`, by minidom."""
    root = minidom.parseString(zipfile.ZipFile(io.BytesIO(data)).read("content.xml"))
    paragraphs = [each for each in root.getElementsByTagName("*") if each.nodeName in ("text:p", "text:h")]

    def text_of(part: str, path: tuple[int, ...]) -> str:
        assert part == "content.xml"
        # Marks stand for white space that is not collapsed.
        text = re.sub("[ \t\r\n]+", " ", _odt_text(paragraphs[path[0]])).removeprefix(" ")
        return text.translate({0xE000: " ", 0xE001: "\t", 0xE002: "\n", 0xAD: None})

    return text_of


def _odt_text(node: minidom.Element) -> str:
    text = ""
    for child in node.childNodes:
        name = child.nodeName
        if child.nodeType == child.TEXT_NODE:
            text += child.data
        elif child.nodeType == child.ELEMENT_NODE:
            marks = {"text:tab": "\ue001", "text:line-break": "\ue002"}
            if name == "text:s":
                text += "\ue000" * int(child.getAttribute("text:c") or 1)
            elif name in marks:
                text += marks[name]
            elif name not in ("text:note", "office:annotation", "text:ruby-text") and not name.startswith("draw:"):
                text += _odt_text(child)
    return text
