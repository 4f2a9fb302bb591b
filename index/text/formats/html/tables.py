"""Which tables hold data, and which only lay out a page."""

from __future__ import annotations

from index.text.formats.html.elements import Element, Page, Piece, walk

SECTIONS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "table", "article", "section", "form", "pre", "blockquote"})
HEADERS = frozenset({"th", "thead", "caption"})
LONG = 300  # characters of a cell; longer ones hold text of a page
FEWEST = 2  # rows and columns


class Census:
    """Each table of a page that holds data; found in one pass over the page."""

    def __init__(self, page: Page, roots: list[Element], skipped: set[Element]) -> None:
        self.data: set[Element] = set()
        self._page = page
        for root in roots:
            self._count(root, skipped)

    def _count(self, root: Element, skipped: set[Element]) -> None:
        open_tables: list[_Table] = []
        for event in walk(root, skipped):
            table = open_tables[-1] if open_tables else None
            if isinstance(event, Piece):
                if table:
                    table.cell += event.end - event.start
                continue
            element, entered = event
            if element.tag == "table":
                if entered:
                    if table:
                        table.sections += 1
                    open_tables.append(_Table())
                elif open_tables.pop().is_data(element):
                    self.data.add(element)
            elif entered and table:
                table.enter(element)


class _Table:
    def __init__(self) -> None:
        self.rows = self.columns = self.cells = self.sections = self.headers = self.long = self.cell = 0

    def enter(self, element: Element) -> None:
        if element.tag == "tr":
            self.rows += 1
            self.cells = 0
        elif element.tag in ("td", "th"):
            self.long += self.cell > LONG
            self.cell = 0
            self.cells += 1
            self.columns = max(self.columns, self.cells)
        if element.tag in SECTIONS:
            self.sections += 1
        if element.tag in HEADERS:
            self.headers += 1

    def is_data(self, element: Element) -> bool:
        if element.get("role") in ("presentation", "none") or self.sections:
            return False
        if self.headers:
            return True
        self.long += self.cell > LONG
        return not self.long and self.rows >= FEWEST and self.columns >= FEWEST
