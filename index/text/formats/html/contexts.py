"""What an element implies for its text: heading, list item, table row, code."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from index.text.formats.html.elements import Element
from index.text.formats.html.tables import Tables
from index.types import BlockKind

HEADING = re.compile("h[1-6]")
LEVELS = frozenset("123456789")
DEEPEST = 9  # level of a heading
PREFORMATTED = frozenset({"pre", "listing", "xmp", "plaintext"})
LISTS = frozenset({"ul", "ol", "dl", "menu", "dir"})
IN_LISTS = frozenset({"item", "step"})


class DataTable:
    """A table during layout."""

    def __init__(self) -> None:
        self.rows = 0
        self.caption: str | None = None


class Context(Struct, frozen=True):
    """The combined effect of the open elements."""

    kind: BlockKind = "paragraph"
    level: int = 0
    group: int | None = None
    is_row: bool = False  # its contents are one block
    is_preformatted: bool = False
    is_definition: bool = False
    table: DataTable | None = None


class Contexts:
    """Derives the context of an element from its parent's, and numbers the groups."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._groups = 0

    def within(self, element: Element, around: Context, depth: int) -> Context:
        """The context inside a block element; `depth`: the level of the heading above it."""
        if level := _heading_level(element, depth):
            return replace(around, kind="heading", level=level)
        if element.tag in LISTS:
            return self._list(element, around)
        if element.tag in PREFORMATTED:
            group = around.group if around.kind in IN_LISTS else self._new_group()
            return replace(around, kind="code", level=0, group=group, is_preformatted=True)
        if element in self._tables.data:
            return Context(kind="row", group=self._new_group(), table=DataTable())
        if element.tag == "tr" and around.table:
            is_header = around.kind == "header" or (element in self._tables.header_rows and not around.table.rows)
            return replace(around, kind="header" if is_header else "row", is_row=True)
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
    return around


def _heading_level(element: Element, depth: int) -> int:
    """The level of a heading, 0 for other elements."""
    if HEADING.fullmatch(element.tag):
        return int(element.tag[1])
    if element.get("role") == "heading":
        level = element.get("aria-level")
        return int(level) if level in LEVELS else 2
    return min(depth + 1, DEEPEST) if element.tag == "summary" else 0
