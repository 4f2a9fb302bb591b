"""The only fake in the tests: an encoder without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from index.types import Vectors

WORD = re.compile(r"\w+")


class FakeEncoder:
    """A hashed bag of words: texts that share words have a high cosine, and equal texts have equal vectors.

    Each lower-case word adds one to the vector at a position given by its hash. A word is one word piece, plus two
    special ones per text, as in a real model. Results are deterministic.
    """

    def __init__(self, name: str = "fake", dimension: int = 64, window: int = 256) -> None:
        self.name = name
        self.sha256 = blake2b(f"{name} {dimension} {window}".encode(), digest_size=32).hexdigest()
        self.dimension = dimension
        self.window = window

    def count(self, text: str) -> int:
        """Words plus the two special pieces: "to be, or not" -> 6."""
        return len(WORD.findall(text)) + 2

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in WORD.findall(text.lower()) or [""]:
                vector[_place(word, self.dimension)] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def _place(word: str, dimension: int) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) % dimension
