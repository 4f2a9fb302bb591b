"""Recognises text in page images with RapidOCR, if the extra `ocr` is installed; its wheel includes the models.

Lines have positions; the characters of a line share its width evenly.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from index.text.formats.pdf.words import ASCENT, DESCENT, Frame, Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfPage

DOTS = 200 / 72  # pixels per point
MOST_PIXELS = 40_000_000
SURE = 0.5  # least score of an accepted line
BOX_HEIGHT, BOX_MARGIN = 1.2, 0.14  # em: the height of the box that is found around a line, and its margin


def is_installed() -> bool:
    return find_spec("rapidocr") is not None


def read(page: PdfPage, size: tuple[float, float]) -> tuple[Frame, list[Word]] | None:
    """The text in a page image; None if there is none, or OCR is not installed."""
    if not is_installed():
        return None
    scale = min(DOTS, (MOST_PIXELS / max(1.0, size[0] * size[1])) ** 0.5)
    bitmap = page.render(scale=scale, may_draw_forms=False)
    result = _engine()(bitmap.to_numpy())
    if result.boxes is None or not result.txts:
        return None
    lines = [
        (text, np.asarray(corners, np.float64) / scale)
        for text, corners, score in zip(result.txts, result.boxes, result.scores, strict=True)
        if score >= SURE and text.strip()
    ]
    return _frame(lines) if lines else None


@cache
def _engine() -> Any:  # noqa: ANN401 - it has no types
    from rapidocr import RapidOCR

    # The classifier for upside-down lines has false positives, which would be read as nonsense.
    return RapidOCR(params={"Global.use_cls": False, "Global.log_level": "error"})


def _frame(lines: list[tuple[str, Any]]) -> tuple[Frame, list[Word]]:
    text = "".join(line for line, _ in lines)
    left, right, base = np.empty(len(text)), np.empty(len(text)), np.empty(len(text))
    words: list[Word] = []
    start = 0
    for line, corners in lines:
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        size = (y1 - y0) / BOX_HEIGHT
        margin = min(BOX_MARGIN * size, (x1 - x0) / 4)
        edges = np.linspace(x0 + margin, x1 - margin, len(line) + 1)
        stop = start + len(line)
        left[start:stop], right[start:stop] = edges[:-1], edges[1:]
        base[start:stop] = (y0 + y1) / 2 + (ASCENT - DESCENT) / 2 * size
        words += _words(line, start, edges, float(base[start]), size)
        start = stop
    return Frame(0, text, left, right, base), words


def _words(line: str, start: int, edges: Any, base: float, size: float) -> Iterator[Word]:  # noqa: ANN401
    bounds = [-1, *(number for number, character in enumerate(line) if character.isspace()), len(line)]
    for before, end in pairwise(bounds):
        first = before + 1
        if first < end:
            yield Word(
                start + first,
                start + end,
                line[first:end],
                float(edges[first]),
                float(edges[end]),
                base,
                size,
                bold=False,
                mono=False,
                spaced=True,
                gap=0.15 * size,
            )
