"""Composes the response: turns selected answers into cited ones."""

from __future__ import annotations

from index.collections.protocols import Searcher
from index.storage.contents import Content
from index.types import Hit
from prompts.packing import joined
from service import schema
from service.answering.citations import cite, range_of
from service.answering.highlighting import highlight_span
from service.answering.selection import SelectedAnswer, Selection
from service.answering.units import kind_of
from service.reader.reader import Candidate


def compose(selection: Selection, searcher: Searcher) -> list[schema.Answer]:
    return [composed(answer, searcher) for answer in selection.answers]


def composed(answer: SelectedAnswer, searcher: Searcher) -> schema.Answer:
    """An answer with one citation per run of sentences, the candidate's own run and document first."""
    own = answer.candidate.run
    runs = joined([own, *(each.run for each in answer.companions)], lambda document: searcher.content(document).text)
    citations = [cite(run, searcher.content(run.document)) for run in runs]
    place = next(place for place, run in enumerate(runs) if run.meets(own))
    content = searcher.content(own.document)
    in_front = [cite(run, content) for run in answer.candidate.in_front if not any(run.meets(other) for other in runs)]
    if runs[place] == own:  # else it quotes more words than the repetitions have
        citations[place].also.extend(cite(each.run, searcher.content(each.document)) for each in answer.repetitions)
    citations = in_front + citations
    place += len(in_front)
    return schema.Answer(
        text=" ".join(each.quote.exact for each in citations),
        confidence=answer.candidate.confidence,
        highlight=highlight_of(answer.candidate, place, citations[place], content),
        citations=citations,
        kind=kind_of(own, content),
    )


def highlight_of(
    candidate: Candidate, place: int, citation: schema.Citation, content: Content
) -> schema.Highlight | None:
    """The highlighted span, if it is quoted; the quoted part of a very long sentence may not contain it."""
    quoted = citation.range.codepoint
    span = candidate.highlight and highlight_span(candidate.highlight, candidate.run, content)
    if span is None or not quoted[0] <= span.start < span.end <= quoted[1]:
        return None
    where = range_of(content.positions, span)
    return schema.Highlight(place, content.text[slice(*span)], where.codepoint, where.utf16, where.byte)


def passage_found(hit: Hit, content: Content) -> schema.FoundPassage:
    passage, document = hit.passage.passage, hit.passage.document
    return schema.FoundPassage(
        source=document.source,
        document_id=document.document_id,
        sha256=document.sha256,
        sentences=schema.SentenceRange(passage.first, passage.last, len(content.sentences)),
        range=range_of(content.positions, passage.span),
        text=hit.passage.text,
        score=hit.score,
    )
