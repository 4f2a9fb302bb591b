"""Passages: windows of whole sentences that fit the token budget and the encoder.

Every sentence is in at least one passage. Only a sentence too long for any window is split for retrieval, at white
space if possible; its parts together are the sentence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import groupby

import regex

from index.types import Passage, Sentence, Span

Fits = Callable[[str, tuple[str, ...]], bool]  # text to embed of a passage, and the headings above it
Read = Callable[[int, int, Span], str]  # text to embed of sentences first to last; the span is the passage

FEW = 2  # sentences of a list or table; fewer are not put at the end of a window
LONGEST_PART = 2000  # code points: how far to look ahead for a part; no encoder's window holds more
GRAPHEME = regex.compile(r"\X")
SPACE = regex.compile(r"\s+")


def split(
    text: str, sentences: Sequence[Sentence], fits: Fits, overlap: int, read: Read | None = None
) -> list[Passage]:
    """Windows of sentences under one heading, sharing `overlap` sentences: size 3, overlap 1: abcde -> abc, cde.

    `read`: what is read of a passage, the text itself by default. A list stays with what introduces it, and a table
    with its header, where both fit one window.
    """
    passages: list[Passage] = []
    for numbers in sections(sentences):
        passages += windows(text, sentences, numbers, fits, overlap, read=read)
    return passages


def sections(sentences: Sequence[Sentence]) -> list[range]:
    """Runs of sentences under the same headings; a heading without text of its own starts the next section."""
    runs: list[range] = []
    opening: tuple[str, ...] = ()  # the path to the last heading, while the section has nothing else
    for headings, group in groupby(range(len(sentences)), key=lambda number: sentences[number].headings):
        numbers = list(group)
        inside = bool(opening) and headings[: len(opening)] == opening
        first = runs.pop()[0] if inside else numbers[0]
        runs.append(range(first, numbers[-1] + 1))
        opening = headings if len(numbers) == 1 else ()
    return runs


def context(title: str, headings: tuple[str, ...]) -> str:
    """The line put before a passage for embedding, never cited: title and headings.

    ("Treaty", ("Treaty", "Scope")) -> "Treaty › Scope" and a line feed
    """
    above = headings if title in headings else (title, *headings)
    return " › ".join(above) + "\n" if any(above) else ""


def windows(
    text: str, sentences: Sequence[Sentence], numbers: range, fits: Fits, overlap: int, *, read: Read | None = None
) -> list[Passage]:
    """The passages of one section."""
    headings = sentences[numbers[-1]].headings

    def span(first: int, last: int) -> Span:
        return Span(sentences[first].span.start, sentences[last].span.end)

    def holds(first: int, last: int) -> bool:
        whole = span(first, last)
        return fits(text[slice(*whole)] if read is None else read(first, last, whole), headings)

    passages = []
    first, end = numbers[0], numbers[-1]
    groups = group_starts(sentences, numbers)
    while first <= end:
        if not holds(first, first):
            passages += parts(text, first, sentences[first], fits)
            first += 1
            continue
        last = first
        while last < end and holds(first, last + 1):
            last += 1
        group = groups.get(last + 1)  # the list or table that this window would split
        if last < end and group and first < group[0] and (holds(*group) or last - group[0] < FEW):
            last = group[0] - 1
            passages.append(Passage(first, last, span(first, last), headings))
            first = group[0]
            continue
        passages.append(Passage(first, last, span(first, last), headings))
        if last == end:
            break
        # Overlap only if the next window still grows beyond the shared sentences.
        first = max(first + 1, last + 1 - overlap)
        while first <= last and not holds(first, last + 1):
            first += 1
    return passages


def group_starts(sentences: Sequence[Sentence], numbers: range) -> dict[int, tuple[int, int]]:
    """For each sentence in a list, table or similar group, the group's first and last sentence."""
    groups: dict[int, tuple[int, int]] = {}
    for number in numbers:
        if (group := sentences[number].block.group) is not None:
            groups[group] = (groups[group][0] if group in groups else number, number)
    return {n: groups[g] for n in numbers if (g := sentences[n].block.group) is not None}


def parts(text: str, number: int, sentence: Sentence, fits: Fits) -> list[Passage]:
    """Split an overlong sentence into the longest parts that fit."""
    start, end = sentence.span
    passages = []
    while start < end:
        stop = longest_part(text, Span(start, end), lambda part: fits(part, sentence.headings))
        passages.append(Passage(number, number, Span(start, stop), sentence.headings))
        blank = SPACE.match(text, stop, end)
        start = blank.end() if blank else stop
    return passages


def longest_part(text: str, span: Span, fits: Callable[[str], bool]) -> int:
    """The end of the first part of `span`: before white space, else between graphemes, else after one code point."""
    ahead = text[span.start : min(span.end, span.start + LONGEST_PART)]
    if len(ahead) == span.end - span.start and fits(ahead):
        return span.end
    for cuts in ([m.start() for m in SPACE.finditer(ahead)], [m.end() for m in GRAPHEME.finditer(ahead)][:-1]):
        fitting = bisect_left(cuts, 1, key=lambda cut: int(not fits(ahead[:cut])))
        if fitting:
            return span.start + cuts[fitting - 1]
    return span.start + 1
