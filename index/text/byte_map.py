"""How the text of a page, a chapter or a mail lies in the bytes of its file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.types import Span

Numbers = NDArray[np.uint32]
Places = NDArray[np.int64]  # one for each code point of the text; -1: no byte stands for it


class ByteMap(Struct, frozen=True, tag="byte"):
    """Runs of text and the bytes that they come from (`mapped`).

    In a run that is not atomic each code point takes the same number of bytes, so a cut inside is exact. An atomic run
    counts whole: the two code points of one entity, or a group of base64. Characters that no byte stands for, such as
    the line feed between two paragraphs, lie in no run.

    The arrays are little-endian and of one length: uint32 for places, uint8 for `atomic`.
    """

    text_start: bytes
    text_end: bytes
    byte_start: bytes
    byte_end: bytes
    atomic: bytes
    parts: tuple[tuple[int, str], ...] = ()  # from which run on the bytes are those of which member of a container

    @classmethod
    def of(cls, starts: Places, ends: Places, parts: Sequence[tuple[int, str]] = ()) -> ByteMap:
        """Make the map from the bytes [start, end) of each code point; `parts`: (first code point, member).

        Code points whose bytes overlap make an atomic run.
        """
        text_start, text_end, byte_start, byte_end, atomic = _runs(starts, ends, [first for first, _ in parts])
        return cls(
            text_start=text_start.astype("<u4").tobytes(),
            text_end=text_end.astype("<u4").tobytes(),
            byte_start=byte_start.astype("<u4").tobytes(),
            byte_end=byte_end.astype("<u4").tobytes(),
            atomic=atomic.astype("u1").tobytes(),
            parts=tuple((int(np.searchsorted(text_start, first)), name) for first, name in parts),
        )

    def segments(self, span: Span) -> list[tuple[int, int]]:
        """The bytes that the span comes from, in the order of the text, adjacent ones joined.

        Where the span goes on into another member, only those of the first.
        """
        text_start, text_end, byte_start, byte_end = (
            _numbers(column) for column in (self.text_start, self.text_end, self.byte_start, self.byte_end)
        )
        first, last = self._between(span)
        joined: list[tuple[int, int]] = []
        for run in range(first, last):
            start, end = int(byte_start[run]), int(byte_end[run])
            if not self.atomic[run]:
                width = (end - start) // int(text_end[run] - text_start[run])
                end -= max(0, int(text_end[run]) - span.end) * width
                start += max(0, span.start - int(text_start[run])) * width
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        return joined

    def part(self, span: Span) -> str | None:
        """The member of the container that the span starts in; None where the bytes are the file's own."""
        first = int(np.searchsorted(_numbers(self.text_end), span.start, "right"))
        return next((name for run, name in reversed(self.parts) if run <= first), None)

    def label(self, span: Span) -> str | None:  # noqa: ARG002  the same call on every map
        """No place in words: headings say more."""
        return None

    def ocr(self, span: Span) -> bool:  # noqa: ARG002
        return False

    def _between(self, span: Span) -> tuple[int, int]:
        """The runs that the span touches, up to the end of the member it starts in."""
        first = int(np.searchsorted(_numbers(self.text_end), span.start, "right"))
        last = int(np.searchsorted(_numbers(self.text_start), span.end, "left"))
        return first, min([last, *(run for run, _ in self.parts if run > first)])


def _numbers(packed: bytes) -> Numbers:
    return np.frombuffer(packed, dtype="<u4")


def _runs(
    starts: Places, ends: Places, cuts: Sequence[int]
) -> tuple[Places, Places, Places, Places, NDArray[np.bool_]]:
    """Text start and end, byte start and end, and whether atomic, of each run; `cuts`: where a run must begin."""
    mapped = np.flatnonzero(starts >= 0)
    if not len(mapped):
        empty = np.zeros(0, np.int64)
        return empty, empty, empty, empty, np.zeros(0, np.bool_)
    start, end = starts[mapped], ends[mapped]
    follows = np.diff(mapped, prepend=-2) == 1  # the code point before this one has bytes too
    cut = np.isin(mapped, np.asarray(cuts, np.int64))
    overlaps = follows & ~cut & (start < np.roll(end, 1)) & (end > np.roll(start, 1))
    groups = np.flatnonzero(~overlaps)
    sizes = np.diff(groups, append=len(mapped))
    first, last = np.minimum.reduceat(start, groups), np.maximum.reduceat(end, groups)
    width = np.where(sizes == 1, last - first, -1)
    goes_on = follows[groups] & ~cut[groups] & (first == np.roll(last, 1)) & (width == np.roll(width, 1)) & (width > 0)
    goes_on[0] = False
    heads = np.flatnonzero(~goes_on)
    tails = np.append(heads[1:], len(groups)) - 1
    text_start = mapped[groups[heads]]
    text_end = mapped[groups[tails] + sizes[tails] - 1] + 1
    return text_start, text_end, first[heads], last[tails], sizes[heads] > 1
