"""Opens PDFs: clear errors for unreadable files, and the limits for all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.errors import DamagedFile, EmptyDocument, EncryptedFile

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MEDIA_TYPE = "application/pdf"
MOST_PAGES = 5_000
MOST_CHARACTERS = 20_000_000  # for a whole document
MOST_ON_A_PAGE = 200_000
LONGEST_READING = 300.0  # seconds for a whole document; checked between pages
PDFIUM = threading.RLock()  # PDFium has process-wide state: one caller at a time


@contextmanager
def opened(data: bytes, source: str) -> Iterator[PdfDocument]:
    """Open a document with at least one page, exclusively. Raises DocumentError."""
    import pypdfium2
    from pypdfium2 import raw

    if not data:
        raise EmptyDocument(source=source, reason=": the file is empty")
    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
                raise EncryptedFile(source=source) from error
            raise DamagedFile(source=source, reason="it cannot be read as a PDF") from error
        try:
            if len(document) == 0:
                raise EmptyDocument(source=source, reason=": it has no pages")
            yield document
        finally:
            document.close()
