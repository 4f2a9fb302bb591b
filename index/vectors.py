"""Dense search: a FAISS index derived from the store. The only module that imports faiss."""

from __future__ import annotations

import os
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index.types import Vectors


class VectorIndex:
    """Exact inner-product search over numbered vectors. Never changed once made: `updated` gives a new one."""

    def __init__(self, numbered: faiss.IndexIDMap) -> None:
        self._numbered = numbered
        self.numbers: NDArray[np.int64] = faiss.vector_to_array(numbered.id_map)  # the passage of each row, ascending

    @classmethod
    def of(cls, numbers: NDArray[np.int64], vectors: Vectors) -> VectorIndex:
        """An index of `vectors` [n, dimension] for the passages `numbers` [n], ascending."""
        numbered = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
        numbered.add_with_ids(vectors, numbers)
        return cls(numbered)

    @classmethod
    def open(cls, path: Path, dimension: int) -> VectorIndex | None:
        """What was saved, or None where the file is damaged or of another dimension: it can be derived again."""
        try:
            index = faiss.read_index(str(path))
        except RuntimeError:
            return None
        if not isinstance(index, faiss.IndexIDMap) or index.d != dimension or index.ntotal != index.id_map.size():
            return None
        return cls(index)

    def save(self, path: Path) -> None:
        unfinished = path.with_suffix(".new")
        faiss.write_index(self._numbered, str(unfinished))
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)

    def updated(self, live: NDArray[np.int64], numbers: NDArray[np.int64], vectors: Vectors) -> VectorIndex:
        """Keep what belongs to the passages `live`; add `vectors` [n, dimension] for the passages `numbers` [n]."""
        kept = np.isin(self.numbers, live)
        return VectorIndex.of(
            np.concatenate([self.numbers[kept], numbers]), np.concatenate([self._vectors()[kept], vectors])
        )

    def search(self, query: Vectors, depth: int, among: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """The best passages for `query` [dimension], as (number, cosine), best first, ties by number.

        `among` restricts the search to the passages with these numbers.
        """
        parameters = None
        if among is not None:
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(self._bitmap(among)))
        cosines, numbers = self._numbered.search(
            query[None, :], max(1, min(depth, len(self.numbers))), params=parameters
        )
        found = numbers[0] >= 0  # FAISS pads short results with -1
        hits = zip(numbers[0][found].tolist(), cosines[0][found].tolist(), strict=True)
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def _bitmap(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        marked = np.zeros(int(self.numbers.max(initial=-1)) + 1, bool)
        marked[numbers[numbers < len(marked)]] = True
        return np.packbits(marked, bitorder="little")

    def _vectors(self) -> Vectors:
        flat = faiss.downcast_index(self._numbered.index)
        vectors: Vectors = flat.reconstruct_n(0, flat.ntotal).reshape(-1, flat.d)
        return vectors
