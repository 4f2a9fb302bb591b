"""Passages as Markdown has them, made from lessons: lists, steps, tables, code with its introduction, headings.

The text is cut into sentences as an index cuts it, markers and all.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from eval.training.examples import Lesson, fits, touch
from eval.training.queries import keywords
from index.text.formats.markdown import blocks
from index.text.passages import context
from index.text.sentences import split
from index.types import Span

ROWS = (3, 8)  # rows of a table: from, below
CELL = 60  # characters of an answer that fits a cell
HEADING_WORDS = 5
NAMES = ("Name", "Item", "Key", "Setting", "Topic", "Entry")
VALUES = ("Value", "Description", "Meaning", "Default", "Note")
SPACE = re.compile(r"\s+")


def page(lesson: Lesson, dice: random.Random) -> Lesson | None:
    """The same sentences as items, as steps, or under a heading; None where there is only one."""
    count = len(lesson.sentences)
    if count < 2:  # nothing to list
        return None
    kind = dice.choice(["items", "steps", "section", "code"])
    if kind == "items":
        return rebuilt(lesson, ["", *[dice.choice("-*+") + " "] * (count - 1)], "\n")
    if kind == "steps":
        return rebuilt(lesson, [f"{number}. " for number in range(1, count + 1)], "\n")
    if kind == "code":
        return rebuilt(lesson, ["", *["    "] * (count - 1)], "\n\n")
    words = keywords(lesson.text[slice(*lesson.sentences[0])]).split()[:HEADING_WORDS]
    return rebuilt(lesson, [f"## {' '.join(words)}\n\n", *[""] * (count - 1)], " ")


def table(lessons: Sequence[Lesson], dice: random.Random) -> Lesson | None:
    """A table that answers several questions, a row each, and one of the questions; None where there are too few."""
    cells = [(lesson, row_of(lesson)) for lesson in lessons]
    rows = [(lesson, cell) for lesson, cell in cells if cell][: dice.randrange(*ROWS)]
    if len(rows) < ROWS[0]:
        return None
    right = dice.randrange(len(rows))
    text = f"| {dice.choice(NAMES)} | {dice.choice(VALUES)} |\n|---|---|\n"
    answer = Span(0, 0)
    for number, (_, (name, value)) in enumerate(rows):
        start = len(text) + len(f"| {name} | ")
        answer = Span(start, start + len(value)) if number == right else answer
        text += f"| {name} | {value} |\n"
    return as_indexed(replace(rows[right][0], above=""), text.rstrip("\n"), [answer], [answer])


def row_of(lesson: Lesson) -> tuple[str, str] | None:
    """The words of the question, and the answer."""
    if not lesson.answers:
        return None
    value = SPACE.sub(" ", lesson.text[slice(*lesson.answers[0])]).strip()
    name = keywords(lesson.question).strip("?!. ")
    return (name, value) if value and len(value) <= CELL and name and "|" not in name + value else None


def rebuilt(lesson: Lesson, marks: Sequence[str], end: str) -> Lesson | None:
    """The sentences one after another, each behind its mark; None where an answer runs over several."""
    text, answers, right = "", [], []
    for number, (span, mark) in enumerate(zip(lesson.sentences, marks, strict=True)):
        said = lesson.text[slice(*span)]
        begin = span.start + len(said) - len(said.lstrip())
        start = len(text) + len(mark)
        body = SPACE.sub(" ", said.strip())
        text += mark + body + end
        if number in lesson.right:
            right.append(Span(start, start + len(body)))
        for answer in lesson.answers:
            moved = Span(answer.start - begin + start, answer.end - begin + start)
            if start <= moved.start and moved.end <= start + len(body):
                answers.append(moved)
    kept = [each for each in answers if text[slice(*each)] in {lesson.text[slice(*a)] for a in lesson.answers}]
    return None if lesson.answers and not kept else as_indexed(lesson, text.rstrip(), kept, right)


def as_indexed(lesson: Lesson, text: str, answers: list[Span], right: Sequence[Span]) -> Lesson | None:
    """With the sentences and headings that an index sees in this Markdown; None where it is too long for a passage."""
    _, found = blocks(text)
    sentences = split(text, found)
    if not sentences or not fits(text, ()):
        return None
    above = lesson.above or context("", sentences[-1].headings)
    spans = [each.span for each in sentences]
    places = [place for place, span in enumerate(spans) if any(touch(span, each) for each in right)]
    return replace(lesson, above=above, text=text, sentences=spans, answers=answers, right=places, context=text)


def tables(lessons: Sequence[Lesson], dice: random.Random) -> Iterator[Lesson]:
    """Tables of neighbouring questions, as long as there are any."""
    for start in range(0, len(lessons), ROWS[1]):
        made = table(lessons[start : start + ROWS[1]], dice)
        if made is not None:
            yield made
