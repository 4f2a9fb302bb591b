"""DOCX: paragraphs in reading order, as Word shows them once all changes are accepted.

Start with `document`, which walks through the blocks; `text` reads a paragraph.
"""

from __future__ import annotations

from index.text.formats.docx.document import MEDIA_TYPE, extract

__all__ = ["MEDIA_TYPE", "extract"]
