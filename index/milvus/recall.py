"""Measures the recall of HNSW on a collection."""

from __future__ import annotations

import threading

import numpy as np

from index.milvus.partition import Part
from index.search.vectors import DEEP, MIXED, SEED

DRAWN = 400  # vectors averaged into each query
QUERIES = 20
EXHAUSTIVE = 8192  # HNSW's `ef` in the reference search
# A collection that grew or shrank by this share is measured again. Its recall changes slowly: it is the same to three
# digits from 1,000 to 100,000 passages (`make bench-stores`).
OUTGROWN = 0.2


class Recall:
    """The recall@10 of a collection, measured on demand and cached until its size changes by OUTGROWN."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._measuring = threading.Lock()
        self._passages = 0
        self._recall = 1.0

    def of(self, passages: int) -> float:
        """The recall at a size of `passages`."""
        with self._measuring:
            if abs(passages - self._passages) > OUTGROWN * self._passages:
                self._recall, self._passages = self._measured(), passages
            return self._recall

    def _measured(self) -> float:
        """Queries are means of random vectors, about as far from passages as questions are."""
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
