"""The training sets as lessons: a question, a passage of the size that an index has, and where the answer stands."""

from __future__ import annotations

import gzip
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from index.text import tokens
from index.text.passages import windows
from index.text.sentences import split
from index.types import Block, Sentence, Span

T = TypeVar("T")

BUDGET = 160  # tokens of a passage, as in an index
OVERLAP = 1
BRACKETS = {"-lrb-": "(    ", "-rrb-": ")    ", "-lsb-": "[    ", "-rsb-": "]    "}
QUOTES = {"``": '" ', "''": '" ', " n't": "n't "}
TITLED = ("squad2", "fairytaleqa", "selqa")  # elsewhere a title names a site or a thread, not what is spoken of


class Answer(Struct, frozen=True):
    text: str
    start: int


class Asked(Struct, frozen=True):
    """A line of a file of questions. All pieces of `evidence` together answer."""

    id: str
    title: str
    context: str
    question: str
    answers: list[Answer]
    answerable: bool
    evidence: list[Answer] = []
    answers_from: str | None = None  # "evidence" where no short answer is known, and `answers` repeats the evidence


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


def lessons_of(path: Path, most: int | None = None, dice: random.Random | None = None) -> Iterator[Lesson]:
    """Of each question, the passage that holds most of its answer; of an unanswerable one, that which it was put to.

    `most` questions are drawn with `dice`. Raises msgspec.MsgspecError where a line is not of either form.
    """
    name = path.name.split(".")[0]
    if name.startswith("pairs_"):
        yield from paired(name.removeprefix("pairs_"), list(read(path, Paired)))
        return
    if name.startswith("qamr"):
        yield from of_sentences(name, list(read(path, Asked)))
        return
    cut: dict[str, list[tuple[Span, list[Span]]]] = {}
    rows = list(read(path, Asked))
    if most is not None and len(rows) > most:
        rows = (dice or random.Random(0)).sample(rows, most)  # noqa: S311
    for asked in rows:
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
    lessons = [
        in_passage(Lesson(name, asked.question, above, asked.context[slice(*span)], sentences), asked, span)
        for span, sentences in passages
    ]
    if asked.answerable:
        lessons = [lesson for lesson in lessons if lesson.right]
    if lessons:
        yield max(lessons, key=lambda lesson: (bool(lesson.answers), len(lesson.right)))


def in_passage(lesson: Lesson, asked: Asked, passage: Span) -> Lesson:
    """With the answers and the evidence that lie in the passage."""
    short = [] if asked.answers_from == "evidence" else within(passage, asked.answers)
    answers = [each for each in short if each.end <= len(lesson.text) and each.start >= 0]
    needed = within(passage, asked.evidence) if asked.evidence else answers
    right = [i for i, sentence in enumerate(lesson.sentences) if any(touch(sentence, each) for each in needed)]
    return msgspec.structs.replace(lesson, answers=answers if right else [], right=right, context=asked.context)


def within(passage: Span, answers: Iterable[Answer]) -> list[Span]:
    """Where they stand, in code points of the passage; some may lie outside of it."""
    starts = [(each.start - passage.start, len(each.text)) for each in answers]
    return [Span(start, start + length) for start, length in starts]


def touch(a: Span, b: Span) -> bool:
    return a.start < b.end and b.start < a.end


def of_sentences(name: str, rows: Sequence[Asked]) -> Iterator[Lesson]:
    """Questions put to single sentences, these joined to passages with others of their document.

    A title is "corpus:site:document:paragraph:sentence".
    """

    def place(title: str) -> tuple[str, int, int]:
        document, paragraph, sentence = title.rsplit(":", 2)
        return document, int(paragraph), int(sentence)

    texts = {row.title: untokenized(row.context) for row in sorted(rows, key=lambda row: place(row.title))}
    held: dict[str, tuple[list[str], int]] = {}
    for _, titles in groupby(texts, key=lambda title: place(title)[0]):
        for part in packed(list(titles), lambda title: texts[title]):
            held |= {title: (part, number) for number, title in enumerate(part)}
    for row in rows:
        part, number = held[row.title]
        text, sentences = joined([texts[title] for title in part])
        answers = [Span(each.start, each.start + len(each.text)) for each in row.answers]
        answers = [moved(each, sentences[number].start) for each in answers]
        yield Lesson(name, untokenized(row.question), "", text, sentences, answers, [number], text)


def paired(name: str, rows: Sequence[Paired]) -> Iterator[Lesson]:
    """The sentences put to one question, joined to passages; a lone one, with those of the questions next to it."""
    groups: dict[str, list[Paired]] = defaultdict(list)
    for row in rows:
        groups[row.question].append(row)
    if all(row.label for row in rows):
        yield from of_neighbours(name, rows)
        return
    for question, group in groups.items():
        for part in packed(group, lambda row: row.sentence):
            text, sentences = joined([row.sentence for row in part])
            right = [i for i, row in enumerate(part) if row.label]
            title = part[0].title
            above = f"{title.replace(' / ', ' › ')}\n" if name.startswith(TITLED) and title else ""
            yield Lesson(name, question, above, text, sentences, [], right, text)


def of_neighbours(name: str, rows: Sequence[Paired]) -> Iterator[Lesson]:
    """The questions follow their text, so that the sentences of neighbouring ones are from one page."""
    ordered = list(dict.fromkeys(untokenized(row.sentence).strip() for row in rows))
    held: dict[str, tuple[list[str], int]] = {}
    for part in packed(ordered, str):
        held |= {sentence: (part, number) for number, sentence in enumerate(part)}
    for row in rows:
        part, number = held[untokenized(row.sentence).strip()]
        text, sentences = joined(part)
        yield Lesson(name, untokenized(row.question), "", text, sentences, [], [number], text)


def packed(group: Sequence[T], text_of: Callable[[T], str]) -> Iterator[list[T]]:
    part: list[T] = []
    for each in group:
        if part and tokens.count(" ".join(map(text_of, [*part, each]))) > BUDGET:
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def joined(texts: Sequence[str]) -> tuple[str, list[Span]]:
    """One text, and where each of `texts` stands in it."""
    sentences: list[Span] = []
    for each in texts:
        start = sentences[-1].end + 1 if sentences else 0
        sentences.append(Span(start, start + len(each)))
    return " ".join(texts), sentences


def moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def untokenized(text: str) -> str:
    """Brackets and quotation marks as people write them; nothing changes its place."""
    for written, meant in BRACKETS.items():
        text = text.replace(written, meant).replace(written.upper(), meant)
    for written, meant in QUOTES.items():
        text = text.replace(written, meant)
    return text
