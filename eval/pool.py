"""The training sets as lessons: a question, a passage of the size that an index has, and where the answer stands."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from index import tokens
from index.passages import windows
from index.sentences import split
from index.types import Block, Sentence, Span

T = TypeVar("T")

BUDGET = 160  # tokens of a passage, as in an index
OVERLAP = 1
TITLED = ("squad2", "fairytaleqa", "selqa")  # elsewhere a title names a site or a thread, not what is spoken of


class Answer(Struct, frozen=True):
    text: str
    start: int


class Asked(Struct, frozen=True):
    """A line of a file of questions."""

    id: str
    title: str
    context: str
    question: str
    answers: list[Answer]
    answerable: bool


class Paired(Struct, frozen=True):
    """A line of a file of pairs: `label` says whether the sentence answers the question."""

    qid: str
    question: str
    title: str
    sentence: str
    label: int


class Lesson(Struct, frozen=True):
    """Question and passage. `right` are the sentences that answer, `answers` the spans, as far as they are known."""

    source: str  # the set
    question: str
    above: str
    text: str
    sentences: list[Span]
    answers: list[Span] = []
    right: list[int] = []
    context: str = ""  # the text that the passage is from


def lessons_of(path: Path) -> Iterator[Lesson]:
    """Of each question, the passages that hold an answer; of an unanswerable one, the passage that it was put to.

    Raises msgspec.MsgspecError where a line is not of either form.
    """
    name = path.name.split(".")[0]
    if name.startswith("pairs_"):
        yield from paired(name.removeprefix("pairs_"), read(path, Paired))
        return
    cut: dict[str, list[tuple[Span, list[Span]]]] = {}
    for asked in read(path, Asked):
        if asked.context not in cut:
            cut[asked.context] = passages_of(asked.context)
        yield from of_question(name, asked, cut[asked.context])


def read(path: Path, kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    with gzip.open(path) as lines:
        yield from map(decoder.decode, lines)


def passages_of(text: str) -> list[tuple[Span, list[Span]]]:
    """The passages of a text, each with its sentences, in code points of the passage."""
    sentences = split(text, [Block(Span(0, len(text)))])
    if not sentences:
        return []
    found = windows(text, sentences, range(len(sentences)), fits, OVERLAP)
    return [(passage.span, cut_to(sentences[passage.first : passage.last + 1], passage.span)) for passage in found]


def fits(text: str, _: tuple[str, ...]) -> bool:
    return tokens.count(text) <= BUDGET


def cut_to(sentences: Iterable[Sentence], passage: Span) -> list[Span]:
    return [
        Span(max(s.span.start, passage.start) - passage.start, min(s.span.end, passage.end) - passage.start)
        for s in sentences
    ]


def of_question(name: str, asked: Asked, passages: list[tuple[Span, list[Span]]]) -> Iterator[Lesson]:
    above = f"{asked.title.replace('_', ' ')}\n" if name.startswith(TITLED) and asked.title else ""
    for place, (span, sentences) in enumerate(passages):
        text = asked.context[span.start : span.end]
        answers = [
            Span(answer.start - span.start, answer.start + len(answer.text) - span.start)
            for answer in asked.answers
            if span.start <= answer.start and answer.start + len(answer.text) <= span.end
        ]
        right = [i for i, each in enumerate(sentences) if any(touch(each, answer) for answer in answers)]
        if right or (not asked.answerable and place == 0):
            yield Lesson(name, asked.question, above, text, sentences, answers, right, asked.context)
            return


def touch(a: Span, b: Span) -> bool:
    return a.start < b.end and b.start < a.end


def paired(name: str, rows: Iterable[Paired]) -> Iterator[Lesson]:
    """The sentences put to one question, joined to passages."""
    groups: dict[str, list[Paired]] = defaultdict(list)
    for row in rows:
        groups[row.question].append(row)
    for question, group in groups.items():
        for part in packed(group):
            starts = list(accumulate((len(row.sentence) + 1 for row in part), initial=0))
            sentences = [Span(start, start + len(row.sentence)) for start, row in zip(starts, part, strict=False)]
            text = " ".join(row.sentence for row in part)
            right = [i for i, row in enumerate(part) if row.label]
            title = part[0].title
            above = f"{title.replace(' / ', ' › ')}\n" if name.startswith(TITLED) and title else ""
            yield Lesson(name, question, above, text, sentences, [], right, text)


def packed(group: list[Paired]) -> Iterator[list[Paired]]:
    part: list[Paired] = []
    for row in group:
        if part and tokens.count(" ".join(each.sentence for each in [*part, row])) > BUDGET:
            yield part
            part = []
        part.append(row)
    if part:
        yield part
