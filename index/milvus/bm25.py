"""BM25 as tantivy computes it, so that a passage has the same score in every store.

The engine's own scores depend on its segments: rows of other collections, replaced versions and unsealed segments count
differently over time. So the engine only finds the candidates, and this module scores them from the collection's own
counts.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

K1, B = 1.2, 0.75
EXACT = 24  # lengths up to this are exact
# Lengths that one byte can encode, as in Lucene: a length is rounded down to the nearest of these.
LENGTHS = [
    *range(EXACT),
    *(EXACT + (i if i < 8 else (i & 7 | 8) << (i >> 3) - 1) for i in range(256 - EXACT)),
]


def rarity(passages: int, holding: int) -> float:
    """The inverse document frequency of a term: never negative, about 0 for a term that is everywhere."""
    return math.log(1 + (passages - holding + 0.5) / (holding + 0.5)) if passages >= holding else 0.0


def scores(
    query_terms: Sequence[str],
    candidates: Mapping[int, Sequence[str]],
    holding: Mapping[str, int],
    passages: int,
    words: int,
) -> dict[int, float]:
    """The BM25 of each candidate that contains any of the `query_terms`.

    `candidates`: their terms in any order. `holding`: the number of passages with each term. `passages` and `words`:
    totals of the collection.
    """
    average = np.float32(words / max(passages, 1)) or np.float32(1)
    weights = {term: np.float32(rarity(passages, holding[term]) * (1 + K1)) for term in sorted(set(query_terms))}
    totals: dict[int, float] = {}
    for number, terms in candidates.items():
        length = np.float32(LENGTHS[bisect_right(LENGTHS, len(terms)) - 1])
        norm = np.float32(K1 * (1 - B + B * length / average))
        counts = Counter(term for term in terms if term in weights)
        if counts:
            score = np.float32(0)
            for term in sorted(counts):
                count = np.float32(counts[term])
                score += weights[term] * (count / (count + norm))
            totals[number] = float(score)
    return totals
