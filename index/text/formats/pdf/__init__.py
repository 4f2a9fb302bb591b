"""PDF: text with its place on the page, one box a line, found from the characters alone.

Start with `reading`, which names the steps; `render` makes the picture of a page that boxes are laid over.
"""

from __future__ import annotations

from index.text.formats.pdf.documents import MEDIA_TYPE
from index.text.formats.pdf.reading import extract
from index.text.formats.pdf.rendering import render

__all__ = ["MEDIA_TYPE", "extract", "render"]
