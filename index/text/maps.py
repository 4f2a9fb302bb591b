"""How a document's text lies in its file, where the text is not the file itself: one kind of map for each anchor.

A map answers for a span of the text: in which part of the file it stands, what the place is called, and where exactly.
"""

from __future__ import annotations

from array import array

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.types import Span

Numbers = NDArray[np.uint32]


class BlockPlace(Struct, frozen=True):
    """Code points of a paragraph, shape or cell: part `word/document.xml`, path (12,), code points 0 to 48."""

    part: str
    path: tuple[int, ...]
    codepoint: Span


class BlockMap(Struct, frozen=True, tag="block"):
    """Which paragraph, shape or cell each range of the text is the text of.

    Ranges lie in the order of the text and don't overlap; generated characters (line feeds and tabs between them) lie
    in none. Arrays are packed as little-endian uint32, so that a sheet of a million cells stays small.
    """

    starts: bytes  # [ranges]: where the text of a paragraph or cell starts
    ends: bytes  # [ranges]
    paths: bytes  # [ranges, depth]
    depth: int
    parts: tuple[str, ...]  # members of the container
    part_numbers: bytes  # [ranges]: which of `parts`
    labels: tuple[str | None, ...]
    label_numbers: bytes  # [ranges]: which of `labels`

    def places(self, span: Span) -> list[BlockPlace]:
        """Each range that `span` touches, in the order of the text; code points count in the text at that path."""
        return [self._place(each, span) for each in self._touched(span)]

    def part(self, span: Span) -> str | None:
        """The member of the container in which the span starts."""
        return next((self._part(each) for each in self._touched(span)), None)

    def label(self, span: Span) -> str | None:
        """The place in words: "slide 4", "Prices, row 7"."""
        numbers = _numbers(self.label_numbers)
        return next((label for each in self._touched(span) if (label := self.labels[int(numbers[each])])), None)

    def ocr(self, span: Span) -> bool:  # noqa: ARG002
        """Whether the text was recognised in a picture: never here."""
        return False

    def _place(self, number: int, span: Span) -> BlockPlace:
        start, end = int(_numbers(self.starts)[number]), int(_numbers(self.ends)[number])
        path = _numbers(self.paths)[number * self.depth : (number + 1) * self.depth]
        codepoint = Span(max(span.start, start) - start, min(span.end, end) - start)
        return BlockPlace(part=self._part(number), path=tuple(path.tolist()), codepoint=codepoint)

    def _part(self, number: int) -> str:
        return self.parts[int(_numbers(self.part_numbers)[number])]

    def _touched(self, span: Span) -> range:
        if span.start >= span.end:
            return range(0)
        first = int(np.searchsorted(_numbers(self.ends), np.uint32(span.start), side="right"))
        behind = int(np.searchsorted(_numbers(self.starts), np.uint32(span.end), side="left"))
        return range(first, max(first, behind))


class BlockMapBuilder:
    """Collects the ranges of a BlockMap, in the order of the text."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.starts, self.ends, self.paths = array("I"), array("I"), array("I")
        self.part_numbers, self.label_numbers = array("I"), array("I")
        self.parts: dict[str, int] = {}
        self.labels: dict[str | None, int] = {}

    def add(self, span: Span, part: str, path: tuple[int, ...], label: str | None) -> None:
        """The text at `span` is all the text of what stands at `path` in `part`."""
        self.starts.append(span.start)
        self.ends.append(span.end)
        self.paths.extend(path)
        self.part_numbers.append(self.parts.setdefault(part, len(self.parts)))
        self.label_numbers.append(self.labels.setdefault(label, len(self.labels)))

    def build(self) -> BlockMap:
        return BlockMap(
            starts=_packed(self.starts),
            ends=_packed(self.ends),
            paths=_packed(self.paths),
            depth=self.depth,
            parts=tuple(self.parts),
            part_numbers=_packed(self.part_numbers),
            labels=tuple(self.labels),
            label_numbers=_packed(self.label_numbers),
        )


def _numbers(packed: bytes) -> Numbers:
    return np.frombuffer(packed, dtype="<u4")


def _packed(numbers: array[int]) -> bytes:
    return np.array(numbers, dtype="<u4").tobytes()
