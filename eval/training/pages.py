"""Turn examples into Markdown passages: lists, steps, tables, code with an introduction, headings.

The text is split into sentences as in an index, including markup.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from eval.training.examples import Example, fits, touch
from eval.training.queries import keywords
from index.text.formats.markdown import blocks
from index.text.passages import context
from index.text.sentences import split
from index.types import Span

ROWS = (3, 8)  # rows of a table: at least, fewer than
CELL = 60  # characters of the longest answer in a cell
HEADING_WORDS = 5
NAMES = ("Name", "Item", "Key", "Setting", "Topic", "Entry")
VALUES = ("Value", "Description", "Meaning", "Default", "Note")
SPACE = re.compile(r"\s+")


def page(example: Example, rng: random.Random) -> Example | None:
    """The same sentences as list items, steps or code, or under a heading. None if there is only one sentence."""
    count = len(example.sentences)
    if count < 2:  # nothing to list
        return None
    kind = rng.choice(["items", "steps", "section", "code"])
    if kind == "items":
        return rebuilt(example, ["", *[rng.choice("-*+") + " "] * (count - 1)], "\n")
    if kind == "steps":
        return rebuilt(example, [f"{number}. " for number in range(1, count + 1)], "\n")
    if kind == "code":
        return rebuilt(example, ["", *["    "] * (count - 1)], "\n\n")
    words = keywords(example.text[slice(*example.sentences[0])]).split()[:HEADING_WORDS]
    return rebuilt(example, [f"## {' '.join(words)}\n\n", *[""] * (count - 1)], " ")


def table(examples: Sequence[Example], rng: random.Random) -> Example | None:
    """A table with one row per question, and one of the questions. None if too few have a short answer."""
    cells = [(example, row_of(example)) for example in examples]
    rows = [(example, cell) for example, cell in cells if cell][: rng.randrange(*ROWS)]
    if len(rows) < ROWS[0]:
        return None
    right = rng.randrange(len(rows))
    text = f"| {rng.choice(NAMES)} | {rng.choice(VALUES)} |\n|---|---|\n"
    answer = Span(0, 0)
    for number, (_, (name, value)) in enumerate(rows):
        start = len(text) + len(f"| {name} | ")
        answer = Span(start, start + len(value)) if number == right else answer
        text += f"| {name} | {value} |\n"
    return as_indexed(replace(rows[right][0], above=""), text.rstrip("\n"), [answer], [answer])


def row_of(example: Example) -> tuple[str, str] | None:
    """The two cells of a row: the keywords of the question, and the answer. None if they do not fit."""
    if not example.answers:
        return None
    value = SPACE.sub(" ", example.text[slice(*example.answers[0])]).strip()
    name = keywords(example.question).strip("?!. ")
    return (name, value) if value and len(value) <= CELL and name and "|" not in name + value else None


def rebuilt(example: Example, marks: Sequence[str], end: str) -> Example | None:
    """The sentences joined, each with its marker. None if an answer spans several sentences."""
    text, answers, right = "", [], []
    for number, (span, mark) in enumerate(zip(example.sentences, marks, strict=True)):
        sentence = example.text[slice(*span)]
        begin = span.start + len(sentence) - len(sentence.lstrip())
        start = len(text) + len(mark)
        body = SPACE.sub(" ", sentence.strip())
        text += mark + body + end
        if number in example.right:
            right.append(Span(start, start + len(body)))
        for answer in example.answers:
            shifted = Span(answer.start - begin + start, answer.end - begin + start)
            if start <= shifted.start and shifted.end <= start + len(body):
                answers.append(shifted)
    inside = [each for each in answers if text[slice(*each)] in {example.text[slice(*a)] for a in example.answers}]
    return None if example.answers and not inside else as_indexed(example, text.rstrip(), inside, right)


def as_indexed(example: Example, text: str, answers: list[Span], right: Sequence[Span]) -> Example | None:
    """The example with the sentences and headings that an index would find. None if too long for a passage."""
    _, text_blocks = blocks(text)
    sentences = split(text, text_blocks)
    if not sentences or not fits(text, ()):
        return None
    above = example.above or context("", sentences[-1].headings)
    spans = [each.span for each in sentences]
    places = [place for place, span in enumerate(spans) if any(touch(span, each) for each in right)]
    return replace(example, above=above, text=text, sentences=spans, answers=answers, right=places, context=text)


def tables(examples: Sequence[Example], rng: random.Random) -> Iterator[Example]:
    """Tables from successive runs of neighbouring questions."""
    for start in range(0, len(examples), ROWS[1]):
        example = table(examples[start : start + ROWS[1]], rng)
        if example is not None:
            yield example
