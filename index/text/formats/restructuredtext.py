"""reStructuredText: the file is the text, markup included.

docutils tells the line that a block begins on, but not where it ends or what stands in it; so the blocks are read here:
sections by their underlines, lists, literal blocks, directives, tables, comments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from index.text.decoding import decode
from index.text.line_blocks import LineBlocks
from index.text.lines import Line, lines
from index.text.list_markers import marker_at
from index.text.metadata import is_date
from index.types import BlockKind, Extracted

MEDIA_TYPE = "text/x-rst"
ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
DIRECTIVE = re.compile(r"\s*\.\. (?:\|[^|]+\| )?(?P<name>[\w:.+-]+)::(?:\s+(?P<argument>\S.*))?$")
EXPLICIT = re.compile(r"\s*\.\.(?:\s|$)")
TARGET = re.compile(r"\s*\.\. (?:_[^:]*:|\[[^\]]+\]|\|[^|]+\|)")
FIELD = re.compile(r"\s*:(?P<name>[^:\s][^:]*):(?:\s+(?P<value>.*))?$")
SIMPLE_RULE = re.compile(r"\s*=+(?:\s+=+)+\s*$")
GRID_RULE = re.compile(r"\s*\+[-=+]+\+\s*$")
LITERAL = re.compile(r"::\s*$")
CODE = frozenset(
    {"code", "code-block", "sourcecode", "highlight", "parsed-literal", "doctest", "prompt", "literalinclude"}
)
TITLED = frozenset({"figure", "csv-table", "list-table", "table"})
WORDLESS = frozenset(
    {
        "image",
        "toctree",
        "contents",
        "include",
        "raw",
        "index",
        "only",
        "currentmodule",
        "module",
        "highlight",
        "meta",
        "default-role",
        "role",
        "sectnum",
        "header",
        "footer",
        "math",
    }
)


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a reStructuredText file; its title is its first heading. Raises DocumentError."""
    decoded = decode(data, source, charset)
    reading = _Reading(decoded.text)
    reading.read()
    fields = reading.fields
    date = fields.pop("date", None)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=MEDIA_TYPE,
        title=fields.pop("title", None) or reading.output.title,
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
        self._levels: list[str] = []  # adornments, in the order in which they first came
        self._item_indent = 0  # of the text of the open item

    def read(self) -> None:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.blank:
                self.at += 1
            elif not (self._section() or self._table() or self._explicit() or self._fields()):
                self._paragraph(line)

    def _section(self) -> bool:
        """A title with a line below it, or one above and one below."""
        over = ADORNMENT.match(self._text(self.at)) and not self._blank(self.at + 1)
        title = self.at + 1 if over and ADORNMENT.match(self._text(self.at + 2)) else self.at
        under = ADORNMENT.match(self._text(title + 1))
        title_line = self.lines[title] if title < len(self.lines) else None
        if under is None or title_line is None or title_line.blank or (title_line.indent and title == self.at):
            if ADORNMENT.match(self._text(self.at)):
                self._take(self.at + 1, "furniture")  # a transition
                return True
            return False
        if len(under[0].strip()) < min(title_line.width - title_line.indent, 4) or GRID_RULE.match(title_line.text):
            return False
        style = ("=" if title > self.at else "") + under[1]
        if style not in self._levels:
            self._levels.append(style)
        run = self.lines[self.at : title + 2]
        self.output.heading(run, title_line.text, self._levels.index(style) + 1)
        self.at = title + 2
        return True

    def _table(self) -> bool:
        line = self.lines[self.at].text
        if GRID_RULE.match(line):
            self._grid()
            return True
        if SIMPLE_RULE.match(line):
            self._simple()
            return True
        return False

    def _grid(self) -> None:
        """Rows between rules of `+---+`; the one above `+===+` is the header."""
        end = self.at
        while self._text(end).lstrip()[:1] in ("+", "|"):
            end += 1
        group, start = self.output.new_group(), self.at
        header = any("=" in line.text and GRID_RULE.match(line.text) for line in self.lines[self.at : end])
        for place in range(self.at, end):
            if not GRID_RULE.match(self.lines[place].text):
                continue
            kind: BlockKind = "header" if header and "=" in self.lines[place].text else "row"
            self.output.add(self.lines[start:place], kind, group=group)
            self.output.add(self.lines[place : place + 1], "furniture")
            start = place + 1
        self.output.add(self.lines[start:end], "row", group=group)
        self.at = end

    def _simple(self) -> None:
        """Rows between rules of `=== ===`; two rules make one table without a header, three make a header."""
        rules = [self.at]
        place = self.at + 1
        while place < len(self.lines) and len(rules) < 3:
            if SIMPLE_RULE.match(self._text(place)):
                rules.append(place)
                if self._blank(place + 1):
                    break
            place += 1
        if len(rules) < 2:
            self._take(self.at + 1, "furniture")
            return
        group = self.output.new_group()
        for number, (rule, following) in enumerate(pairwise(rules)):
            self.output.add(self.lines[rule : rule + 1], "furniture")
            rows = self._simple_rows(self.lines[rule + 1 : following])
            header = len(rules) == 3 and number == 0
            for row in rows:
                self.output.add(row, "header" if header else "row", group=group)
        self.output.add(self.lines[rules[-1] : rules[-1] + 1], "furniture")
        self.at = rules[-1] + 1

    @staticmethod
    def _simple_rows(run: Sequence[Line]) -> list[list[Line]]:
        """A row whose first column is blank goes on with the row above."""
        rows: list[list[Line]] = []
        margin = min((line.indent for line in run if not line.blank), default=0)
        for line in run:
            if line.blank:
                continue
            if rows and line.indent > margin:
                rows[-1].append(line)
            else:
                rows.append([line])
        return rows

    def _explicit(self) -> bool:
        """What begins with two dots: a directive, a target or a comment."""
        line = self.lines[self.at]
        if not EXPLICIT.match(line.text):
            return False
        directive = DIRECTIVE.match(line.text)
        end = self._indented_end(self.at + 1, line.indent)
        if directive is None:
            kind: BlockKind = "furniture" if TARGET.match(line.text) else "comment"
            self._take(end, kind)
            return True
        name = directive["name"].split(":")[-1]
        body = self.at + 1
        while body < end and FIELD.match(self._text(body)):
            body += 1
        if name in WORDLESS and name not in CODE:
            self._take(end, "furniture")
        elif name in CODE:
            self._take(body, "furniture")
            self._take(end, "code")
        else:
            if directive["argument"] and name not in TITLED:
                self._take(self.at + 1, "paragraph")  # .. note:: said on the same line
            self._take(body, "furniture")
        return True

    def _fields(self) -> bool:
        """The fields at the top of a file, which are about it."""
        field = FIELD.match(self.lines[self.at].text)
        if field is None or any(block.kind not in ("heading", "furniture", "comment") for block in self.output.blocks):
            return False
        end = self.at
        while end < len(self.lines) and (field := FIELD.match(self._text(end))):
            if field["value"]:
                self.fields[field["name"].lower()] = field["value"].strip()
            end += 1
        self._take(end, "front_matter")
        return True

    def _paragraph(self, line: Line) -> None:
        """A paragraph or an item up to a blank line; `::` at its end makes what is indented behind it code."""
        marker = marker_at(line.text)
        hanging = self.output.in_list and line.indent >= self._item_indent > 0
        end = self.at + 1
        while end < len(self.lines) and not self.lines[end].blank:
            following = self.lines[end]
            if marker_at(following.text) and (marker or following.indent != line.indent):
                break
            if EXPLICIT.match(following.text) and following.indent > line.indent:
                break
            end += 1
        run = self.lines[self.at : end]
        self.at = end
        if marker and (marker.style != "letter" or marker.first or self.output.in_list):
            self._item_indent = marker.width
            self.output.item(run, marker)
        elif hanging:
            self.output.within_list(run, "paragraph")
        else:
            self.output.add(run, "quotation" if line.indent > 1 and not self.output.in_list else "paragraph")
        if LITERAL.search(run[-1].text):
            self._literal(line.indent)

    def _literal(self, indent: int) -> None:
        while self._blank(self.at) and self.at < len(self.lines):
            self.at += 1
        end = self._indented_end(self.at, indent)
        if self.output.in_list:
            self.output.within_list(self.lines[self.at : end], "code")
            self.at = end
        else:
            self._take(end, "code")

    # ---- lines

    def _take(self, end: int, kind: BlockKind) -> None:
        """The lines up to `end` as one block."""
        if kind == "code" and self.output.in_list and self.lines[self.at].indent >= self._item_indent:
            self.output.within_list(self.lines[self.at : end], kind)
        else:
            self.output.add(self.lines[self.at : end], kind)
        self.at = max(self.at, end)

    def _text(self, at: int) -> str:
        return self.lines[at].text if at < len(self.lines) else ""

    def _blank(self, at: int) -> bool:
        return not self._text(at).strip()

    def _indented_end(self, at: int, indent: int) -> int:
        """Where the lines end that are blank or indented more than `indent`."""
        end = last = at
        while end < len(self.lines) and (self.lines[end].blank or self.lines[end].indent > indent):
            end += 1
            if not self.lines[end - 1].blank:
                last = end
        return last
