"""AsciiDoc: the file is the text, markup included.

Sections, lists, delimited blocks, tables, attributes and comments are read line by line.
"""

from __future__ import annotations

import re

from index.text.decoding import decode
from index.text.line_blocks import LineBlocks
from index.text.lines import Line, lines
from index.text.list_markers import DEEPEST, Marker
from index.text.metadata import is_date
from index.types import BlockKind, Extracted

MEDIA_TYPE = "text/asciidoc"
HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)$")
ATTRIBUTE = re.compile(r":(!?[\w-]+!?):(?:[ \t]+(.*))?$")
BLOCK_ATTRIBUTES = re.compile(r"\[[^\]]*\][ \t]*$")
BLOCK_TITLE = re.compile(r"\.(?![\s.])\S.*$")
MACRO = re.compile(r"(?:image|video|audio|include|toc|ifdef|ifndef|ifeval|endif|xref|anchor)::\S*\[.*\]?[ \t]*$")
ITEM = re.compile(r"[ \t]*(?P<mark>\*{1,5}|-|\.{1,5}|\d{1,3}\.|[a-z]\.|<\d+>|<\.>)[ \t]+(?=\S)")
CODE = re.compile(r"(-{4,}|\.{4,}|\+{4,}|`{3,})[ \t]*\w*$")
QUOTE = re.compile(r"(_{4,}|\"\")[ \t]*$")
COMMENT = re.compile(r"/{4,}[ \t]*$")
FRAME = re.compile(r"(?:={4,}|\*{4,}|--)[ \t]*$")  # what stands in it is like any other text
TABLE = re.compile(r"[|,:!]={3,}[ \t]*$")
CELL = re.compile(r"(?<!\\)\|")
HEADER = re.compile(r"%header|options=\"?[^\"\]]*header", re.IGNORECASE)
COLUMNS = re.compile(r"cols=\"?(?P<list>[^\"\]]+)")


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read an AsciiDoc file; its title is its first heading. Raises DocumentError."""
    decoded = decode(data, source, charset)
    reading = _Reading(decoded.text)
    reading.read()
    fields = reading.fields
    date = fields.pop("revdate", None)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=MEDIA_TYPE,
        title=reading.output.title,
        date=date if date is not None and is_date(date) else None,
        meta=fields,
        blocks=tuple(reading.output.blocks),
    )


class _Reading:
    """A walk down the lines; `at` is the next one."""

    def __init__(self, text: str) -> None:
        self.lines = list(lines(text))
        self.output = LineBlocks()
        self.fields: dict[str, str] = {}
        self.at = 0
        self._attributes = ""  # of the block that follows
        self._bullets = False  # whether the outermost list that is open is one of bullets

    def read(self) -> None:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.blank:
                self.at += 1
            elif not (self._mark(line) or self._delimited(line) or self._item(line)):
                self._paragraph()

    def _mark(self, line: Line) -> bool:
        """Lines that stand alone: headings, attributes, comments, titles of blocks, what stands for an image."""
        if heading := HEADING.match(line.text):
            self.output.heading([line], heading[2], len(heading[1]))
        elif attribute := ATTRIBUTE.match(line.text):
            if attribute[2]:
                self.fields[attribute[1].lower()] = attribute[2].strip()
            self.output.add([line], "front_matter")
        elif line.text.startswith("//") and not COMMENT.match(line.text):
            self.output.add([line], "comment")
        elif BLOCK_ATTRIBUTES.match(line.text):
            self._attributes = line.text
            self.output.add([line], "furniture")
        elif MACRO.match(line.text) or FRAME.match(line.text) or line.text.strip() in ("'''", "<<<", "+"):
            self.output.add([line], "furniture")
        elif BLOCK_TITLE.match(line.text) and not ITEM.match(line.text):
            self.output.add([line], "caption")
        else:
            return False
        self.at += 1
        return True

    def _delimited(self, line: Line) -> bool:
        for pattern, kind in ((CODE, "code"), (QUOTE, "quotation"), (COMMENT, "comment")):
            if pattern.match(line.text):
                self._between(line, kind)  # type: ignore[arg-type]  # mypy takes the kinds for any text
                return True
        if TABLE.match(line.text):
            self._table(line)
            return True
        return False

    def _between(self, line: Line, kind: BlockKind) -> None:
        """The block up to a line like this one; without one, up to the next blank line."""
        end = self._closing(line)
        within = self.lines[self.at : end + 1]
        inside = self.output.in_list and self.at > 0 and not self.lines[self.at - 1].blank
        self.at = end + 1
        if inside and kind == "code":
            self.output.within_list(within, kind)
        else:
            self.output.add(within, kind)

    def _closing(self, line: Line) -> int:
        mark = line.text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
        for place in range(self.at + 1, len(self.lines)):
            if self.lines[place].text.strip() == mark:
                return place
        blank = (place for place in range(self.at + 1, len(self.lines)) if self.lines[place].blank)
        return next(blank, len(self.lines)) - 1

    def _table(self, line: Line) -> None:
        """Rows: a line that holds several cells, or as many lines of one cell each as the table has columns."""
        end = self._closing(line)
        rows = [each for each in self.lines[self.at + 1 : end] if not each.blank]
        first_gap = self.at + 2 < len(self.lines) and self.lines[self.at + 2].blank
        has_header = bool(HEADER.search(self._attributes)) or (first_gap and not self.lines[self.at + 1].blank)
        columns = self._columns(rows)
        group = self.output.new_group()
        self.output.add([line], "furniture")
        run: list[Line] = []
        count = row_count = 0
        for each in rows:
            here = len(CELL.findall(each.text))
            if run and here and count + here > columns:
                self.output.add(run, "header" if has_header and not row_count else "row", group=group)
                run, count, row_count = [], 0, row_count + 1
            run.append(each)
            count += here
        self.output.add(run, "header" if has_header and not row_count else "row", group=group)
        self.output.add(self.lines[end : end + 1], "furniture")
        self.at = end + 1
        self._attributes = ""

    def _columns(self, rows: list[Line]) -> int:
        if named := COLUMNS.search(self._attributes):
            sizes = re.split(r"[,;]", named["list"])
            repeated = re.match(r"(\d+)\*", sizes[0])
            return int(repeated[1]) if repeated else len(sizes)
        return max((len(CELL.findall(each.text)) for each in rows[:1]), default=1)

    def _item(self, line: Line) -> bool:
        match = ITEM.match(line.text)
        if match is None:
            return False
        mark = match["mark"]
        end = self._paragraph_end()
        run = self.lines[self.at : end]
        self.at = end
        depth = len(mark) if mark[0] in "*." else 1
        bullet = mark[0] in "*-"
        sign = mark if mark[0] in "*.-" else "1."
        inner = self.output.in_list and bullet != self._bullets  # another kind of list is nested, however it is marked
        self._bullets = bullet if not inner else self._bullets
        marker = Marker("bullet" if bullet else "hash", sign, mark, match.end(), depth + inner * DEEPEST)
        self.output.item(run, marker)
        return True

    def _paragraph(self) -> None:
        """Up to a blank line, or a line that begins something else."""
        end = self._paragraph_end()
        run = self.lines[self.at : end]
        continued = self.at > 0 and self.lines[self.at - 1].text.strip() == "+"
        self.at = end
        if continued and self.output.in_list:
            self.output.within_list(run, "paragraph")
        else:
            self.output.add(run, "quotation" if self._attributes.startswith("[quote") else "paragraph")
        self._attributes = ""

    def _paragraph_end(self) -> int:
        end = self.at + 1
        while end < len(self.lines) and not self.lines[end].blank and not self._begins(self.lines[end]):
            end += 1
        return end

    @staticmethod
    def _begins(line: Line) -> bool:
        patterns = (HEADING, BLOCK_ATTRIBUTES, CODE, QUOTE, COMMENT, TABLE, ITEM, MACRO)
        return line.text.strip() == "+" or any(pattern.match(line.text) for pattern in patterns)
