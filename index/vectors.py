"""Dense search: a FAISS index derived from the store. The only module that imports faiss."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index.disk import sync, take_place, told_in
from index.seals import seal, sealed
from index.types import Vectors


class VectorIndex:
    """Inner-product search over numbered vectors: a base, what came after it, and what is gone of both.

    Never changed once made: `updated` gives a new one that shares the base, so a small change costs little.
    """

    def __init__(self, base: faiss.IndexIDMap, tail: faiss.IndexIDMap, gone: NDArray[np.int64]) -> None:
        self._base = base
        self._tail = tail
        self._gone = gone
        self._numbers = np.concatenate([numbers_of(base), numbers_of(tail)])
        self.count = len(self._numbers) - len(gone)

    @classmethod
    def of(cls, numbers: NDArray[np.int64], vectors: Vectors) -> VectorIndex:
        """An index of `vectors` [n, dimension] for the passages `numbers` [n]."""
        return cls(numbered(numbers, vectors), nothing(vectors.shape[1]), np.empty(0, np.int64))

    @classmethod
    def open(cls, path: Path, dimension: int) -> VectorIndex | None:
        """What was saved, or None where the file is damaged or of another dimension: it can be derived again."""
        if not sealed(path):
            return None
        try:
            index = faiss.read_index(str(path))
        except (RuntimeError, MemoryError):  # a size that is not true may ask for any amount
            return None
        if not isinstance(index, faiss.IndexIDMap) or index.d != dimension or index.ntotal != index.id_map.size():
            return None
        return cls(index, nothing(dimension), np.empty(0, np.int64))

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The passages that are here."""
        return self._numbers[~np.isin(self._numbers, self._gone)]

    @property
    def loose(self) -> int:
        """How many vectors are not in the base, or are there and should not be."""
        return int(self._tail.ntotal) + len(self._gone)

    def save(self, path: Path) -> None:
        """Write the base. `consolidated` gives an index that is all base. Raises OSError."""
        unfinished = path.with_suffix(".new")
        try:
            faiss.write_index(self._base, str(unfinished))
            seal(unfinished)
            sync(unfinished)
            take_place(unfinished, path)
        except (RuntimeError, OSError) as error:
            unfinished.unlink(missing_ok=True)
            raise told_in(error) from error

    def updated(self, gone: NDArray[np.int64], numbers: NDArray[np.int64], vectors: Vectors) -> VectorIndex:
        """Leave out the passages `gone`; add `vectors` [n, dimension] for the passages `numbers` [n]."""
        tail = numbered(
            np.concatenate([numbers_of(self._tail), numbers]), np.concatenate([vectors_of(self._tail), vectors])
        )
        return VectorIndex(self._base, tail, np.union1d(self._gone, gone[np.isin(gone, self._numbers)]))

    def consolidated(self) -> VectorIndex:
        """The same, all in one base."""
        kept = ~np.isin(self._numbers, self._gone)
        vectors = np.concatenate([vectors_of(self._base), vectors_of(self._tail)])
        return VectorIndex.of(self._numbers[kept], vectors[kept])

    def search(self, query: Vectors, depth: int, among: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """The best passages for `query` [dimension], as (number, cosine), best first, ties by number.

        `among` restricts the search to the passages with these numbers.
        """
        parameters = None
        if among is not None or len(self._gone):
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(self._bitmap(among)))
        hits: list[tuple[int, float]] = []
        for part in (self._base, self._tail):
            if part.ntotal:
                cosines, numbers = part.search(query[None, :], min(depth, part.ntotal), params=parameters)
                found = numbers[0] >= 0  # FAISS pads short results with -1
                hits += zip(numbers[0][found].tolist(), cosines[0][found].tolist(), strict=True)
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:depth]

    def _bitmap(self, among: NDArray[np.int64] | None) -> NDArray[np.uint8]:
        marked = np.full(int(self._numbers.max(initial=-1)) + 1, among is None, bool)
        if among is not None:
            marked[among[among < len(marked)]] = True
        marked[self._gone] = False
        return np.packbits(marked, bitorder="little")


def nothing(dimension: int) -> faiss.IndexIDMap:
    return faiss.IndexIDMap(faiss.IndexFlatIP(dimension))


def numbered(numbers: NDArray[np.int64], vectors: Vectors) -> faiss.IndexIDMap:
    index = nothing(vectors.shape[1])
    index.add_with_ids(vectors, numbers)
    return index


def numbers_of(index: faiss.IndexIDMap) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = faiss.vector_to_array(index.id_map)
    return numbers


def vectors_of(index: faiss.IndexIDMap) -> Vectors:
    flat = faiss.downcast_index(index.index)
    vectors: Vectors = flat.reconstruct_n(0, flat.ntotal).reshape(-1, flat.d)
    return vectors
