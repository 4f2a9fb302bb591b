"""Fuses the rankings of dense search and term search into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from index.types import Hit, StoredPassage

CANDIDATES = 100  # passages fetched from each of the two searches


class Fusion(Struct, frozen=True):
    """Weighted reciprocal rank fusion: score = sum of weight / (constant + rank), ranks from 1.

    Cormack, Clarke and Büttcher, SIGIR 2009. `eval/training/fitting.py` fits the values.
    """

    dense: float = 0.5
    terms: float = 1.0
    constant: int = 5

    def scores(self, dense: Sequence[int], terms: Sequence[int]) -> dict[int, float]:
        """The score of each passage in either ranking. Rankings are sorted best first."""
        scores: dict[int, float] = defaultdict(float)
        for weight, ranking in ((self.dense, dense), (self.terms, terms)):
            for rank, number in enumerate(ranking, start=1):
                scores[number] += weight / (self.constant + rank)
        return scores

    def hits(
        self,
        dense: Mapping[int, float],
        terms: Mapping[int, float],
        depth: int,
        read: Callable[[Sequence[int]], Mapping[int, StoredPassage]],
    ) -> list[Hit]:
        """Fuse two rankings (number to cosine or BM25, best first); the `depth` best passages, best first.

        `read` returns the passages with these numbers, without those deleted meanwhile.
        """
        scores = self.scores(list(dense), list(terms))
        best = sorted(scores, key=lambda number: (-scores[number], number))
        hits: list[Hit] = []
        for start in range(0, len(best), depth):  # one pass, unless passages were deleted meanwhile
            numbers = best[start : start + depth]
            passages = read(numbers)
            hits += [Hit(passages[n], scores[n], dense.get(n), terms.get(n)) for n in numbers if n in passages]
            if len(hits) >= depth:
                break
        return hits[:depth]
