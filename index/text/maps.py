"""Maps from a document's text to its file, for formats whose text is not the file itself. One class per anchor.

For a span of the text, a map returns the part of the file, a label of the position, and the exact position.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.text.byte_map import ByteMap
from index.types import Span

__all__ = [
    "BlockMap",
    "BlockMapBuilder",
    "BlockPlace",
    "Box",
    "ByteMap",
    "PageBoxes",
    "PageMap",
    "PageMapBuilder",
    "direction",
]

Numbers = NDArray[np.uint32]
Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 from the top left of the displayed page, in points


class BlockPlace(Struct, frozen=True):
    """A range of code points in a paragraph, shape or cell: part `word/document.xml`, path (12,), 0 to 48."""

    part: str
    path: tuple[int, ...]
    codepoint: Span


class BlockMap(Struct, frozen=True, tag="block"):
    """Maps ranges of the text to paragraphs, shapes or cells.

    Ranges are sorted and disjoint; generated characters (line feeds and tabs between them) are in none. Arrays are
    packed as little-endian uint32, so that a sheet of a million cells stays small.
    """

    starts: bytes  # [ranges]: start of a paragraph or cell in the text
    ends: bytes  # [ranges]
    paths: bytes  # [ranges, depth]
    depth: int
    parts: tuple[str, ...]  # members of the container
    part_numbers: bytes  # [ranges]: index into `parts`
    labels: tuple[str | None, ...]
    label_numbers: bytes  # [ranges]: index into `labels`

    def places(self, span: Span) -> list[BlockPlace]:
        """Each range that `span` touches, in order. Code points count within the text at that path."""
        return [self._place(each, span) for each in self._touched(span)]

    def part(self, span: Span) -> str | None:
        """The member of the container in which the span starts."""
        return next((self._part(each) for each in self._touched(span)), None)

    def label(self, span: Span) -> str | None:
        """A label of the position: "slide 4", "Prices, row 7"."""
        numbers = _numbers(self.label_numbers)
        return next((label for each in self._touched(span) if (label := self.labels[int(numbers[each])])), None)

    def segments(self, span: Span) -> list[tuple[int, int]]:  # noqa: ARG002
        """Text of XML members has no bytes of the file."""
        return []

    def ocr(self, span: Span) -> bool:  # noqa: ARG002
        """Whether the text was recognised in an image: never here."""
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
    """Builds a BlockMap from ranges in text order."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.ranges = array("I")  # rows of start, end, part number, label number, path
        self.parts: dict[str, int] = {}
        self.labels: dict[str | None, int] = {}

    def add(self, span: Span, part: str, path: tuple[int, ...], label: str | None) -> None:
        """Record that `span` is the complete text at `path` in `part`."""
        part_number = self.parts.setdefault(part, len(self.parts))
        label_number = self.labels.setdefault(label, len(self.labels))
        self.ranges.extend((*span, part_number, label_number, *path))

    @property
    def last_path(self) -> tuple[int, ...]:
        """The path of the last range, () if there is none."""
        return tuple(self.ranges[-self.depth :])

    def build(self) -> BlockMap:
        rows = np.array(self.ranges, dtype="<u4").reshape(-1, 4 + self.depth)
        starts, ends, part_numbers, label_numbers = (column.tobytes() for column in rows.T[:4])
        return BlockMap(
            starts=starts,
            ends=ends,
            paths=rows[:, 4:].tobytes(),
            depth=self.depth,
            parts=tuple(self.parts),
            part_numbers=part_numbers,
            labels=tuple(self.labels),
            label_numbers=label_numbers,
        )


class PageBoxes(Struct, frozen=True):
    """The position of a span on one page: one box per line, in reading order."""

    page: int  # from 1
    width: float  # of the page as displayed: rotation and crop box applied; points
    height: float
    boxes: list[Box]


class PageMap(Struct, frozen=True, tag="page"):
    """Maps each code point of the text to its position on a page.

    A line has a direction, an upper and a lower bound; along it, each code point extends from one edge to the next. A
    run is a stretch of text on one line; generated text (the space between two lines) is in none. Arrays are packed
    little-endian. Edges are stored as differences, which compress well because letter widths repeat.
    """

    sizes: bytes  # float32 [pages, 2] width and height
    recognised: bytes  # uint8 [pages]: 1 if the text was recognised in an image
    line_pages: bytes  # uint32 [lines], from 0
    line_angles: bytes  # uint16 [lines], degrees clockwise: 0 is left to right, 90 downwards
    line_bounds: bytes  # float32 [lines, 3] upper bound, lower bound, origin of the edges
    run_starts: bytes  # uint32 [runs]: the first code point
    run_lengths: bytes  # uint32 [runs]
    run_lines: bytes  # uint32 [runs]
    edges: bytes  # int16 [code points of all runs + runs]: first edge of a run, then differences
    unit: float  # points per unit of difference

    def pages(self, span: Span) -> list[PageBoxes]:
        """The pages that `span` touches, in order, each with its boxes."""
        boxes: dict[int, Box] = {}
        for run in self._touched(span):
            line = int(_numbers(self.run_lines)[run])
            box = self._box(run, line, span)
            boxes[line] = _around(boxes[line], box) if line in boxes else box
        pages: dict[int, list[Box]] = {}
        for line, box in boxes.items():
            pages.setdefault(int(_numbers(self.line_pages)[line]), []).append(box)
        sizes = np.frombuffer(self.sizes, "<f4").reshape(-1, 2)
        return [
            PageBoxes(page + 1, _rounded(sizes[page, 0]), _rounded(sizes[page, 1]), spans)
            for page, spans in pages.items()
        ]

    def label(self, span: Span) -> str | None:
        """A label of the position: "page 3", "pages 3–4"."""
        lines = [int(_numbers(self.run_lines)[run]) for run in self._touched(span)]
        pages = [int(_numbers(self.line_pages)[line]) + 1 for line in lines]
        if not pages:
            return None
        return f"page {pages[0]}" if len(set(pages)) == 1 else f"pages {min(pages)}–{max(pages)}"

    def part(self, span: Span) -> str | None:  # noqa: ARG002
        """A PDF has no members."""
        return None

    def segments(self, span: Span) -> list[tuple[int, int]]:  # noqa: ARG002
        """A page is drawn; no bytes of the file are its text."""
        return []

    def ocr(self, span: Span) -> bool:
        """Whether any of the text was recognised in an image."""
        lines = _numbers(self.run_lines)[self._touched(span)]
        return bool(np.frombuffer(self.recognised, np.uint8)[_numbers(self.line_pages)[lines]].any())

    def _touched(self, span: Span) -> list[int]:
        if span.start >= span.end:
            return []
        starts = _numbers(self.run_starts)
        first = max(0, int(np.searchsorted(starts, np.uint32(span.start), side="right")) - 1)
        behind = int(np.searchsorted(starts, np.uint32(span.end), side="left"))
        ends = starts[first:behind] + _numbers(self.run_lengths)[first:behind]
        return (np.flatnonzero(ends > span.start) + first).tolist()

    def _box(self, run: int, line: int, span: Span) -> Box:
        """The part of a run inside the span."""
        start, length = int(_numbers(self.run_starts)[run]), int(_numbers(self.run_lengths)[run])
        offset = int(_numbers(self.run_lengths)[:run].sum(dtype=np.int64)) + run
        steps = np.frombuffer(self.edges, "<i2", count=length + 1, offset=2 * offset)
        edges = steps.cumsum(dtype=np.int64)[max(span.start, start) - start : min(span.end, start + length) - start + 1]
        upper, lower, origin = np.frombuffer(self.line_bounds, "<f4").reshape(-1, 3)[line].tolist()
        left, right = origin + int(edges.min()) * self.unit, origin + int(edges.max()) * self.unit
        return turned((left, upper, right, lower), int(np.frombuffer(self.line_angles, "<u2")[line]))


class PageMapBuilder:
    """Builds a PageMap from lines and then runs, both in text order."""

    FINEST = 0.05  # points; a tenth of what is visible

    def __init__(self, sizes: Sequence[tuple[float, float]], recognised: Sequence[bool]) -> None:
        self.sizes, self.recognised = sizes, recognised
        largest = max((side for size in sizes for side in size), default=0.0)
        self.unit = max(self.FINEST, largest / 16_000)  # so that any difference fits, between edges a page apart
        self.lines: list[tuple[int, int]] = []
        self.bounds: list[tuple[float, float, float]] = []

    def add_line(self, page: int, angle: int, upper: float, lower: float, origin: float) -> int:
        """Add a line of a page (from 0), in points of the page rotated by `angle`; returns its number."""
        self.lines.append((page, angle))
        self.bounds.append((upper, lower, origin))
        return len(self.lines) - 1

    def build(self, starts: Sequence[int], lengths: Sequence[int], lines: Sequence[int], edges: Floats) -> PageMap:
        """The map, from runs: first code point, number of code points, line, and one edge more than code points.

        `edges`: of all runs in sequence, in points along their lines.
        """
        line_numbers = np.asarray(lines, np.int64)
        counts = np.asarray(lengths, np.int64) + 1
        origins = np.asarray(self.bounds, np.float64).reshape(-1, 3)[line_numbers, 2]
        steps = np.diff(np.rint((edges - np.repeat(origins, counts)) / self.unit), prepend=0.0)
        firsts = np.cumsum(counts) - counts
        steps[firsts] = np.rint((edges[firsts] - origins) / self.unit)
        pages_and_angles = np.asarray(self.lines, np.uint32).reshape(-1, 2)
        return PageMap(
            sizes=np.array(self.sizes, "<f4").tobytes(),
            recognised=np.array(self.recognised, np.uint8).tobytes(),
            line_pages=pages_and_angles[:, 0].astype("<u4").tobytes(),
            line_angles=pages_and_angles[:, 1].astype("<u2").tobytes(),
            line_bounds=np.array(self.bounds, "<f4").tobytes(),
            run_starts=np.asarray(starts, "<u4").tobytes(),
            run_lengths=np.asarray(lengths, "<u4").tobytes(),
            run_lines=line_numbers.astype("<u4").tobytes(),
            edges=steps.astype("<i2").tobytes(),
            unit=self.unit,
        )


def direction(angle: int) -> tuple[float, float]:
    """Cosine and sine of degrees, exact for quarter turns."""
    if angle % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[angle // 90 % 4]
    return math.cos(math.radians(angle)), math.sin(math.radians(angle))


def turned(box: Box, angle: int) -> Box:
    """A box of a page rotated back by `angle`, as displayed: the smallest enclosing upright box."""
    cos, sin = direction(angle)
    corners = [(u * cos - v * sin, u * sin + v * cos) for u in box[::2] for v in box[1::2]]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return _rounded(min(xs)), _rounded(min(ys)), _rounded(max(xs)), _rounded(max(ys))


def _around(box: Box, other: Box) -> Box:
    """The smallest box around both."""
    return min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3])


def _rounded(points: float) -> float:
    return round(float(points), 2)


def _numbers(packed: bytes) -> Numbers:
    return np.frombuffer(packed, dtype="<u4")
