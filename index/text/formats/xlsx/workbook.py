"""XLSX: sheet by sheet, each row a block with the cells as they show, below the sheet's name.

Formulas count with the value that the file stores. Hidden sheets, rows and columns are left out, but not the rows that
a filter hides. A place is the sheet's part and (sheet, row, column), all from 0, and code points of the cell as shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from index.errors import UnpackedTooLarge
from index.text.formats.containers import Element
from index.text.formats.office import tables
from index.text.formats.office.draft import Draft, Piece, visible
from index.text.formats.office.opc import OFFICE, Package
from index.text.formats.xlsx.cell_formats import Show, formatter, show_plain
from index.text.formats.xlsx.sheet import MOST_CELLS, Area, Sheet, Values, area, read_sheet, read_strings
from index.types import BlockKind, Extracted

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAIN = "xl/workbook.xml"
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
MOST_FROZEN = 5  # rows; more frozen rows are not a header
REPEATED = 100  # code points; the text of a larger merged cell is not repeated in each row
ON = frozenset({"1", "true"})

Row = tuple[int, dict[int, str]]  # its number and its cells


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:  # noqa: ARG001 - XML says its own
    """Read an XLSX. Raises DocumentError."""
    return _Workbook(Package(data, source, "xlsx")).read()


class _Workbook:
    def __init__(self, package: Package) -> None:
        self.package = package
        self.main = package.main(MAIN)
        self.draft = Draft(package.source, depth=3)
        self.notices: list[str] = []

    def read(self) -> Extracted:
        root = self.package.tree(self.main)
        properties = root.find(f"{S}workbookPr")
        since_1904 = properties is not None and properties.get("date1904") in ON
        strings = self.package.related(self.main, "sharedStrings")
        styles = self.package.related(self.main, "styles")
        values = Values(
            strings=read_strings(self.package, strings) if strings else [],
            shows=_shows(self.package.tree(styles), since_1904=since_1904) if styles else [show_plain],
        )
        related = self.package.relationships(self.main)
        for number, element in enumerate(root.iterfind(f"{S}sheets/{S}sheet")):
            name = element.get("name", "")
            link = related.get(element.get(f"{OFFICE}id", ""))
            if element.get("state", "visible") != "visible":
                self.notices.append(f"the hidden sheet {name!r} is left out")
            elif link is not None and link.kind == "worksheet":
                self._sheet(number, name, link.target, values)
        return self.draft.finish(MEDIA_TYPE, self.package.properties(), notices=self.notices, empty=" in its cells")

    def _sheet(self, number: int, name: str, part: str, values: Values) -> None:
        sheet = read_sheet(self.package, part, values)
        if sheet.unknown:
            self.notices.append(f"{name}: {sheet.unknown} formulas have no stored value")
        self._leave_out_hidden(sheet, name)
        repeated = self._spread_merged(sheet, part)
        headers = self._headers(sheet, part)
        self.draft.path = []
        self.draft.open(1, name)
        writer = _Rows(self.draft, name, number, part, repeated)
        for region in _regions(sheet):
            writer.write(region, headers)

    def _leave_out_hidden(self, sheet: Sheet, name: str) -> None:
        filtered = range(sheet.filtered.top, sheet.filtered.bottom + 1) if sheet.filtered else range(0)
        rows = [at for at in sheet.hidden_rows if at not in filtered and sheet.rows.get(at)]
        for at in rows:
            del sheet.rows[at]
        columns = {at for cells in sheet.rows.values() for at in cells} if sheet.hidden_columns else set()
        hidden = {at for at in columns if any(first <= at <= last for first, last in sheet.hidden_columns)}
        for cells in sheet.rows.values() if hidden else ():
            for at in hidden & cells.keys():
                del cells[at]
        if rows or hidden:
            self.notices.append(f"{name}: {len(rows)} hidden rows and {len(hidden)} hidden columns are left out")

    def _spread_merged(self, sheet: Sheet, part: str) -> dict[tuple[int, int], int]:
        """Repeat a vertically merged cell in each of its rows: row and column -> the row of the cell."""
        repeated: dict[tuple[int, int], int] = {}
        looked_at = 0
        for each in sheet.merged:
            text = sheet.rows.get(each.top, {}).get(each.left)
            if not text or len(text) > REPEATED:
                continue
            for row in range(each.top + 1, each.bottom + 1):
                looked_at += 1
                if sheet.rows.get(row):
                    sheet.rows[row].setdefault(each.left, text)
                    repeated[row, each.left] = each.top
            if looked_at > MOST_CELLS:
                raise UnpackedTooLarge(source=self.package.source, part=part, limit=MOST_CELLS, unit="merged cells")
        return repeated

    def _headers(self, sheet: Sheet, part: str) -> set[int]:
        """Rows declared as headers: of tables, of filters, and frozen rows."""
        headers = {sheet.filtered.top} if sheet.filtered else set()
        if 0 < sheet.frozen <= MOST_FROZEN:
            headers |= {at for at in range(sheet.frozen) if len(sheet.rows.get(at, {})) > 1}
        related = self.package.relationships(part) if sheet.tables else {}
        for identifier in sheet.tables:
            target = related[identifier].target if identifier in related else ""
            root = self.package.tree_if_present(target)
            place: Area | None = None if root is None else area(root.get("ref", ""))
            if root is not None and place is not None and root.get("headerRowCount", "1") != "0":
                headers.add(place.top)
        return headers


class _Rows:
    """Writes the rows of one sheet."""

    def __init__(self, draft: Draft, name: str, number: int, part: str, repeated: dict[tuple[int, int], int]) -> None:
        self.draft, self.name, self.number, self.part, self.repeated = draft, name, number, part, repeated
        self.group: int | None = None
        self.columns: set[int] = set()  # of the table above

    def write(self, region: list[Row], headers: set[int]) -> None:
        """Rows without a blank row in between: titles above a table, its header, its rows."""
        used = sorted({column for _, cells in region for column in cells})
        if len(used) > 1:
            while len(region) > 1 and len(region[0][1]) == 1 and region[0][0] not in headers:
                self._cell_by_cell(region.pop(0))
        texts = [[cells.get(column, "") for column in used] for _, cells in region[: tables.LOOK_AHEAD]]
        marked = bool(headers & {number for number, _ in region})
        guessed = region[0][0] if not marked and tables.has_header(texts) else None
        if len(used) == 1 and guessed is None and not marked:
            for row in region:
                self._cell_by_cell(row)
            return
        goes_on = self.group is not None and not marked and guessed is None and self.columns.issuperset(used)
        if not goes_on:
            self.group, self.columns = self.draft.start_group(), set(used)
        places = {column: at for at, column in enumerate(used)}
        for row in region:
            self._row(row, places, "header" if row[0] in headers or row[0] == guessed else "row")

    def _row(self, row: Row, places: dict[int, int], kind: BlockKind) -> None:
        number, cells = row
        if sum(map(len, cells.values())) > tables.LONGEST_ROW:
            self._cell_by_cell(row)
            return
        pieces: list[Piece | str] = []
        last = None
        for column in sorted(cells):
            if last is not None:
                pieces.append("\t" * (places[column] - last))
            last = places[column]
            pieces.append(self._piece(number, column, cells[column]))
        self.draft.add(pieces, kind, group=self.group, label=f"{self.name}, row {number + 1}")

    def _cell_by_cell(self, row: Row) -> None:
        number, cells = row
        for column in sorted(cells):
            if (number, column) not in self.repeated:
                piece = self._piece(number, column, cells[column])
                self.draft.add([piece], label=f"{self.name}, row {number + 1}")

    def _piece(self, row: int, column: int, text: str) -> Piece:
        return Piece(visible(text), self.part, (self.number, self.repeated.get((row, column), row), column))


def _regions(sheet: Sheet) -> Iterator[list[Row]]:
    """Runs of rows without a blank one in between."""
    filled = [number for number in sorted(sheet.rows) if sheet.rows[number]]
    for _, run in groupby(enumerate(filled), key=lambda each: each[1] - each[0]):
        yield [(number, sheet.rows[number]) for _, number in run]


def _shows(styles: Element, *, since_1904: bool) -> list[Show]:
    """The number format of each cell style."""
    codes = {each.get("numFmtId", ""): each.get("formatCode", "") for each in styles.iterfind(f"{S}numFmts/{S}numFmt")}
    identifiers: Sequence[str] = [each.get("numFmtId", "0") for each in styles.iterfind(f"{S}cellXfs/{S}xf")]
    known = {
        each: formatter(int(each) if each.isascii() and each.isdigit() else 0, codes.get(each), since_1904=since_1904)
        for each in set(identifiers)
    }
    return [known[each] for each in identifiers] or [show_plain]
