"""A page as a picture, from the same library that reads it: boxes fit by construction."""

from __future__ import annotations

import io
from typing import Literal

from msgspec import Struct

from index.errors import PageNotFound
from index.text.formats.pdf.documents import opened

Format = Literal["webp", "png"]
WIDEST, NARROWEST = 3_000, 16  # pixels
MOST_PIXELS = 24_000_000


class Picture(Struct, frozen=True):
    """A page as displayed: rotation and crop box applied."""

    data: bytes
    media_type: str
    width: float  # of the page, in points
    height: float
    pages: int  # of the document


def render(data: bytes, page: int, width: int, format: Format = "webp", source: str = "") -> Picture:  # noqa: A002
    """Page number `page` (from 1) as a picture `width` pixels wide. Raises DocumentError, PageNotFound."""
    with opened(data, source) as document:
        if not 1 <= page <= len(document):
            raise PageNotFound(source=source, page=page, pages=len(document))
        sheet = document[page - 1]
        try:
            points = sheet.get_size()
            scale = max(NARROWEST, min(width, WIDEST)) / points[0]
            scale = min(scale, (MOST_PIXELS / (points[0] * points[1])) ** 0.5)
            bitmap = sheet.render(scale=scale)
            image = bitmap.to_pil()
        finally:
            sheet.close()
        encoded = io.BytesIO()
        if format == "webp":
            image.save(encoded, "webp", quality=80, method=2)
        else:
            image.save(encoded, "png", compress_level=3)
        return Picture(encoded.getvalue(), f"image/{format}", points[0], points[1], len(document))
