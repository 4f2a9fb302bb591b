"""Text fragments: links that make a browser scroll to a quote (WICG Scroll to Text Fragment).

A browser looks for the text that a page shows, without the markup that the page was made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import quote as percent_encoded

import regex

from index.storage.contents import Content
from index.text.list_markers import MARKER
from index.text.rendering import MARKED_UP, bare, without_fences
from index.text.table_rows import GAP, cells
from index.types import Span
from prompts.packing import Run

WORDS = 3  # at each end
LONGEST_WHOLE = 60  # code points; shorter quotes are in the fragment completely
WORD = regex.compile(r"\S+")
GRAPHEME = regex.compile(r"\X")


def text_fragment(blocks: Sequence[str]) -> str:
    """The fragment for the text of each block that a quote touches; neither end of it may cross two blocks.

    ["It was the best of times"] -> "#:~:text=It%20was%20the%20best%20of%20times"
    """
    first, last = WORD.findall(blocks[0]), WORD.findall(blocks[-1])
    if len(blocks) > 1:
        ends = [" ".join(first[:WORDS]), " ".join(last[-WORDS:])]
    elif len(blocks[0]) <= LONGEST_WHOLE or len(first) <= 2 * WORDS:
        ends = ["".join(GRAPHEME.findall(blocks[0])[:LONGEST_WHOLE])] if len(first) == 1 else [" ".join(first)]
    else:
        ends = [" ".join(first[:WORDS]), " ".join(first[-WORDS:])]
    return "#:~:text=" + ",".join(percent_encoded(end, safe="").replace("-", "%2D") for end in ends)


def shown(run: Run, content: Content) -> list[str]:
    """What a browser shows of a quote, block by block: a table's cells, text without link targets and marks."""
    quote = content.text[slice(*run.span)]
    if content.document.media_type not in MARKED_UP:
        return [quote]
    return [text for text in _shown(run, content) if text.strip()] or [quote]


def _shown(run: Run, content: Content) -> Iterator[str]:
    text, sentences, block_of = content.text, content.sentences, content.structure.block
    for block, numbers in groupby(range(run.first, run.last + 1), block_of):
        of_block = list(numbers)
        span = Span(max(run.span.start, sentences[of_block[0]].start), min(run.span.end, sentences[of_block[-1]].end))
        part = text[slice(*span)]
        if block.kind in ("row", "header"):
            separator = "|" if "|" in part else GAP
            yield from (bare(part[slice(*cell)]).replace(r"\|", "|") for cell in cells(part, separator))
        elif block.kind == "code":
            yield "".join(text[slice(*piece)] for piece in without_fences(text, span))
        else:
            marker = MARKER.match(part) if block.kind in ("item", "step") and block.first == of_block[0] else None
            yield bare(part[marker.end() if marker else 0 :])
