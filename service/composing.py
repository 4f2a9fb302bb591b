"""Composing: from a reading to the answers that are sent, each cited."""

from __future__ import annotations

from index.contents import Content
from index.searcher import Searcher
from index.types import Hit
from service import schema
from service.citations import cite, range_of
from service.reader import Candidate, Reading


def compose(reading: Reading, searcher: Searcher, threshold: float, limit: int) -> list[schema.Answer]:
    """The first `limit` answers that are sure enough. Equal quotes make one answer that also cites the others."""
    answers: dict[str, schema.Answer] = {}
    cited: list[tuple[int, int, int]] = []
    for candidate in reading.candidates:
        if candidate.confidence < threshold:
            break
        place = (candidate.document, candidate.first, candidate.last)
        if any(overlap(place, other) for other in cited):
            continue
        answer = answer_of(candidate, searcher.content(candidate.document))
        same = answers.get(answer.text)
        if same is None and len(answers) == limit:
            continue  # a later candidate may still stand elsewhere in the words of an answer given
        cited.append(place)
        if same is None:
            answers[answer.text] = answer
        else:
            same.citations[0].also.append(answer.citations[0])
    return list(answers.values())


def overlap(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Whether two runs (document, first, last) share a sentence."""
    return a[0] == b[0] and a[1] <= b[2] and b[1] <= a[2]


def answer_of(candidate: Candidate, content: Content) -> schema.Answer:
    citation = cite(content, candidate.first, candidate.last, candidate.span)
    return schema.Answer(
        text=citation.quote.exact,
        confidence=candidate.confidence,
        highlight=highlight_of(candidate, content),
        citations=[citation],
    )


def highlight_of(candidate: Candidate, content: Content) -> schema.Highlight | None:
    if candidate.highlight is None:
        return None
    where = range_of(content.positions, candidate.highlight)
    text = content.text[candidate.highlight.start : candidate.highlight.end]
    return schema.Highlight(0, text, where.codepoint, where.utf16, where.byte)


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
