"""Lists wrong answers beside the gold answers, each sentence in its context."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from eval.datasets.dataset import Gold, Question
from eval.metrics.scoring import Score, SourceOf, gold_sentences
from eval.runs.run import Line
from service import schema

CONTEXT = 120  # code points on each side


class Excerpt(Struct, frozen=True):
    """A quotation in context; `mark` is a span within it, `source` its document."""

    source: str
    before: str
    quote: str
    after: str
    mark: tuple[int, int] | None = None

    @property
    def parts(self) -> tuple[str, str, str]:
        """The text before, inside and after the mark."""
        start, end = self.mark or (0, 0)
        return self.quote[:start], self.quote[start:end], self.quote[end:]


class Miss(Struct, frozen=True):
    question: str
    id: str
    type: str | None
    confidence: float
    expected: str
    status: str
    rank: str  # of the first needed passage
    given: list[Excerpt]
    gold: list[Excerpt]


def worst(
    questions: Sequence[Question],
    lines: Sequence[Line],
    scores: Sequence[Score],
    source_of: SourceOf,
    *,
    answerable: bool,
    limit: int,
) -> tuple[list[Miss], int]:
    """The most confident wrong answers, and how many there are in all."""
    misses = [
        (question, line, score)
        for question, line, score in zip(questions, lines, scores, strict=True)
        if question.answerable == answerable and not score.right and (answerable or score.given != "abstained")
    ]
    misses.sort(key=lambda each: -each[2].confidence)
    return [_miss(*each, source_of) for each in misses[:limit]], len(misses)


def _miss(question: Question, line: Line, score: Score, source_of: SourceOf) -> Miss:
    first = score.values.get("MRR@10", 0.0)
    return Miss(
        question=question.text,
        id=question.id,
        type=question.type,
        confidence=score.confidence,
        expected=score.expected,
        status=score.given,
        rank=str(round(1 / first)) if first else "beyond 10",
        given=[cited(citation, line.response.answers[0]) for citation in line.response.answers[0].citations]
        if line.response.answers
        else [],
        gold=excerpts(question.answers, source_of)[:3],
    )


def cited(citation: schema.Citation, answer: schema.Answer) -> Excerpt:
    start = citation.range.codepoint[0]
    highlight = answer.highlight
    here = highlight is not None and answer.citations[highlight.citation] is citation
    mark = (highlight.codepoint[0] - start, highlight.codepoint[1] - start) if highlight and here else None
    return Excerpt(citation.source, citation.quote.prefix, citation.quote.exact, citation.quote.suffix, mark)


def excerpts(golds: Sequence[Gold], source_of: SourceOf) -> list[Excerpt]:
    """The sentences around each gold span, with the span marked; each sentence once."""
    by_place: dict[tuple[str, int], Excerpt] = {}
    for gold in golds:
        source = source_of(gold.doc)
        numbers = sorted(number for _, number in gold_sentences([gold], source_of))
        if source is None or not numbers:
            continue
        start, end = source.sentences[numbers[0]][0], source.sentences[numbers[-1]][1]
        start, end = min(start, gold.start), max(end, gold.end)
        excerpt = Excerpt(
            gold.doc,
            source.text[max(0, start - CONTEXT) : start],
            source.text[start:end],
            source.text[end : end + CONTEXT],
            (gold.start - start, gold.end - start),
        )
        by_place.setdefault((gold.doc, start), excerpt)
    return list(by_place.values())
