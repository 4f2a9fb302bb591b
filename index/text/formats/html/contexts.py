"""What an element says about the text in it: heading, item, row, code."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from index.text.formats.html.elements import Element
from index.types import BlockKind

HEADING = re.compile("h[1-6]")
LEVELS = frozenset("123456789")
PREFORMATTED = frozenset({"pre", "listing", "xmp", "plaintext"})
LISTS = frozenset({"ul", "ol", "dl", "menu", "dir"})
IN_LISTS = frozenset({"item", "step"})


class Table:
    """A table while it is laid out."""

    def __init__(self) -> None:
        self.rows = 0
        self.caption: str | None = None


class Context(Struct, frozen=True):
    """What the open elements say together."""

    kind: BlockKind = "paragraph"
    level: int = 0
    group: int | None = None
    is_row: bool = False  # all of it is one block
    is_preformatted: bool = False
    is_definition: bool = False
    table: Table | None = None


class Contexts:
    """Derives the context of an element from that around it, and numbers the groups."""

    def __init__(self, data_tables: set[Element]) -> None:
        self._data_tables = data_tables
        self._groups = 0

    def within(self, element: Element, around: Context, depth: int) -> Context:
        """The context in a block element; `depth`: the level of the heading above it."""
        if level := _heading_level(element, depth):
            return replace(around, kind="heading", level=level)
        if element.tag in LISTS:
            return self._list(element, around)
        if element.tag in PREFORMATTED:
            group = around.group if around.kind in IN_LISTS else self._new_group()
            return replace(around, kind="code", level=0, group=group, is_preformatted=True)
        if element in self._data_tables:
            return Context(kind="row", group=self._new_group(), table=Table())
        return _plain(element, around)

    def _list(self, element: Element, around: Context) -> Context:
        is_nested = around.kind in IN_LISTS
        return Context(
            kind="step" if element.tag == "ol" else "item",
            level=around.level + 1 if is_nested else 0,
            group=around.group if is_nested else self._new_group(),
        )

    def _new_group(self) -> int:
        self._groups += 1
        return self._groups


def _plain(element: Element, around: Context) -> Context:
    match element.tag:
        case "dd":
            return replace(around, level=around.level + 1, is_definition=True)
        case "blockquote" if around.kind == "paragraph":
            return replace(around, kind="quotation")
        case "figcaption" | "caption":
            return replace(around, kind="caption")
        case "thead" if around.table:
            return replace(around, kind="header")
        case "tr" if around.table:
            cells = {child.tag for child in element.children if isinstance(child, Element) and child.children}
            is_header = cells == {"th"} and not around.table.rows
            return replace(around, kind="header" if is_header else around.kind, is_row=True)
    return around


def _heading_level(element: Element, depth: int) -> int:
    """The level of a heading, 0 for what is none."""
    if HEADING.fullmatch(element.tag):
        return int(element.tag[1])
    if element.get("role") == "heading":
        level = element.get("aria-level")
        return int(level) if level in LEVELS else 2
    return depth + 1 if element.tag == "summary" else 0
