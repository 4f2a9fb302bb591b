"""Selects answers from the reader's candidates, and detects contradictions among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from index.collections.protocols import Searcher
from index.search.terms import words
from index.storage.contents import Content
from index.types import Span
from prompts.packing import Run
from service.answering.asked import Asked
from service.answering.citations import LONGEST_WHOLE
from service.answering.conflicts import Statement, conflict, in_common, plain
from service.answering.units import parts_in_front
from service.reader.reader import Candidate, Reading

COMPARED = 5  # confident candidates that are checked for a conflict
# `make bench-thresholds` shows what these do.
CLOSE = 0.6  # least confidence of a contradiction, as a share of the first answer's
COMMON = 0.5  # share of the words of the shorter that two contradicting sentences of one document have in common
NEEDED = 0.2  # share of the question's words that a neighbour must add to be cited too
LEANS_BACK = re.compile(
    r"[\W_]*(?:it|its|he|his|she|her|they|their|this|these|that|those|such|there|both|the latter|the former)\b",
    re.IGNORECASE,
)
PROSE = ("paragraph", "quotation", "speech", "item", "step")  # where a sentence may depend on the one before
PARAGRAPH = re.compile(r"\n\s*\n")


Status = Literal["answered", "conflicting", "abstained"]


class SelectedAnswer(Struct, frozen=True):
    """A candidate, its repetitions elsewhere, and other sentences to quote beside it."""

    candidate: Candidate
    repetitions: list[Candidate] = []
    companions: Sequence[Candidate] = ()


class Selection(Struct, frozen=True):
    """`ranked`: the candidates to show, as quoted; the first `limit` different ones are the answers."""

    ranked: list[Candidate]
    conflicting: bool
    limit: int
    answers: list[SelectedAnswer]

    @property
    def status(self) -> Status:
        if not self.answers:
            return "abstained"
        return "conflicting" if self.conflicting and len(self.answers) > 1 else "answered"


def select(
    question: str, reading: Reading, searcher: Searcher, *, threshold: float, certain: float, limit: int
) -> Selection:
    """The first `limit` answers of at least `threshold`. Candidates with the same words are one answer.

    If another contradicts the first, which must be at least `certain`, and is of similar confidence, both sides are
    returned, whatever the limit and the threshold: who is shown one side must see the other.
    """
    shown = [candidate for candidate in reading.candidates if candidate.confidence >= threshold]
    close = [candidate for candidate in reading.candidates if candidate.confidence >= CLOSE * reading.confidence]
    sure = close[:COMPARED] if shown and shown[0].confidence >= certain else []
    other_side = contradiction(question, sure, searcher)
    if other_side:
        other = sure[other_side]
        shown = [shown[0], other, *(each for each in shown[1:] if each is not other)]
        limit = max(limit, 2)
    asked = Asked.of(question, searcher)
    ranked = [as_quoted(with_support(question, candidate, searcher), searcher) for candidate in shown]
    ranked = [replace(each, in_front=parts_in_front(each, asked, searcher.content(each.document))) for each in ranked]
    return Selection(ranked, other_side is not None, limit, grouped(ranked, limit, searcher))


def with_companions(selection: Selection, companions: Sequence[Candidate], searcher: Searcher) -> Selection:
    """Add sentences to the first answer. What they quote is removed from the other answers."""
    return replace(selection, answers=grouped(selection.ranked, selection.limit, searcher, companions))


def united(needed: Sequence[Candidate], chosen: Sequence[Candidate], most: int) -> list[Candidate]:
    """The reader's own companions, and what a language model chose besides, up to `most` sentences."""
    companions = list(needed)
    for candidate in chosen:
        sentences = sum(length(each.run) for each in companions) + length(candidate.run)
        if sentences <= most and not any(candidate.run.meets(each.run) for each in companions):
            companions.append(candidate)
    return companions


def length(run: Run) -> int:
    """In sentences."""
    return run.last - run.first + 1


def grouped(
    ranked: Sequence[Candidate], limit: int, searcher: Searcher, companions: Sequence[Candidate] = ()
) -> list[SelectedAnswer]:
    groups: dict[str, list[Candidate]] = {}
    quoted = [companion.run for companion in companions]
    for candidate in ranked:
        run = candidate.run
        if any(run.meets(other) for other in quoted):
            continue
        words_of_it = normalized(run, searcher)
        if words_of_it not in groups and len(groups) == limit:
            continue  # a later candidate may still have the words of an answer
        quoted.append(run)
        groups.setdefault(words_of_it, []).append(candidate)
    return [
        SelectedAnswer(first, repetitions, () if place else companions)
        for place, (first, *repetitions) in enumerate(groups.values())
    ]


def alternatives(
    answer: SelectedAnswer, candidates: Sequence[Candidate], floor: float, searcher: Searcher
) -> list[Candidate]:
    """The candidates above the floor that say something different from the answer and each other, likeliest first.

    None if the answer is part of an overlong sentence, which is always shown alone.
    """
    if not is_whole(answer.candidate.run, searcher):
        return []
    taken = [answer.candidate.run, *(each.run for each in answer.repetitions)]
    quoted = {normalized(run, searcher) for run in taken}
    different = []
    for candidate in candidates:
        run = candidate.run
        words_of_it = normalized(run, searcher)
        if (
            candidate.confidence >= floor
            and is_whole(run, searcher)
            and words_of_it not in quoted
            and not any(run.meets(other) for other in taken)
        ):
            taken.append(run)
            quoted.add(words_of_it)
            different.append(candidate)
    return different


def is_whole(run: Run, searcher: Searcher) -> bool:
    """Whether it is whole sentences, not part of one that is too long for a passage."""
    return run.span == whole(run, searcher.content(run.document))


def normalized(run: Run, searcher: Searcher) -> str:
    """Its words in lower case without punctuation; the text itself if it has no words."""
    text = searcher.content(run.document).text[slice(*run.span)]
    return plain(text) or text


def as_quoted(candidate: Candidate, searcher: Searcher) -> Candidate:
    """A copy with the span of its whole sentences, or of the part that was read if they are too long."""
    sentences = whole(candidate.run, searcher.content(candidate.document))
    return replace(candidate, span=sentences) if sentences.end - sentences.start <= LONGEST_WHOLE else candidate


def whole(run: Run, content: Content) -> Span:
    return Span(content.sentences[run.first].start, content.sentences[run.last].end)


def contradiction(question: str, candidates: Sequence[Candidate], searcher: Searcher) -> int | None:
    """The index of the first candidate that contradicts the best one."""
    if not candidates:
        return None
    statements = [statement_of(candidate, searcher.content(candidate.document)) for candidate in candidates]
    first = statements[0]
    for place, each in enumerate(statements[1:], start=1):
        if not (first and each and conflict(question, first, each)):
            continue
        # A document goes on to other matters more often than it contradicts itself.
        if candidates[place].document != candidates[0].document or in_common(first.text, each.text) >= COMMON:
            return place
    return None


def statement_of(candidate: Candidate, content: Content) -> Statement | None:
    if candidate.highlight is None:
        return None
    return Statement(content.text[slice(*candidate.span)], content.text[slice(*candidate.highlight)])


def with_support(question: str, candidate: Candidate, searcher: Searcher) -> Candidate:
    """Add the sentence before it if it depends on that: "It was built in 1932." does not say what was built."""
    content = searcher.content(candidate.document)
    number = candidate.first - 1
    if (
        number < 0
        or content.structure.block(candidate.first).kind not in PROSE
        or candidate.highlight is None
        or not LEANS_BACK.match(content.text[slice(*candidate.span)])
    ):
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
