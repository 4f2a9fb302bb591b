"""What HNSW finds of what there is to find, measured on the collection itself."""

from __future__ import annotations

import threading

import numpy as np

from index.milvus.partition import Part
from index.search.vectors import DEEP, MIXED, SEED

DRAWN = 400  # vectors that queries are mixed of
QUERIES = 20
EXHAUSTIVE = 8192  # candidates that HNSW is let keep for comparison
OUTGROWN = 0.2  # by such a share a collection may grow or shrink before recall is measured again


class Recall:
    """Recall@10 of a collection, measured when it is asked for and kept until the collection has outgrown it."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._measuring = threading.Lock()
        self._passages = 0
        self._recall = 1.0

    def of(self, passages: int) -> float:
        """The recall at about so many passages."""
        with self._measuring:
            if abs(passages - self._passages) > OUTGROWN * self._passages:
                self._recall, self._passages = self._measured(), passages
            return self._recall

    def _measured(self) -> float:
        """Queries lie as far off as questions do: each in the middle of some of the vectors, drawn at random."""
        engine, table, rows = self._part.engine, self._part.table.name, self._part.rows
        vectors = np.array([row["vector"] for row in engine.rows(table, rows, ["vector"], limit=DRAWN)], np.float32)
        if not len(vectors):
            return 1.0
        drawn = np.random.default_rng(SEED).integers(0, len(vectors), (QUERIES, MIXED))
        shares = []
        for query in vectors[drawn].mean(axis=1):
            usual, best = (
                engine.nearest(table, query.tolist(), DEEP, rows, [], examined=examined)
                for examined in (None, EXHAUSTIVE)
            )
            shares.append(sum(cosine >= best[-1][0] for cosine, _ in usual) / len(best))
        return min(1.0, float(np.mean(shares)))
