"""Distinguishes data tables from layout tables."""

from __future__ import annotations

from index.text.formats.html.elements import Element, Page, Piece, names

SECTIONS = names("h1 h2 h3 h4 h5 h6 article section form pre blockquote")
HEADERS = names("th thead caption")
LONG = 300  # characters per cell; longer ones contain page text
FEWEST = 2  # rows and columns


class Tables:
    """The data tables and rows of header cells, found in one pass over the page."""

    def __init__(self, page: Page, skipped: set[Element]) -> None:
        self.data: set[Element] = set()
        self.header_rows: set[Element] = set()
        self._skipped = skipped
        end = -1
        for table in page.named("table"):
            if table.start > end:
                end = table.end
                self._count(page, table)

    def _count(self, page: Page, outermost: Element) -> None:
        tables: list[_Table] = []
        place = outermost.start
        while place <= outermost.end:
            event = page.events[place]
            if type(event) is Piece:
                tables[-1].cell += event.end - event.start
            elif isinstance(event, Element):
                if event.start == place:
                    if event in self._skipped and event is not outermost:
                        place = event.end
                    elif event.tag == "table":
                        if tables:
                            tables[-1].sections += 1
                        tables.append(_Table())
                    else:
                        tables[-1].enter(event)
                elif event.tag == "tr":
                    tables[-1].leave_row(event, self.header_rows)
                elif event.tag == "table" and tables.pop().is_data(event):
                    self.data.add(event)
            place += 1


class _Table:
    def __init__(self) -> None:
        self.rows = self.columns = self.sections = self.headers = self.long = 0
        self.cells = self.header_cells = 0  # of the open row
        self.cell = 0  # characters

    def enter(self, element: Element) -> None:
        if element.tag == "tr":
            self.rows += 1
            self.cells = self.header_cells = 0
        elif element.tag in ("td", "th"):
            self.long += self.cell > LONG
            self.cell = 0
            if element.end > element.start + 1:  # an empty corner is neutral
                self.header_cells += element.tag == "th"
                self.cells += 1
            self.columns = max(self.columns, self.cells)
        if element.tag in SECTIONS:
            self.sections += 1
        elif element.tag in HEADERS:
            self.headers += 1

    def leave_row(self, row: Element, header_rows: set[Element]) -> None:
        if self.cells and self.cells == self.header_cells:
            header_rows.add(row)

    def is_data(self, element: Element) -> bool:
        if element.get("role") in ("presentation", "none") or self.sections:
            return False
        if self.headers:
            return True
        return not (self.long + (self.cell > LONG)) and self.rows >= FEWEST and self.columns >= FEWEST
