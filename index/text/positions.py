"""Converts positions of code points to UTF-16 units and to bytes of the file, by counting, never by searching."""

from __future__ import annotations

from array import array
from bisect import bisect_right

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.text.decoding import MULTIBYTE
from index.types import SourceMap, Span

RUN_BYTES = 17  # a run of a map: its start in both units, and its width

Points = NDArray[np.uint8] | NDArray[np.uint32]
Widths = NDArray[np.int8]


class Ranges(Struct, frozen=True):
    """A span in three units, each half-open."""

    codepoint: Span
    utf16: tuple[int, int]
    byte: tuple[int, int] | None  # None where no bytes of the file are the text


class PositionMap:
    """The position map of a document. Stores runs of equal width, so its size grows with the runs, not the text.

    >>> PositionMap("aé😀b", "utf-8", bom=3).byte(3), PositionMap("aé😀b", "utf-8", bom=3).utf16(3)
    (10, 4)
    """

    def __init__(self, text: str, encoding: str, bom: int = 0, source_map: SourceMap | None = None) -> None:
        """`source_map`: how the text lies in the file, where it is not the file."""
        points = _points(text)
        self._map = source_map
        self._utf16 = _Runs(_utf16_widths(points))
        self._byte = _Runs(_byte_widths(points, encoding) if source_map is None else _ones(points), origin=bom)

    def utf16(self, codepoint: int) -> int:
        return self._utf16.at(codepoint)

    def byte(self, codepoint: int) -> int:
        return self._byte.at(codepoint)

    def ranges(self, span: Span) -> Ranges:
        """The span in code points, UTF-16 units and bytes. Raises IndexError if it leaves the text."""
        start, end = span
        return Ranges(codepoint=span, utf16=(self.utf16(start), self.utf16(end)), byte=self.bytes(span))

    def bytes(self, span: Span) -> tuple[int, int] | None:
        """From the first byte of the file that the span comes from to the last; None where there are no such bytes."""
        if self._map is None:
            return self.byte(span.start), self.byte(span.end)
        segments = self._map.segments(span)
        return (min(start for start, _ in segments), max(end for _, end in segments)) if segments else None


def byte_offsets(text: str, encoding: str, bom: int = 0) -> NDArray[np.int64]:
    """The byte offset of each code point, and the end of the last: [len(text) + 1]."""
    return np.concatenate([[0], np.cumsum(_byte_widths(_points(text), encoding), dtype=np.int64)]) + bom


class _Runs:
    """Runs of code points of one width, with their starts in both units."""

    def __init__(self, widths: Widths, origin: int = 0) -> None:
        starts = np.flatnonzero(np.diff(widths, prepend=np.int8(0)))  # no width is 0, so the first run counts
        sizes = np.diff(starts, append=len(widths)) * widths[starts].astype(np.int64)
        self.length = len(widths)
        self.end = origin + int(sizes.sum())
        self.starts = array("q", starts.astype(np.int64).tobytes())
        self.targets = array("q", (np.cumsum(sizes) - sizes + origin).tobytes())
        self.widths = array("b", widths[starts].tobytes())

    def at(self, codepoint: int) -> int:
        if not 0 <= codepoint <= self.length:
            raise IndexError(f"code point {codepoint} of {self.length}")
        if codepoint == self.length:
            return self.end
        run = bisect_right(self.starts, codepoint) - 1
        first: int = self.targets[run]
        return first + (codepoint - self.starts[run]) * self.widths[run]


def _points(text: str) -> Points:
    """The code points, in the smallest integer type that holds them."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _utf16_widths(points: Points) -> Widths:
    return _ones(points) + (points > 0xFFFF)


def _ones(points: Points) -> Widths:
    return np.ones(len(points), np.int8)


def _byte_widths(points: Points, encoding: str) -> Widths:
    """The bytes of each code point: int8, one or more."""
    if encoding == "utf-8":
        return _ones(points) + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
    if encoding.startswith("utf-16-"):
        return 2 * _utf16_widths(points)
    if encoding.startswith("utf-32-"):
        return 4 * _ones(points)
    if encoding not in MULTIBYTE:
        return _ones(points)
    # `decode` has verified that the text encodes to the file, and these codecs are stateless.
    distinct, where = np.unique(points, return_inverse=True)
    return np.array([len(chr(point).encode(encoding)) for point in distinct], np.int8)[where]
