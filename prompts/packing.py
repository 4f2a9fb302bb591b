"""Packs texts into a token budget, best first, each part under a mark by which it is cited.

Used for two prompts: passages for the caller's own model, under `[1]`, and sentences that a language model chooses
from, under `1.`. Documents are shown one after another, the one with the best part first, and each in the order of its
text. So a pronoun follows what it refers to, and neighbouring parts are joined.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import count, islice, zip_longest

from msgspec import Struct

from index.types import Span

MARKED = re.compile(r"\[[0-9]+\]")
WORD = re.compile(r"[^\W_]")
APART = "\n\n"

TextOf = Callable[[int], str]  # document text by document number
Layout = Callable[[Sequence["Run"]], list[str]]  # measures blocks of text; no token spans two blocks
Count = Callable[[str], int]


class Run(Struct, frozen=True):
    """Consecutive sentences of a document, or part of a sentence that is too long for a passage."""

    document: int
    first: int
    last: int
    span: Span  # code points

    @property
    def sentences(self) -> int:
        return self.last - self.first + 1

    def meets(self, other: Run) -> bool:
        """Whether two runs share a sentence."""
        return self.document == other.document and self.first <= other.last and other.first <= self.last


class Packed(Struct, frozen=True):
    runs: list[Run]  # in the order they were added
    tokens: int
    left_out: int  # offers that are missing or cut


def pack(offers: Sequence[Sequence[Run]], layout: Layout, budget: int, count: Count) -> Packed:
    """Add offers, best first, while they fit. The first that does not fit is cut at a sentence and is the last.

    An offer is a passage as its sentences, or one sentence. Sentences already included are not added again.
    """
    counted = cache(count)  # most blocks do not change when an offer is added

    def tokens(runs: Iterable[Run]) -> int:
        return sum(map(counted, layout(list(runs))))

    packed: dict[Run, None] = {}
    whole = 0
    for offer in offers:
        new = [run for run in offer if run not in packed]

        def too_many(length: int, new: Sequence[Run] = new) -> bool:
            return tokens([*packed, *new[:length]]) > budget

        fitting = len(new) if not too_many(len(new)) else bisect_left(range(1, len(new)), True, key=too_many)  # noqa: FBT003
        packed.update(dict.fromkeys(new[:fitting]))
        whole += fitting == len(new)
        if 0 < fitting < len(new):
            break
    return Packed(list(packed), tokens(packed), len(offers) - whole)


def in_reading_order(runs: Sequence[Run]) -> list[Run]:
    """Sort by document, the one of the first run first, and then by position."""
    rank = {run.document: -place for place, run in enumerate(reversed(runs))}
    return sorted(runs, key=lambda run: (rank[run.document], run.span))


def joined(runs: Sequence[Run], text_of: TextOf) -> list[Run]:
    """In reading order, with neighbours joined: nothing that can be read separates them.

    That is white space, or the rule below the header of a table. Sentences 3, 7 and 4 of a document -> 3 to 4, 7.
    """
    merged: list[Run] = []
    for run in in_reading_order(runs):
        before = merged[-1] if merged else None
        if (
            before
            and before.document == run.document
            and run.first <= before.last + 1
            and not WORD.search(text_of(run.document), before.span.end, run.span.start)
        ):
            whole = Span(before.span.start, max(before.span.end, run.span.end))
            merged[-1] = Run(run.document, before.first, max(before.last, run.last), whole)
        else:
            merged.append(run)
    return merged


class Passages:
    """The layout of passages: each run under a mark in square brackets, separated by blank lines.

    Marks are unique in the text: numbers that a document itself has in square brackets are skipped.
    """

    def __init__(self, offers: Iterable[Sequence[Run]], text_of: TextOf) -> None:
        self._text_of = text_of
        every = joined([run for offer in offers for run in offer], text_of)  # a mark may merge with the next part
        self._used_marks = {mark for run in every for mark in MARKED.findall(self._text(run))}

    def __call__(self, runs: Sequence[Run]) -> list[str]:
        blocks = [f"{mark} {self._text(run)}{APART}" for mark, run in self.marked(runs)]
        return [*blocks[:-1], *(block.removesuffix(APART) for block in blocks[-1:])]

    def marked(self, runs: Sequence[Run]) -> list[tuple[str, Run]]:
        """Each run as shown, with its mark."""
        together = joined(runs, self._text_of)
        return list(zip(islice(self._marks(), len(together)), together, strict=True))

    def _marks(self) -> Iterator[str]:
        return (mark for number in count(1) if (mark := f"[{number}]") not in self._used_marks)

    def _text(self, run: Run) -> str:
        return self._text_of(run.document)[slice(*run.span)]


class Numbered:
    """The layout of sentences to choose from: one per line under `1.`, `2.`, …, a blank line between documents.

    White space within a sentence becomes a single space, so that no sentence looks like several.
    """

    def __init__(self, text_of: TextOf) -> None:
        self._text_of = text_of

    def __call__(self, runs: Sequence[Run]) -> list[str]:
        ordered = in_reading_order(runs)
        blocks = []
        for number, (run, following) in enumerate(zip_longest(ordered, ordered[1:]), start=1):
            line = " ".join(self._text_of(run.document)[slice(*run.span)].split())
            apart = "" if following is None else "\n" if following.document == run.document else APART
            blocks.append(f"{number}. {line}{apart}")
        return blocks
