"""Word pieces: counts them in a text, splits a text into encoder windows, and averages the windows' vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from index.types import Vectors

Vector = NDArray[np.float32]  # [dimension]
Window = list[int]  # word piece ids, special tokens included; never more than the encoder takes


class Pieces:
    """A tokenizer without truncation or padding, not shared with a model and so thread-safe."""

    def __init__(self, tokenizer: Tokenizer, window: int) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.window = window
        self.before, self.after = _special(self._encode("a", special=True))
        self.room = window - len(self.before) - len(self.after)

    def count(self, text: str) -> int:
        """The number of word pieces, special tokens included: "" -> 2 for a model of the BERT family."""
        return len(self._encode(text, special=True))

    def windows(self, text: str) -> list[Window]:
        """Split a text into windows. With 5 pieces each, 2 of them special: abcde -> [abc], [de]. "" has one window."""
        pieces = self._encode(text, special=False).ids
        starts = range(0, max(len(pieces), 1), self.room)
        return [self.before + pieces[start : start + self.room] + self.after for start in starts]

    def encode(self, texts: Sequence[str], run: Callable[[list[Window]], Vectors]) -> Vectors:
        """Encode texts with `run`, which encodes windows: float32 [len(texts), dimension], unit length.

        A text of several windows gets their mean, weighted by the number of word pieces without special tokens.
        """
        cut = [self.windows(text) for text in texts]
        vectors = _unit(run(list(chain.from_iterable(cut))))
        ends = list(accumulate((len(windows) for windows in cut), initial=0))
        if len(vectors) == len(texts):
            return vectors
        parts = (vectors[start:end] for start, end in pairwise(ends))
        return np.stack([self._joined(part, windows) for part, windows in zip(parts, cut, strict=True)])

    def _joined(self, vectors: Vectors, windows: list[Window]) -> Vector:
        if len(windows) > 1:
            special = len(self.before) + len(self.after)
            weights = np.array([len(window) - special for window in windows], dtype=np.float32)
            vectors = _unit((vectors * weights[:, None]).sum(axis=0, keepdims=True))
        vector: Vector = vectors[0]
        return vector

    def _encode(self, text: str, *, special: bool) -> Encoding:
        # The plain `encode` also tracks offsets, which takes three times as long on a text of megabytes.
        return self.tokenizer.encode_batch_fast([text], add_special_tokens=special)[0]


def _special(encoding: Encoding) -> tuple[Window, Window]:
    """The special tokens before and after a text."""
    inner = [place for place, special in enumerate(encoding.special_tokens_mask) if not special]
    return encoding.ids[: inner[0]], encoding.ids[inner[-1] + 1 :]


def _unit(vectors: Vectors) -> Vectors:
    # Summed row by row, so that a row's bits do not depend on the number of rows.
    lengths = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
    return (vectors / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)
