"""The straight lines on a page: rules of tables and above footnotes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from index.text.formats.pdf.glyphs import View
from index.text.maps import direction

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

MOST_OBJECTS = 20_000  # examined per page; a map can have millions of lines
MOST_SEGMENTS = 400  # of one path
MOST_RULES = 3_000
THICKEST = 3.0  # points; a thicker bar is a box
SHORTEST = 4.0  # points
Point = tuple[float, float]


class Rule(Struct, frozen=True):
    """A horizontal or vertical line: `start` to `stop` at the position `at`, in points of a frame."""

    upright: bool
    at: float
    start: float
    stop: float


def read(page: PdfPage, view: View) -> list[tuple[Point, Point]]:
    """The vertical and horizontal lines of the displayed page, each with its two ends."""
    from pypdfium2 import raw

    segments: list[tuple[Point, Point]] = []
    count = min(raw.FPDFPage_CountObjects(page.raw), MOST_OBJECTS)
    for number in range(count):
        drawn = raw.FPDFPage_GetObject(page.raw, number)
        if raw.FPDFPageObj_GetType(drawn) == raw.FPDF_PAGEOBJ_PATH:
            segments += _of_path(drawn, raw)
        if len(segments) > MOST_RULES:
            break
    if not segments:
        return []
    x, y = view.displayed(*np.asarray(segments, np.float64).reshape(-1, 2).T)
    ends = list(zip(x.tolist(), y.tolist(), strict=True))
    return list(zip(ends[::2], ends[1::2], strict=True))


def has_content(page: PdfPage) -> bool:
    """Whether anything is drawn on a page."""
    from pypdfium2 import raw

    return bool(raw.FPDFPage_CountObjects(page.raw) > 0)


def in_frame(lines: Sequence[tuple[Point, Point]], angle: int) -> list[Rule]:
    """Convert lines of the displayed page to a frame rotated by `angle`."""
    cos, sin = direction(angle)
    rules = []
    for (x0, y0), (x1, y1) in lines:
        u0, v0, u1, v1 = x0 * cos + y0 * sin, y0 * cos - x0 * sin, x1 * cos + y1 * sin, y1 * cos - x1 * sin
        if abs(v1 - v0) <= THICKEST and abs(u1 - u0) >= SHORTEST:
            rules.append(Rule(upright=False, at=(v0 + v1) / 2, start=min(u0, u1), stop=max(u0, u1)))
        elif abs(u1 - u0) <= THICKEST and abs(v1 - v0) >= SHORTEST:
            rules.append(Rule(upright=True, at=(u0 + u1) / 2, start=min(v0, v1), stop=max(v0, v1)))
    return rules


def _of_path(path: Any, raw: Any) -> Iterator[tuple[Point, Point]]:  # noqa: ANN401 - pointers of ctypes
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not raw.FPDFPageObj_GetBounds(path, left, bottom, right, top):
        return
    width, height = right.value - left.value, top.value - bottom.value
    if min(width, height) <= THICKEST:
        x, y = (left.value + right.value) / 2, (bottom.value + top.value) / 2
        if width >= height:
            yield (left.value, y), (right.value, y)
        else:
            yield (x, bottom.value), (x, top.value)
        return
    mode, stroked = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(path, mode, stroked)
    if stroked.value and 2 <= raw.FPDFPath_CountSegments(path) <= MOST_SEGMENTS:
        yield from _segments(path, raw)


def _segments(path: Any, raw: Any) -> Iterator[tuple[Point, Point]]:  # noqa: ANN401
    """The straight parts of a stroked path, in the coordinates of the page."""
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(path, matrix)
    first = last = (0.0, 0.0)
    for number in range(raw.FPDFPath_CountSegments(path)):
        segment = raw.FPDFPath_GetPathSegment(path, number)
        x, y = ctypes.c_float(), ctypes.c_float()
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield last, point
        if raw.FPDFPathSegment_GetClose(segment):
            yield point, first
        last = point
