"""Verifier: what became of citations that were given out before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from msgspec.structs import replace

from index.collections.protocols import Searcher
from index.types import Document
from prompts.packing import Run
from service import schema
from service.answering.citations import cite
from service.answering.relocation import Place, Relocation
from service.errors import LengthOutOfRange

MOST = 10_000  # citations per call, including `also`


def verify(searcher: Searcher, citations: Sequence[schema.GivenCitation]) -> list[schema.Verified]:
    """The status of each citation in this version of the collection, in order, with the surviving ones of its `also`.

    Raises LengthOutOfRange if there are more than MOST of them in all.
    """
    flat = [each for citation in citations for each in (citation, *citation.also)]
    if len(flat) > MOST:
        facts = {"minimum": 0, "maximum": MOST, "limits": f"0 to {MOST:,}"}
        raise LengthOutOfRange(field="citations", length=len(flat), unit="items with those of `also`", **facts)
    verifying = Verifier(searcher)
    by_document = sorted(range(len(flat)), key=lambda number: (flat[number].source, flat[number].sha256))
    found = {number: verifying.verified(flat[number]) for number in by_document}
    results = iter([found[number] for number in range(len(flat))])
    return [with_others(next(results), list(islice(results, len(citation.also)))) for citation in citations]


def with_others(verified: schema.Verified, others: Sequence[schema.Verified]) -> schema.Verified:
    if verified.citation is None:
        return verified
    also = [other.citation for other in others if other.citation is not None]
    return schema.Verified(verified.status, replace(verified.citation, also=also))


class Verifier:
    """Citations against one version of a collection. Group those of one document for speed."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._relocation = lru_cache(2)(lambda number: Relocation(searcher.content(number)))

    def verified(self, citation: schema.GivenCitation) -> schema.Verified:
        sha256 = citation.sha256.lower()
        live = self._searcher.live(citation.source)
        if live is not None:
            relocation: Relocation = self._relocation(live.number)
            if live.sha256 == sha256 and (place := relocation.stated(citation)):
                return schema.Verified("valid", cited(relocation, place))
            if place := relocation.relocated(citation):
                return schema.Verified("moved", cited(relocation, place))
        if live is not None and live.sha256 == sha256:
            return schema.Verified("changed", None)
        copies = self._searcher.with_content(sha256)
        if copies and (renamed := self._renamed(citation, copies[0])):
            return schema.Verified("moved", renamed)
        return schema.Verified("changed" if live or copies else "deleted", None)

    def _renamed(self, citation: schema.GivenCitation, copy: Document) -> schema.Citation | None:
        """The citation in a document of the same bytes. One is as good as another, so the first by source is taken."""
        relocation: Relocation = self._relocation(copy.number)
        place = relocation.stated(citation) or relocation.relocated(citation)
        return cited(relocation, place) if place else None


def cited(relocation: Relocation, place: Place) -> schema.Citation:
    content = relocation.content
    return cite(Run(content.document.number, place.first, place.last, place.span), content)
