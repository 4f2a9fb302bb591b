"""Joins the lines of a paragraph, and words hyphenated at the end of a line.

PDFium returns the same character for an inserted hyphen and one that belongs to the word, so the rest of the document
decides: "well-" and "known" become "well-known" if that occurs elsewhere and "wellknown" does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from index.text.formats.pdf.lines import Line

WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
LAST_WORD = re.compile(r"([^\W_]+(?:[-\u2010][^\W_]+)*)[-\u2010\xad]$")
FIRST_WORD = re.compile(r"[^\W_]+")
CJK = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef]")
# First parts that are rarely written without their hyphen.
ALWAYS = frozenset(
    {"well", "self", "non", "ex", "cross", "half", "long", "short", "high", "low", "state", "so", "twenty"}
)


class Join(NamedTuple):
    drop: bool  # drop the last character of the first line
    space: bool  # insert a space between the lines


class Vocabulary:
    """The words of a document, without those at line ends that may be fragments."""

    def __init__(self, columns: Iterable[Sequence[Line]]) -> None:
        self.words: set[str] = set()
        for lines in columns:
            for before, line in pairwise([None, *lines]):
                words = WORD.findall(line.text.casefold()) if line else []
                if before and before.is_hyphenated:
                    words = words[1:]
                self.words.update(words[:-1] if line and line.is_hyphenated else words)

    def join(self, line: Line, following: Line) -> Join:
        """How to join a line and its continuation."""
        if not line.is_hyphenated:
            last, first = line.text[-1:], following.text[:1]
            closed = "\u2014" in {last, first} or (CJK.match(last) and CJK.match(first))
            return Join(drop=False, space=not closed)
        if line.text[-1] == "\xad":
            return Join(drop=True, space=False)
        return Join(drop=not self._keeps_hyphen(line.text, following.text), space=False)

    def _keeps_hyphen(self, before: str, after: str) -> bool:
        head, tail = LAST_WORD.search(before), FIRST_WORD.match(after)
        if head is None or tail is None or not after[0].islower() or not before[-2].isalpha():
            return True  # "Anglo-Saxon", "COVID-19", "2019-2020"
        first, second = head[1].casefold().replace("\u2010", "-"), tail[0].casefold()
        if first + second in self.words:
            return False
        if f"{first}-{second}" in self.words:
            return True
        return first in ALWAYS or ("-" in first and second in self.words)
