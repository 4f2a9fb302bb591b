"""A document under construction: text, blocks and map are built together, so positions are never searched for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from index.errors import EmptyDocument, UnpackedTooLarge
from index.text.maps import BlockMapBuilder
from index.types import Block, BlockKind, Extracted, Span

LARGEST_TEXT = 100_000_000  # code points
LONGEST_HEADING = 200  # code points; a longer one is body text in large letters
SENTENCE = re.compile(r"(?:\S+\s+){12}.*[.;:!?]", re.DOTALL)  # a clause in a heading style
HARD_BREAK = re.compile(r"\n\s*")
INTRODUCTION = re.compile(r"[:：]\s*$")
UNSEEN = str.maketrans("", "", "\u00ad\ufeff")  # soft hyphens and byte-order marks, which would split words


class Piece(NamedTuple):
    """The complete text of a paragraph, shape or cell, and its position in the file."""

    text: str
    part: str
    path: tuple[int, ...]


class Draft:
    """Collects blocks in reading order. `depth`: the length of paths."""

    def __init__(self, source: str, depth: int) -> None:
        self.source = source
        self.texts: list[str] = []
        self.length = 0
        self.blocks: list[Block] = []
        self.path: list[tuple[int, str]] = []  # headings above, with their levels
        self.map = BlockMapBuilder(depth)
        self.groups = 0

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(title for _, title in self.path)

    def heading(self, piece: Piece, level: int, number: str | None = None, label: str | None = None) -> None:
        """Add a heading. `number`: the one that the file's program displays before it."""
        title = " ".join(piece.text.split())
        self.open(level, f"{number} {title}" if number else title)
        self.add([piece], "heading", level=level, label=label)

    def open(self, level: int, title: str) -> None:
        """Start a section with a title that is not in the text, such as the name of a sheet."""
        self.path = [*(above for above in self.path if above[0] < level), (level, title)]

    def add(
        self,
        pieces: Sequence[Piece | str],
        kind: BlockKind = "paragraph",
        *,
        level: int = 0,
        group: int | None = None,
        label: str | None = None,
        headings: tuple[str, ...] | None = None,
    ) -> None:
        """Add pieces, with generated strings between them, as a block; nothing if all are blank.

        A line break inside a paragraph ends a block, unless the next line starts in lower case: prose does, verse does
        not.
        """
        text = "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)
        if not text.strip():
            return
        if self.texts:
            self._write("\n" if group is not None and self.blocks[-1].group == group else "\n\n")
        start = end = self.length
        self._write(text)
        for piece in pieces:
            if isinstance(piece, str):
                end += len(piece)
            elif piece.text:
                begin, end = end, end + len(piece.text)
                self.map.add(Span(begin, end), piece.part, piece.path, label)
        above = self.headings if headings is None else headings
        for span in _lines(text, start) if kind == "paragraph" else [_stripped(text, start)]:
            self.blocks.append(Block(span=span, headings=above, kind=kind, group=group, level=level, label=label))

    def numbered(self, displayed: str) -> str | None:
        """The label of a numbered paragraph: `§ Notice period, 4.2`. `displayed`: the number before it."""
        number = displayed.removesuffix(".")
        if not number:
            return None
        return f"§ {self.path[-1][1]}, {number}" if self.path else number

    def start_group(self) -> int:
        """The number of a list or table that starts here; a caption above it, or a line with a colon, belongs to it."""
        self.groups += 1
        if self.blocks and self.blocks[-1].group is None:
            above = self.blocks[-1]
            introduces = above.kind == "paragraph" and INTRODUCTION.search(self.texts[-1]) is not None
            if introduces or above.kind == "caption":
                self.blocks[-1] = replace(above, group=self.groups, introduces=introduces)
        return self.groups

    def finish(
        self,
        media_type: str,
        properties: dict[str, str],
        *,
        title: str | None = None,
        notices: Sequence[str] = (),
        empty: str = "",
    ) -> Extracted:
        """The finished document; `title` overrides the one in the properties. Raises EmptyDocument."""
        if not self.blocks:
            raise EmptyDocument(source=self.source, reason=empty)
        meta = {name: value for name, value in properties.items() if name != "title"}
        date = properties.get("modified") or properties.get("created")
        return Extracted(
            text="".join(self.texts),
            encoding="utf-8",
            bom=0,
            guessed=False,
            media_type=media_type,
            title=title or properties.get("title"),
            blocks=tuple(self.blocks),
            anchor="block",
            date=date[:10] if date else None,
            map=self.map.build(),
            meta=meta,
            notices=tuple(notices),
        )

    def _write(self, text: str) -> None:
        self.texts.append(text)
        self.length += len(text)
        if self.length > LARGEST_TEXT:
            raise UnpackedTooLarge(source=self.source, part="the text", limit=LARGEST_TEXT, unit="code points")


def is_title(text: str) -> bool:
    """Whether a paragraph in a heading style is really a heading, not a clause of a contract."""
    return len(text) <= LONGEST_HEADING and not SENTENCE.fullmatch(text.strip())


def visible(text: str) -> str:
    """Text without soft hyphens and other invisible characters that split words."""
    return text if text.isascii() else text.translate(UNSEEN)


def _lines(text: str, start: int) -> Iterator[Span]:
    begin = 0
    for match in HARD_BREAK.finditer(text):
        if text[begin : match.start()].strip() and not text[match.end() : match.end() + 1].islower():
            yield _stripped(text[begin : match.start()], start + begin)
            begin = match.end()
    if text[begin:].strip():
        yield _stripped(text[begin:], start + begin)


def _stripped(text: str, start: int) -> Span:
    return Span(start + len(text) - len(text.lstrip()), start + len(text.rstrip()))
