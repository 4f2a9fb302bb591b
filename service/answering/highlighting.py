"""Highlights: the words of a quote that answer, without the markup around them."""

from __future__ import annotations

import re

from index.storage.contents import Content
from index.text.table_rows import cells, separator_of
from index.types import Span
from prompts.packing import Run

# What a highlight begins and ends with: a word, with the sign of an amount in front of it or behind.
WORDS = re.compile(r"(?:[$€£¥₹+−-](?=\d))?[^\W_](?:.*[^\W_])?(?:[%°€£‰](?!\w))?", re.DOTALL)


def highlight_span(span: Span, run: Run, content: Content) -> Span | None:
    """The words of a span; of a row of a table those of one cell. None where there is no word.

    `**12 EUR** |` -> `12 EUR`
    """
    if content.structure.block(run.last).kind == "row":
        span = _cell(span, run, content)
    found = WORDS.search(content.text, *span)
    return Span(*found.span()) if found else None


def cells_of(row: Span, content: Content) -> list[Span]:
    """Where the cells of a row stand in the text."""
    text = content.text[slice(*row)]
    return [Span(row.start + start, row.start + end) for start, end in cells(text, separator_of(text))]


def _cell(span: Span, run: Run, content: Content) -> Span:
    """What of a span lies in the cell that holds most of it."""
    shared = [Span(max(span.start, cell.start), min(span.end, cell.end)) for cell in cells_of(run.span, content)]
    return max(shared, key=lambda each: each.end - each.start, default=span)
