"""The shapes on a slide: visibility, placeholders, paragraphs and bullets."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from index.text.formats.containers import Element
from index.text.formats.office.draft import Piece, visible
from index.text.formats.office.opc import Relationship
from index.types import BlockKind

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
SHAPE, FRAME = f"{P}sp", f"{P}graphicFrame"
PARAGRAPH = f"{A}p"
SKIPPED = frozenset({f"{MC}Fallback", f"{A}pPr", f"{A}rPr", f"{A}endParaRPr"})
TITLES = frozenset({"title", "ctrTitle"})
FURNITURE = frozenset({"dt", "ftr", "hdr", "sldNum", "sldImg"})
LISTS = frozenset({"body", "obj"})  # placeholders whose paragraphs have bullets by default
BULLETS: dict[str, BlockKind] = {
    f"{A}buChar": "item",
    f"{A}buBlip": "item",
    f"{A}buAutoNum": "step",
    f"{A}buNone": "paragraph",
}


class Slide(Struct, frozen=True):
    """A slide or its notes, and the positions of its paragraphs."""

    number: int  # from 0
    part: str
    label: str
    relationships: dict[str, Relationship]
    shapes: dict[Element, int]
    layout: dict[str, Element]  # the placeholders of its layout by index and by type


def numbered_shapes(root: Element) -> dict[Element, int]:
    return {shape: at for at, shape in enumerate(each for each in root.iter() if each.tag in (SHAPE, FRAME))}


def visible_shapes(element: Element) -> Iterator[Element]:
    """Visible shapes and frames, including those in groups."""
    for child in element:
        if child.tag in SKIPPED:
            continue
        properties = child.find("*/" + f"{P}cNvPr")
        if properties is not None and properties.get("hidden") in ("1", "true"):
            continue
        if child.tag in (SHAPE, FRAME):
            yield child
        else:
            yield from visible_shapes(child)


def placeholder(shape: Element) -> str | None:
    """The placeholder type of a shape: "title", "body"; None for other shapes."""
    place = shape.find(f"*/{P}nvPr/{P}ph")
    return None if place is None else place.get("type", "obj")


def paragraphs(slide: Slide, shape: Element) -> Iterator[tuple[Element, Piece]]:
    for at, paragraph in enumerate(shape.iter(PARAGRAPH)):
        yield paragraph, Piece(text_of(paragraph), slide.part, (slide.number, slide.shapes[shape], at))


def text_of(paragraph: Element) -> str:
    return visible("".join(_inline(paragraph)))


def _inline(element: Element) -> Iterator[str]:
    for child in element:
        if child.tag in SKIPPED or (child.tag == f"{A}fld" and child.get("type") == "slidenum"):
            continue
        if child.tag in (f"{A}t", f"{M}t"):
            yield child.text or ""
        elif child.tag == f"{A}br":
            yield "\n"
        else:
            yield from _inline(child)


def bullet(paragraph: Element) -> BlockKind | None:
    """The bullet set in the paragraph itself."""
    properties = paragraph.find(f"{A}pPr")
    return None if properties is None else _bullet_of(properties)


def _bullet_of(properties: Element) -> BlockKind | None:
    kinds = [BULLETS[each.tag] for each in properties if each.tag in BULLETS]
    return kinds[0] if kinds else None


def inherited_bullet(slide: Slide, shape: Element, kind: str | None) -> BlockKind:
    """The kind of a paragraph without a setting of its own: from its shape, its layout, or its placeholder."""
    place = shape.find(f"*/{P}nvPr/{P}ph")
    layout = None if place is None else slide.layout.get(place.get("idx", "0"), slide.layout.get(kind or ""))
    for each in (shape, layout):
        style = None if each is None else each.find(f"{P}txBody/{A}lstStyle/{A}lvl1pPr")
        if style is not None and (bullet := _bullet_of(style)):
            return bullet
    return "item" if kind in LISTS else "paragraph"
