"""Read the training sets as examples: a question, a passage of the same size as in an index, and the answer's spans."""

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

BUDGET = 160  # tokens per passage, as in an index
OVERLAP = 1
BRACKETS = {"-lrb-": "(    ", "-rrb-": ")    ", "-lsb-": "[    ", "-rsb-": "]    "}
QUOTES = {"``": '" ', "''": '" ', " n't": "n't "}
TITLED = ("squad2", "fairytaleqa", "selqa")  # sets whose titles name the topic; elsewhere they name a site or a thread


class Answer(Struct, frozen=True):
    text: str
    start: int


class QuestionRow(Struct, frozen=True):
    """A line of a question file. All pieces of `evidence` together answer the question."""

    id: str
    title: str
    context: str
    question: str
    answers: list[Answer]
    answerable: bool
    evidence: list[Answer] = []
    answers_from: str | None = None  # "evidence" if there is no short answer and `answers` repeats the evidence


class PairRow(Struct, frozen=True):
    """A line of a file of pairs: `label` is 1 if the sentence answers the question, else 0."""

    qid: str
    question: str
    title: str
    sentence: str
    label: int


class Example(Struct, frozen=True):
    """A question and a passage. `right`: indices of the sentences that answer; `answers`: their spans, if known."""

    source: str  # name of the training set
    question: str
    above: str  # headings, which are encoded in front of the passage
    text: str
    sentences: list[Span]
    answers: list[Span] = []
    right: list[int] = []
    context: str = ""  # the text that the passage was taken from


def examples_of(path: Path, most: int | None = None, rng: random.Random | None = None) -> Iterator[Example]:
    """One example per question: the passage with most of its answer, or any passage if it is unanswerable.

    At most `most` questions, sampled with `rng`. Raises msgspec.MsgspecError if a line has neither form.
    """
    name = path.name.split(".")[0]
    if name.startswith("pairs_"):
        yield from paired(name.removeprefix("pairs_"), list(read(path, PairRow)))
        return
    if name.startswith("qamr"):
        yield from of_sentences(name, list(read(path, QuestionRow)))
        return
    passages: dict[str, list[tuple[Span, list[Span]]]] = {}
    rows = list(read(path, QuestionRow))
    if most is not None and len(rows) > most:
        rows = (rng or random.Random(0)).sample(rows, most)  # noqa: S311
    for row in rows:
        if row.context not in passages:
            passages[row.context] = passages_of(row.context)
        yield from of_question(name, row, passages[row.context])


def read(path: Path, kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    with gzip.open(path) as lines:
        yield from map(decoder.decode, lines)


def passages_of(text: str) -> list[tuple[Span, list[Span]]]:
    """Split a text into passages, each with its sentences in code points of the passage."""
    sentences = split(text, [Block(Span(0, len(text)))])
    if not sentences:
        return []
    passages = windows(text, sentences, range(len(sentences)), fits, OVERLAP)
    return [(passage.span, cut_to(sentences[passage.first : passage.last + 1], passage.span)) for passage in passages]


def fits(text: str, _: tuple[str, ...]) -> bool:
    return tokens.count(text) <= BUDGET


def cut_to(sentences: Iterable[Sentence], passage: Span) -> list[Span]:
    return [
        Span(max(s.span.start, passage.start) - passage.start, min(s.span.end, passage.end) - passage.start)
        for s in sentences
    ]


def of_question(name: str, row: QuestionRow, passages: list[tuple[Span, list[Span]]]) -> Iterator[Example]:
    above = f"{row.title.replace('_', ' ')}\n" if name.startswith(TITLED) and row.title else ""
    examples = [
        in_passage(Example(name, row.question, above, row.context[slice(*span)], sentences), row, span)
        for span, sentences in passages
    ]
    if row.answerable:
        examples = [example for example in examples if example.right]
    if examples:
        yield max(examples, key=lambda example: (bool(example.answers), len(example.right)))


def in_passage(example: Example, row: QuestionRow, passage: Span) -> Example:
    """The example with the answers and the evidence that lie in the passage."""
    short = [] if row.answers_from == "evidence" else within(passage, row.answers)
    answers = [each for each in short if each.end <= len(example.text) and each.start >= 0]
    needed = within(passage, row.evidence) if row.evidence else answers
    right = [i for i, sentence in enumerate(example.sentences) if any(touch(sentence, each) for each in needed)]
    return msgspec.structs.replace(example, answers=answers if right else [], right=right, context=row.context)


def within(passage: Span, answers: Iterable[Answer]) -> list[Span]:
    """The spans of the answers, in code points of the passage; they can lie outside of it."""
    starts = [(each.start - passage.start, len(each.text)) for each in answers]
    return [Span(start, start + length) for start, length in starts]


def touch(a: Span, b: Span) -> bool:
    return a.start < b.end and b.start < a.end


def of_sentences(name: str, rows: Sequence[QuestionRow]) -> Iterator[Example]:
    """Examples from questions about single sentences, which are joined into passages with others of their document.

    A row's title is "corpus:site:document:paragraph:sentence".
    """

    def place(title: str) -> tuple[str, int, int]:
        document, paragraph, sentence = title.rsplit(":", 2)
        return document, int(paragraph), int(sentence)

    texts = {row.title: detokenized(row.context) for row in sorted(rows, key=lambda row: place(row.title))}
    parts: dict[str, tuple[list[str], int]] = {}
    for _, titles in groupby(texts, key=lambda title: place(title)[0]):
        for part in packed(list(titles), lambda title: texts[title]):
            parts |= {title: (part, number) for number, title in enumerate(part)}
    for row in rows:
        part, number = parts[row.title]
        text, sentences = joined([texts[title] for title in part])
        answers = [Span(each.start, each.start + len(each.text)) for each in row.answers]
        answers = [shifted(each, sentences[number].start) for each in answers]
        yield Example(name, detokenized(row.question), "", text, sentences, answers, [number], text)


def paired(name: str, rows: Sequence[PairRow]) -> Iterator[Example]:
    """Examples from the sentences of each question, joined into passages.

    If all sentences are labelled 1, each question has only one, which is joined with those of neighbouring questions.
    """
    groups: dict[str, list[PairRow]] = defaultdict(list)
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
            yield Example(name, question, above, text, sentences, [], right, text)


def of_neighbours(name: str, rows: Sequence[PairRow]) -> Iterator[Example]:
    """Join sentences of neighbouring questions: the questions follow their text, so they are from the same page."""
    ordered = list(dict.fromkeys(detokenized(row.sentence).strip() for row in rows))
    parts: dict[str, tuple[list[str], int]] = {}
    for part in packed(ordered, str):
        parts |= {sentence: (part, number) for number, sentence in enumerate(part)}
    for row in rows:
        part, number = parts[detokenized(row.sentence).strip()]
        text, sentences = joined(part)
        yield Example(name, detokenized(row.question), "", text, sentences, [], [number], text)


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
    """One text, and the span of each of `texts` in it."""
    sentences: list[Span] = []
    for each in texts:
        start = sentences[-1].end + 1 if sentences else 0
        sentences.append(Span(start, start + len(each)))
    return " ".join(texts), sentences


def shifted(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def detokenized(text: str) -> str:
    """Undo treebank tokenization of brackets and quotation marks. Offsets do not change."""
    for token, replacement in BRACKETS.items():
        text = text.replace(token, replacement).replace(token.upper(), replacement)
    for token, replacement in QUOTES.items():
        text = text.replace(token, replacement)
    return text
