"""Office files made by hand, and an oracle that reads their places again with another parser."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping

from lxml import etree

from index.text.maps import BlockMap, BlockPlace
from index.types import Extracted, Span

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
Parts = Mapping[str, str | bytes]
NAMES = {
    "w": W,
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
}
VANISH = "w:rPr/w:vanish[not(@w:val) or @w:val!='0'] or w:rPr/w:rStyle[@w:val='Secret']"
DOCX_TEXT = f""".//*[self::w:t or self::m:t or self::w:tab or self::w:br or self::w:cr or self::w:noBreakHyphen
    or self::w:fldChar][not(ancestor::w:del or ancestor::w:moveFrom or ancestor::mc:Fallback or ancestor::w:pPr
    or ancestor::w:r[{VANISH}])]"""
# Notes, comments and what is drawn hang on a paragraph, but are none of its text; T1 is a style that hides.
HANGING = (
    "ancestor::text:note|ancestor::office:annotation|ancestor::text:hidden-text|ancestor::*[@text:style-name='T1']"
    "|ancestor::*[starts-with(name(), 'draw:')]"
)
ODT_TEXT = f""".//node()[self::text() or self::text:s or self::text:tab or self::text:line-break]
    [count({HANGING})=$hanging]"""
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
    links = "".join(
        f'<Relationship Id="{id_}" Type="{R}/{kind}" Target="{to}"/>' for id_, (kind, to) in targets.items()
    )
    return f'<Relationships xmlns="{RELATIONSHIPS}">{links}</Relationships>'


def docx(body: str, **parts: str) -> bytes:
    """A DOCX with this inside its body; `styles`, `numbering`, `footnotes` are what is in those parts."""
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
    """The text of the `w:p` at a path, by lxml."""
    archive = zipfile.ZipFile(io.BytesIO(data))

    def text_of(part: str, path: tuple[int, ...]) -> str:
        paragraph = etree.fromstring(archive.read(part)).xpath("(//w:p)[$n]", n=path[0] + 1, namespaces=NAMES)[0]
        fields: list[str] = []
        text = ""
        for element in paragraph.xpath(DOCX_TEXT, namespaces=NAMES):
            name = etree.QName(element).localname
            if next(element.iterancestors(f"{{{W}}}p")) is not paragraph:
                continue
            if name == "fldChar":
                kind = element.get(f"{{{W}}}fldCharType")
                fields = [*fields[: None if kind == "begin" else -1], *([] if kind == "end" else [kind])]
            elif "begin" not in fields:
                text += _said(element) if name == "t" else {"tab": "\t", "noBreakHyphen": "-"}.get(name, "\n")
        return text.replace("\u00ad", "")

    return text_of


def _said(element: etree._Element) -> str:
    text = element.text or ""
    preserved = element.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
    return text if preserved or etree.QName(element).namespace != W else text.strip()


def odt_texts(data: bytes) -> TextOf:
    """The text of the `text:p` or `text:h` at a path in `content.xml`, by lxml."""
    root = etree.fromstring(zipfile.ZipFile(io.BytesIO(data)).read("content.xml"))

    def text_of(part: str, path: tuple[int, ...]) -> str:
        assert part == "content.xml"
        paragraph = root.xpath("(//text:p|//text:h)[$n]", n=path[0] + 1, namespaces=NAMES)[0]
        text = ""
        hanging = len(paragraph.xpath(HANGING, namespaces=NAMES))  # where it is in a note itself
        for node in paragraph.xpath(ODT_TEXT, hanging=hanging, namespaces=NAMES):
            if isinstance(node, str):
                text += node
            else:
                marks = {"tab": "\ue001", "line-break": "\ue002"}
                count = node.xpath("string(@text:c)", namespaces=NAMES)
                text += marks.get(etree.QName(node).localname, "\ue000" * int(count or 1))
        # Marks stand for white space that is not collapsed.
        text = re.sub("[ \t\r\n]+", " ", text).removeprefix(" ")
        return text.translate({0xE000: " ", 0xE001: "\t", 0xE002: "\n", 0xAD: None})

    return text_of
