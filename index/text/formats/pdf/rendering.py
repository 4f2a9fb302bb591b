"""Renders a page as an image, with the library that also reads it, so boxes fit by construction."""

from __future__ import annotations

import io
import math

from index.errors import DamagedFile, PageNotFound
from index.text.formats.pdf.documents import opened
from index.types import Picture, PictureFormat

WIDEST, NARROWEST = 3_000, 16  # pixels
MOST_PIXELS = 24_000_000
LONGEST = 12_000  # pixels per side; a limit of WebP


def render(data: bytes, page: int, width: int, format: PictureFormat = "webp", source: str = "") -> Picture:  # noqa: A002
    """Page number `page` (from 1) as a picture `width` pixels wide. Raises DocumentError, PageNotFound."""
    import pypdfium2

    with opened(data, source) as document:
        if not 1 <= page <= len(document):
            raise PageNotFound(source=source, page=page, pages=len(document))
        try:
            sheet = document[page - 1]
            across, down = sheet.get_size()
            image = sheet.render(scale=_scale(across, down, width)).to_pil()
        except pypdfium2.PdfiumError as error:
            raise DamagedFile(source=source, reason=f"page {page} cannot be drawn") from error
        encoded = io.BytesIO()
        if format == "webp":
            image.save(encoded, "webp", quality=80, method=2)
        else:
            image.save(encoded, "png", compress_level=3)
        return Picture(encoded.getvalue(), f"image/{format}", across, down, len(document))


def _scale(across: float, down: float, width: int) -> float:
    """Pixels per point."""
    wanted = max(NARROWEST, min(width, WIDEST)) / max(across, 1)
    return min(wanted, LONGEST / max(across, down, 1), math.sqrt(MOST_PIXELS / max(across * down, 1)))
