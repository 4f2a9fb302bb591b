"""The input of the reader: question and passage as word pieces, with their positions in the passage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.types import Span

Integers = NDArray[np.int64]

WINDOW = 512  # word pieces per run of the network
LONGEST_QUESTION = 160  # word pieces; a longer question is truncated
LONGEST_ABOVE = 48  # word pieces of title and headings
OVERLAP = 32  # word pieces shared by two windows of a long passage


class Pair(Struct, frozen=True):
    """One window: [CLS] question [SEP] title, headings and passage [SEP]."""

    ids: list[int]
    types: list[int]  # 0 for the question, 1 for the passage
    first: int  # index of the passage's first piece in `ids`
    spans: list[Span]  # of the passage's pieces, in code points of the passage


class Pairs:
    """A tokenizer without truncation or padding, not shared with a model and so thread-safe."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
        if first is None or last is None:
            raise ValueError("the tokenizer has no [CLS] and [SEP]")
        self._open, self._close = first, last

    def question(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids[:LONGEST_QUESTION]

    def windows(self, question: list[int], above: str, text: str) -> list[Pair]:
        """The pair, in several windows if the passage is too long for one."""
        heading = self._tokenizer.encode(above, add_special_tokens=False).ids[:LONGEST_ABOVE] if above else []
        passage = self._tokenizer.encode(text, add_special_tokens=False)
        head = [self._open, *question, self._close, *heading]
        room = WINDOW - len(head) - 1
        windows = []
        for start in starts(len(passage.ids), room):
            ids = [*head, *passage.ids[start : start + room], self._close]
            types = [0] * (len(question) + 2) + [1] * (len(ids) - len(question) - 2)
            spans = [Span(*offsets) for offsets in passage.offsets[start : start + room]]
            windows.append(Pair(ids, types, len(head), spans))
        return windows


def starts(length: int, room: int) -> list[int]:
    """The starts of the windows: (10, 6) with an overlap of 2 -> 0, 4."""
    step = room - OVERLAP
    return list(range(0, max(length - OVERLAP, 1), step))


def within(spans: Sequence[Span], sentence: Span) -> slice:
    """The pieces of a sentence, as a range of indices into the pieces of the passage.

    Pieces are in order, so they form one range.
    """
    inside = [place for place, span in enumerate(spans) if span.start < sentence.end and sentence.start < span.end]
    return slice(inside[0], inside[-1] + 1) if inside else slice(0, 0)
