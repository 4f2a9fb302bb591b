"""What is read of a passage: the words of the file without its markup, a row with the names of its columns.

Citations are always the file's own text. But `| Child ticket | 5 EUR |` says nothing to an encoder or a reader, and
`Fare: Child ticket | Price: 5 EUR` does. Each code point that is read knows where it stands in the file, or that it
stands nowhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

import regex
from msgspec import Struct

from index.text.structure import LISTED, Structure, TextBlock
from index.text.table_rows import cells, separator_of
from index.types import Span

Run = tuple[int, int]  # code points of the file: start, end

MARKED_UP = frozenset({"text/markdown", "text/x-markdown", "text/x-rst", "text/asciidoc"})
LONGEST_INTRODUCTION = 300  # code points of an introduction that is read again above the rest of its list
LONGEST_NAME = 60  # code points of a column's name that is read with every row
# What is left out of what is read: the address of a link, marks of emphasis, code and headings.
MARKUP = regex.compile(
    r"""(?P<heading>^[^\S\n\r]{0,3}\#{1,6}[^\S\n\r]+|^={1,6}[^\S\n\r]+(?=\S))
      | (?P<quote>^[^\S\n\r]*(?:>[^\S\n\r]?)+)
      | !\[(?P<image>[^\[\]\n]*)\]\([^()\n]*\)
      | (?<!!)\[(?P<link>[^\[\]\n]+)\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)?\)|\[[^\[\]\n]*\]|\{[^{}\n]*\})
      | (?P<fence>^[^\S\n\r]*(?:`{3,}|~{3,})[^\n\r]*$)
      | (?P<code>`+)
      | (?P<strong>\*\*|__)(?=\S)|(?<=\S)(?P<unstrong>\*\*|__)
      | (?<![\w*])(?P<emphasis>[*_])(?=[^\s*_])|(?<=[^\s*_])(?P<unemphasis>[*_])(?![\w*])
      | (?P<tag></?[a-zA-Z][^<>\n]*>)""",
    regex.VERBOSE | regex.MULTILINE,
)
KEPT = ("image", "link")


class Rendered(Struct, frozen=True, dict=True):
    """A passage as it is read.

    `sentences`: of each sentence of the passage its number and its place in `text`; `runs`: (place in `text`, start,
    end in the file) of everything in `text` that stands in the file, in order.
    """

    text: str
    sentences: tuple[tuple[int, Span], ...]
    runs: tuple[tuple[int, int, int], ...]

    @cached_property
    def _starts(self) -> list[int]:
        return [run[0] for run in self.runs]

    def origin(self, span: Span) -> Span | None:
        """Where the first to the last word of a span stand in the file; None where none of it does."""
        first = last = None
        place = max(bisect_right(self._starts, span.start) - 1, 0)
        for at, start, end in self.runs[place:]:
            if at >= span.end:
                break
            begin, stop = max(span.start, at), min(span.end, at + end - start)
            if begin < stop:
                first = start + begin - at if first is None else first
                last = start + stop - at
        return None if first is None or last is None else Span(first, last)


class Renderer:
    """Renders passages of one document."""

    def __init__(self, text: str, sentences: Sequence[Span], structure: Structure, media_type: str) -> None:
        self._text = text
        self._sentences = sentences
        self._structure = structure
        self._marked_up = media_type in MARKED_UP
        self._plain = not self._marked_up and all(
            block.kind not in ("row", "header", "step", "item") for block in structure.blocks
        )

    def rendered(self, first: int, last: int, span: Span) -> Rendered:
        """Sentences `first` to `last`, of which `span` is the passage."""
        if self._plain and self._gapless(first, last):
            start, end = span
            spans = self._cut(first, last, span)
            return Rendered(
                self._text[start:end],
                tuple((number, Span(s.start - start, s.end - start)) for number, s in spans),
                ((0, start, end),),
            )
        parts: list[str] = []
        runs: list[tuple[int, int, int]] = []
        sentence_spans: list[tuple[int, Span]] = []
        length = 0
        if introduction := self._introduction(first):
            parts.append(introduction + "\n")
            length = len(parts[0])
        before: Span | None = None
        for number, place in self._cut(first, last, span):
            if before is not None:
                gap = self._text[before.end : place.start]
                gap = "\n" if gap.strip() or "\n" in gap or "\r" in gap else gap
                parts.append(gap)
                length += len(gap)
            begin = length
            for piece in self._pieces(number, place):
                if isinstance(piece, str):
                    parts.append(piece)
                    length += len(piece)
                else:
                    runs.append((length, *piece))
                    parts.append(self._text[slice(*piece)])
                    length += piece[1] - piece[0]
            sentence_spans.append((number, Span(begin, length)))
            before = place
        return Rendered("".join(parts), tuple(sentence_spans), tuple(runs))

    def text(self, first: int, last: int, span: Span) -> str:
        return self.rendered(first, last, span).text

    def _cut(self, first: int, last: int, span: Span) -> Iterator[tuple[int, Span]]:
        for number in range(first, last + 1):
            start, end = self._sentences[number]
            yield number, Span(max(start, span.start), min(end, span.end))

    def _gapless(self, first: int, last: int) -> bool:
        return self._gaps_before[last] == self._gaps_before[first]

    @cached_property
    def _gaps_before(self) -> list[int]:
        """Of each sentence, how often something that is never cited stands between two before it."""
        counts, end = [0], self._sentences[0].end if self._sentences else 0
        for start, stop in self._sentences[1:]:
            counts.append(counts[-1] + bool(self._text[end:start].strip()))
            end = stop
        return counts

    def _introduction(self, first: int) -> str:
        """What introduces the list that a passage begins in the middle of."""
        block = self._structure.block(first)
        if block.group is None or block.kind not in LISTED:
            return ""
        opening = self._structure.group(block.group)[0]
        if not opening.introduces or opening.last >= first:
            return ""
        start, end = self._sentences[opening.last]
        return self._text[start:end] if end - start <= LONGEST_INTRODUCTION else ""

    def _pieces(self, number: int, place: Span) -> Iterator[str | Run]:
        """What is read of a sentence: strings that are not in the file, and runs of the file."""
        block = self._structure.block(number)
        if block.kind in ("row", "header"):
            yield from self._row(block, place)
        elif self._marked_up and block.kind != "code":
            yield from unmarked(self._text, place)
        elif self._marked_up:
            yield from without_fences(self._text, place)
        else:
            yield place

    def _row(self, block: TextBlock, place: Span) -> Iterator[str | Run]:
        names, separator = self._columns(block)
        row = self._text[slice(*place)]
        between = ""
        for column, cell in enumerate(cells(row, separator)):
            if cell.start == cell.end:
                continue
            yield between
            if block.kind == "row" and column < len(names) and names[column]:
                yield names[column] + ": "
            where = Span(place.start + cell.start, place.start + cell.end)
            yield from unmarked(self._text, where) if self._marked_up else [where]
            between = " | "

    def _columns(self, block: TextBlock) -> tuple[list[str], str]:
        """The names of a table's columns, and what parts its cells."""
        key = -1 if block.group is None else block.group
        if key not in self._headers:
            blocks = self._structure.group(key) if block.group is not None else [block]
            header = next((each for each in blocks if each.kind == "header"), None)
            sample = header or blocks[0]
            row = self._text[slice(*self._sentences[sample.first])]
            separator = separator_of(row)
            names = [] if header is None else [_name(row[slice(*cell)]) for cell in cells(row, separator)]
            self._headers[key] = names, separator
        return self._headers[key]

    @cached_property
    def _headers(self) -> dict[int, tuple[list[str], str]]:
        return {}


def _name(cell: str) -> str:
    read = " ".join(bare(cell).split())
    return read if len(read) <= LONGEST_NAME else ""


def bare(text: str) -> str:
    """Text without its markup: `**Old** [light](a.md)` -> `Old light`."""
    return "".join(text[slice(*run)] for run in unmarked(text, Span(0, len(text))))


def unmarked(text: str, span: Span) -> Iterator[Run]:
    """The runs of a span that are not markup."""
    at = span.start
    for match in MARKUP.finditer(text, span.start, span.end):
        group = next((name for name in KEPT if match[name] is not None), None)
        if match.start() > at:
            yield at, match.start()
        if group and match.start(group) < match.end(group):
            yield match.span(group)
        at = match.end()
    if at < span.end:
        yield at, span.end


def without_fences(text: str, span: Span) -> Iterator[Run]:
    """Code without the lines that open and close it."""
    at = span.start
    for match in MARKUP.finditer(text, span.start, span.end):
        if match["fence"] is not None:
            if match.start() > at:
                yield at, match.start()
            at = match.end()
    if at < span.end:
        yield at, span.end
