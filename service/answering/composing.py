"""Composing: from a reading to the answers that are sent, each cited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from index.collections.protocols import Searcher
from index.search.terms import words
from index.storage.contents import Content
from index.types import Hit, Span
from prompts.packing import Run, joined
from service import schema
from service.answering.citations import cite, range_of
from service.answering.conflicts import Statement, conflict, plain
from service.reader.reader import Candidate, Reading

COMPARED = 5  # sure candidates among which a conflict is looked for
CLOSE = 0.6  # of the first one's confidence, what its contradiction must have
NEEDED = 0.2  # the share of the question's words that a neighbour must add to be cited along
LEANS_BACK = re.compile(
    r"[\W_]*(?:it|its|he|his|she|her|they|their|this|these|that|those|such|there|both|the latter|the former)\b",
    re.IGNORECASE,
)
PARAGRAPH = re.compile(r"\n\s*\n")


class Composed(Struct, frozen=True):
    status: Literal["answered", "conflicting", "abstained"]
    answers: list[schema.Answer]


def compose(
    question: str,
    reading: Reading,
    searcher: Searcher,
    *,
    threshold: float,
    certain: float,
    limit: int,
    along: Sequence[Candidate] = (),
) -> Composed:
    """The first `limit` answers of at least `threshold`. Quotes of the same words make one answer that cites them all.

    `along` are sentences that are quoted in the first answer as well; they leave its confidence as it is.

    Where another contradicts the first, both at least `certain` and about as sure, both sides come, whatever the limit.
    """
    shown = [candidate for candidate in reading.candidates if candidate.confidence >= threshold]
    least = max(certain, CLOSE * reading.confidence)
    sure = [candidate for candidate in shown if candidate.confidence >= least]
    other_side = contradiction(question, sure[:COMPARED], searcher)
    if other_side:
        shown = [shown[0], shown[other_side], *(each for i, each in enumerate(shown) if i not in (0, other_side))]
    supported = (with_support(question, candidate, searcher) for candidate in shown)
    answers = answers_of(supported, searcher, max(limit, 2) if other_side else limit, along)
    if not answers:
        return Composed("abstained", [])
    return Composed("conflicting" if other_side and len(answers) > 1 else "answered", answers)


def answers_of(
    candidates: Iterable[Candidate], searcher: Searcher, limit: int, along: Sequence[Candidate]
) -> list[schema.Answer]:
    answers: list[schema.Answer] = []
    said: dict[str, schema.Citation] = {}
    cited = [place_of(candidate) for candidate in along]
    for candidate in candidates:
        place = place_of(candidate)
        if any(overlap(place, other) for other in cited):
            continue
        citation = cite(searcher.content(candidate.document), candidate.first, candidate.last, candidate.span)
        words_of_it = plain(citation.quote.exact) or citation.quote.exact
        same = said.get(words_of_it)
        if same is None and len(answers) == limit:
            continue  # a later candidate may still stand elsewhere in the words of an answer given
        cited.append(place)
        if same is not None:
            same.also.append(citation)
            continue
        said[words_of_it] = citation
        answers.append(answer_of(candidate, citation, searcher, () if answers else along))
    return answers


def place_of(candidate: Candidate) -> tuple[int, int, int]:
    return candidate.document, candidate.first, candidate.last


def contradiction(question: str, candidates: Sequence[Candidate], searcher: Searcher) -> int | None:
    """The place of the first candidate that cannot hold together with the best one."""
    if not candidates:
        return None
    statements = [statement_of(candidate, searcher.content(candidate.document)) for candidate in candidates]
    first = statements[0]
    for place, each in enumerate(statements[1:], start=1):
        if first and each and conflict(question, first, each):
            return place
    return None


def statement_of(candidate: Candidate, content: Content) -> Statement | None:
    if candidate.highlight is None:
        return None
    return Statement(content.text[slice(*candidate.span)], content.text[slice(*candidate.highlight)])


def with_support(question: str, candidate: Candidate, searcher: Searcher) -> Candidate:
    """With the sentence before it, where it leans on that one: "It was built in 1932." does not say what was built."""
    content = searcher.content(candidate.document)
    number = candidate.first - 1
    if number < 0 or candidate.highlight is None or not LEANS_BACK.match(content.text[slice(*candidate.span)]):
        return candidate
    before = content.sentences[number]
    if PARAGRAPH.search(content.text[before.end : candidate.span.start]):
        return candidate
    asked = dict.fromkeys(words(question))
    weights = {word: searcher.rarity(word) for word in asked}
    said = set(words(content.text[slice(*candidate.span)]))
    gained = [word for word in asked if word not in said and word in set(words(content.text[slice(*before)]))]
    if sum(weights[word] for word in gained) < NEEDED * max(sum(weights.values()), 1e-9):
        return candidate
    return replace(candidate, first=number, span=Span(before.start, candidate.span.end))


def overlap(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Whether two runs (document, first, last) share a sentence."""
    return a[0] == b[0] and a[1] <= b[2] and b[1] <= a[2]


def answer_of(
    candidate: Candidate, citation: schema.Citation, searcher: Searcher, along: Sequence[Candidate]
) -> schema.Answer:
    """An answer in as many parts as it has runs of sentences, that of the candidate and its document first."""
    own = run_of(candidate)
    runs = joined([own, *map(run_of, along)], lambda document: searcher.content(document).text) if along else [own]
    citations = [
        citation if run == own else cite(searcher.content(run.document), run.first, run.last, run.span) for run in runs
    ]
    place = next(
        place
        for place, run in enumerate(runs)
        if run.document == own.document and run.first <= own.first and own.last <= run.last
    )
    return schema.Answer(
        text=" ".join(each.quote.exact for each in citations),
        confidence=candidate.confidence,
        highlight=highlight_of(candidate, place, citations[place], searcher.content(candidate.document)),
        citations=citations,
    )


def run_of(candidate: Candidate) -> Run:
    return Run(candidate.document, candidate.first, candidate.last, candidate.span)


def highlight_of(
    candidate: Candidate, place: int, citation: schema.Citation, content: Content
) -> schema.Highlight | None:
    """The span, if it is quoted: of a sentence too long to be quoted whole, the part read may not hold it."""
    span, quoted = candidate.highlight, citation.range.codepoint
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
