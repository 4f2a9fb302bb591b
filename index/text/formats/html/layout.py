"""Lays out the tree of a page as text and blocks, as a browser does: blocks, lists, tables, line breaks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from index.text.byte_map import Places
from index.text.formats.html.contexts import IN_LISTS, Context, Contexts
from index.text.formats.html.elements import Element, Page, Piece, names
from index.text.formats.html.selection import Selection
from index.text.formats.html.tables import Tables
from index.text.formats.html.writing import BLANK, RUN, Writer
from index.types import Block, Span

BLOCKS = names(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu nav ol optgroup p plaintext pre "
    "search section summary table tbody td tfoot th thead tr ul xmp #document"
)
BLOCK_STYLE = re.compile(r"display\s*:\s*(?:block|flex|grid|table|list-item)", re.IGNORECASE)
COLONS = (":", "：")
LONGEST_HEADING = 1000  # code points


class Laid(Struct, frozen=True):
    """A page's text, its blocks, and the source position of each character."""

    text: str
    blocks: tuple[Block, ...]
    starts: Places
    ends: Places


def lay_out(page: Page, selection: Selection) -> Laid:
    """The text of the selected elements."""
    layout = _Layout(page, selection)
    for root in selection.roots:
        layout.add(root)
    starts, ends = layout.writer.places()
    return Laid(layout.writer.text(), tuple(layout.blocks), starts, ends)


class _Layout:
    def __init__(self, page: Page, selection: Selection) -> None:
        self.writer = Writer(page.source)
        self.blocks: list[Block] = []
        self._page = page
        self._skipped = selection.skipped
        self._derive = Contexts(Tables(page, selection.skipped))
        self._contexts = [Context()]
        self._block: tuple[int, Context] | None = None  # start of the open block
        self._solid = 0  # end of the last non-space character
        self._breaks = 0
        self._is_cell = False  # the next text starts a cell
        self._margin = (0, 0)  # white space before the first line of <pre>
        self._headings: list[tuple[int, str]] = []
        self._outside: list[list[tuple[int, str]]] = []  # the headings outside each open <details>
        self._term: str | None = None

    def add(self, root: Element) -> None:
        events, skipped = self._page.events, self._skipped
        place = root.start
        while place <= root.end:
            event = events[place]
            if type(event) is Piece:
                self._text(event)
            elif isinstance(event, Element):
                if event.end == place:
                    self._leave(event)
                elif event in skipped and event is not root:
                    place = event.end
                else:
                    self._enter(event)
            place += 1
        self._close()

    def _enter(self, element: Element) -> None:
        tag, context = element.tag, self._contexts[-1]
        if tag == "br":
            self._break()
        elif context.is_row:
            if tag in ("td", "th"):
                self._is_cell = True
            elif tag in BLOCKS:
                self._gap(element)
        elif _is_block(element):
            self._close()
            context = self._derive.within(element, context, self._headings[-1][0] if self._headings else 0)
            if tag == "details":
                self._outside.append(self._headings)
        self._contexts.append(context)

    def _leave(self, element: Element) -> None:
        self._contexts.pop()
        if self._contexts[-1].is_row:
            if element.tag in BLOCKS:
                self._gap(element)
        elif _is_block(element):
            self._close()
            if element.tag == "details":
                self._headings = self._outside.pop()

    def _break(self) -> None:
        if self._contexts[-1].is_preformatted and self._block:
            self.writer.separate("\n")
        else:
            self._breaks += 1

    def _gap(self, element: Element) -> None:
        """A space between two paragraphs of one cell."""
        if self._block and element.tag not in ("td", "th"):
            self._breaks += 1

    def _text(self, piece: Piece) -> None:
        if self._contexts[-1].is_preformatted:
            self._preformatted(piece)
            return
        start, end, value = piece
        if value is not None:
            if value.strip(BLANK):
                self._solid_run(value, start, end)
            elif value:
                self.writer.space(start, end)
            return
        source = self._page.source
        for match in RUN.finditer(source, start, end):
            start, end = match.span()
            if source[start] in BLANK:
                self.writer.space(start, end)
            else:
                self._solid_run(source[start:end], start, end)

    def _solid_run(self, visible: str, start: int, end: int) -> None:
        if self._block is None or self._is_cell or self._breaks:
            self._prepare(visible)
        self.writer.solid(visible, start, end)
        self._solid = self.writer.length

    def _preformatted(self, piece: Piece) -> None:
        start, end, value = piece
        visible = value or self._page.source[start:end]
        if not self._block:
            if not value:  # the indentation of the first line belongs to it
                lead = len(visible) - len(visible.lstrip(BLANK))
                margin = start + visible.rfind("\n", 0, lead) + 1
                start = self._margin[0] if self._margin[1] == start == margin else margin
                self._margin = (start, end)
            if not visible.strip(BLANK):
                return
            self._open()
        if value:
            self.writer.solid(value, start, end)
            self._solid = self.writer.length
        else:
            trailing = end - start - len(self._page.source[start:end].rstrip(BLANK))
            self.writer.verbatim(start, end)
            self._solid = self.writer.length - trailing if trailing < end - start else self._solid

    def _prepare(self, visible: str) -> None:
        """Write the separator between the last text and the next."""
        if self._block is None:
            self._open()
        elif self._is_cell:
            self.writer.separate("\t")
        elif self._breaks:
            context = self._block[1]
            if context.is_row or context.kind in ("heading", "caption"):
                self.writer.separate(" ")
            elif self._breaks == 1 and visible[:1].islower():
                self.writer.separate("\n")
            else:
                self._close()
                self._open(after_break=True)
        self._breaks = 0
        self._is_cell = False

    def _open(self, *, after_break: bool = False) -> None:
        context = self._contexts[-1]
        if self.blocks:
            near = after_break or (context.group is not None and self.blocks[-1].group == context.group)
            self.writer.separate("\n" if near else "\n\n")
        else:
            self.writer.drop_space()
        self._block = (self.writer.length, context)

    def _close(self) -> None:
        self._breaks = 0
        self._is_cell = False
        if self._block is None:
            return
        start, context = self._block
        self._block = None
        span = Span(start, self._solid)
        visible = self.writer.slice(span)
        if context.kind == "heading":
            self._head(context.level, visible)
        elif context.kind == "caption" and context.table:
            context.table.caption = " ".join(visible.split())
        self._introduce(context)
        path = tuple(title for _, title in self._headings)
        if context.is_definition and self._term:
            path = (*path, self._term)
        elif context.kind in IN_LISTS:
            self._term = " ".join(visible.split())
        self.blocks.append(
            Block(span, path, context.kind, context.group, context.level, label=self._label(context, path))
        )

    def _head(self, level: int, visible: str) -> None:
        title = " ".join(visible.split())[:LONGEST_HEADING]
        self._headings = [*(above for above in self._headings if above[0] < level), (level, title)]

    def _introduce(self, context: Context) -> None:
        """A paragraph ending in a colon belongs to the list, table or code after it."""
        if not self.blocks or context.group is None:
            return
        block = self.blocks[-1]
        if block.group is None and block.kind == "paragraph" and self.writer.slice(block.span).endswith(COLONS):
            self.blocks[-1] = replace(block, group=context.group, introduces=True)

    def _label(self, context: Context, path: Sequence[str]) -> str | None:
        if context.table is None or context.kind != "row":
            return None
        context.table.rows += 1
        name = context.table.caption or (path[-1] if path else None)
        return f"{name}, row {context.table.rows}" if name else f"row {context.table.rows}"


def _is_block(element: Element) -> bool:
    if element.tag in BLOCKS:
        return True
    style = element.attributes.get("style")
    return (style is not None and BLOCK_STYLE.search(style) is not None) or element.get("role") == "heading"
