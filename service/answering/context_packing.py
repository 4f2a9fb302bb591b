"""A context for the caller's own model: passages within a token budget, with a citation for each mark."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from index.collections.protocols import Searcher
from index.text.tokens import ENCODINGS, count
from index.types import Hit
from prompts.packing import Passages, Run, pack
from service import schema
from service.answering.citations import cite
from service.errors import UnknownTokens
from service.reader.reader import lines_of

MOST_PACKED = 100  # passages retrieved for a context


class Context(Struct, frozen=True):
    text: str
    tokens: int
    citations: list[schema.MarkedCitation]
    left_out: int  # passages left out or cut


def packed_context(hits: Sequence[Hit], searcher: Searcher, most: int, encoding: str) -> Context:
    """Pack the passages, best first, into at most `most` tokens. Raises UnknownTokens."""
    if encoding not in ENCODINGS:
        raise UnknownTokens(encoding=encoding, known=", ".join(ENCODINGS))
    offers = [
        [Run(line.document, line.number, line.number, line.span) for line in lines_of([hit], searcher)] for hit in hits
    ]
    layout = Passages(offers, lambda document: searcher.content(document).text)
    packed = pack(offers, layout, most, count)
    citations = [
        schema.MarkedCitation(mark=mark, **msgspec.structs.asdict(cite(run, searcher.content(run.document))))
        for mark, run in layout.marked(packed.runs)
    ]
    return Context("".join(layout(packed.runs)), packed.tokens, citations, packed.left_out)
