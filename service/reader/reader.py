"""The interface of readers: which sentences of the passages answer the question, and with what confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from index.collections.protocols import Searcher
from index.types import Hit, Span
from prompts.packing import Run
from service.scheduling.deadline import Deadline


class Candidate(Struct, frozen=True):
    """A run of neighbouring sentences of one document that may answer the question.

    `span` runs from the start of sentence `first` to the end of sentence `last`. If a sentence is too long for a
    passage, it can be the part that was read.
    """

    document: int  # its number in the store
    first: int
    last: int
    span: Span
    confidence: float  # the calibrated probability that this answers the question
    highlight: Span | None = None
    in_front: Sequence[Run] = ()  # what is cited in front of it: the header of its table, what introduces its list

    @property
    def run(self) -> Run:
        return Run(self.document, self.first, self.last, self.span)


class Reading(Struct, frozen=True):
    """Candidates, best first. The confidence of the first is that of the whole reading."""

    candidates: list[Candidate]
    read: int = 0  # runs of a network that it took
    cut: bool = False  # whether there was no time to read all that should have been read
    companions: list[Candidate] = []  # what the first candidate needs beside it, best first

    @property
    def confidence(self) -> float:
        return self.candidates[0].confidence if self.candidates else 0.0


class Operation(Struct, frozen=True):
    """What a reader's threshold is worth, on the questions that it was fitted to."""

    precision: float  # the share of the answers shown that is right
    coverage: float  # the share of the questions that are answered


class Line(Struct, frozen=True):
    """A sentence of a passage that was found, or the part of it that the passage holds."""

    document: int
    number: int
    span: Span
    text: str
    hit: int  # rank of the best passage that contains it, from 0


class Reader(Protocol):
    """Reads passages. `threshold`: the least confidence of an answer."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def threshold(self) -> float: ...

    @property
    def operation(self) -> Operation | None:
        """None where it was not measured."""

    def read(self, question: str, hits: Sequence[Hit], searcher: Searcher, deadline: Deadline | None = None) -> Reading:
        """Raises HungUp."""


def lines_of(hits: Sequence[Hit], searcher: Searcher) -> list[Line]:
    """The sentences of the passages, in passage order, without repetitions."""
    lines: dict[tuple[int, Span], Line] = {}
    for rank, hit in enumerate(hits):
        content = searcher.content(hit.passage.document.number)
        passage = hit.passage.passage
        for number in range(passage.first, passage.last + 1):
            sentence = content.sentences[number]
            span = Span(max(sentence.start, passage.span.start), min(sentence.end, passage.span.end))
            line = Line(content.document.number, number, span, content.text[span.start : span.end], rank)
            lines.setdefault((line.document, span), line)
    return list(lines.values())
