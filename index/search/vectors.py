"""Dense search: FAISS indexes derived from the store. The only module that imports faiss.

Vectors are held in float16, just as the store holds them, so a cosine is the same wherever its vector lies. Up to EXACT
of them a question is compared with every one. Above, they lie in lists around centres, and a question is compared with
those in the lists nearest to it: as few lists as give the recall wanted, which is measured when a base is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import faiss
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.storage.checksums import recorded, seal, sealed
from index.storage.disk import sync, system_error_in, take_place
from index.types import Vectors

Numbers = NDArray[np.int64]
Block = tuple[Numbers, NDArray[np.float16]]  # passages [n], in order, with their vectors [n, dimension]
Read = Callable[[Numbers], Iterable[Block]]  # the vectors of passages, in blocks; what is not there is left out

EXACT = 100_000  # vectors that a question is compared with one by one: 4 ms on one core
FEW = 10_000  # vectors that it is, where a filter lets no more through
LISTS_PER_ROOT = 2  # lists are so many times the square root of what they hold
TRAINED_ON = 50  # vectors for each list
ROUNDS = 10  # of k-means
SEED = 20266
WANTED = 0.98  # recall@10
DEEP = 10
QUERIES = 400  # that recall is measured with
MIXED = 20  # passages that each of these lies between: hardly easier to find all for than real questions
INNER = faiss.METRIC_INNER_PRODUCT
WHOLE = False  # vectors lie in the lists as they are, not as their distances from the centres
HALF = faiss.ScalarQuantizer.QT_fp16


class Dense(Struct, frozen=True):
    """What a base holds, and what a search in it finds. `recall` is recall@10 against comparing with every vector."""

    count: int = 0
    last: int = 0  # the greatest number of a passage
    lists: int = 0  # 0: every vector is compared
    probed: int = 0  # of the lists, for each question
    recall: float = 1.0
    graph: bool = False  # neighbours of neighbours are followed, as Milvus does


class VectorIndex:
    """Inner-product search over numbered vectors: a base, what came after it, and what is gone of both.

    Never changed once made: `updated` gives a new one that shares what it can, so a small change costs little.
    """

    def __init__(
        self, base: faiss.Index, dense: Dense, tail: Sequence[faiss.IndexIDMap] = (), gone: Numbers | None = None
    ) -> None:
        self._base = base
        self._tail = tail
        self._gone = np.empty(0, np.int64) if gone is None else gone
        self._last = max([dense.last, *(int(numbers_of(part)[-1]) for part in tail[-1:])])
        self._there = None if not len(self._gone) else bitmap(self._last, self._gone, among=False)
        self.dense = dense
        self.count: int = dense.count + sum(part.ntotal for part in tail) - len(self._gone)

    @classmethod
    def of(cls, dimension: int, blocks: Iterable[Block] = ()) -> VectorIndex:
        """An index without a base, of vectors that come in blocks."""
        return cls(nothing(dimension), Dense()).updated(np.empty(0, np.int64), blocks)

    @classmethod
    def open(cls, path: Path, dimension: int) -> VectorIndex | None:
        """What was saved, or None where the file is damaged or of another kind: it can be derived again.

        Lists are mapped into memory, not read.
        """
        if not sealed(path):
            return None
        try:
            dense = msgspec.json.decode(recorded(path), type=Dense)
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP if dense.lists else 0)
        except (msgspec.DecodeError, RuntimeError, MemoryError):  # a size that is not true may ask for any amount
            return None
        return cls(index, dense) if describes(dense, index, dimension) else None

    @property
    def numbers(self) -> Numbers:
        """The passages that are here, in order."""
        numbers = np.concatenate([numbers_of(part) for part in (self._base, *self._tail)])
        return np.setdiff1d(numbers, self._gone)

    @property
    def loose(self) -> int:
        """How many vectors are not in the base, or are there and should not be."""
        return sum(int(part.ntotal) for part in self._tail) + len(self._gone)

    def updated(self, gone: Numbers, blocks: Iterable[Block]) -> VectorIndex:
        """Leave out the passages `gone`; add those in `blocks`, which have greater numbers than any here."""
        added = nothing(self._base.d)
        for numbers, vectors in blocks:
            added.add_with_ids(vectors.astype(np.float32), numbers)
        tail = [*self._tail, added] if added.ntotal else [*self._tail]
        while len(tail) > 1 and tail[-2].ntotal < 2 * tail[-1].ntotal:  # so there are few, and each is seldom copied
            tail[-2:] = [joined(*tail[-2:])]
        return VectorIndex(self._base, self.dense, tail, np.union1d(self._gone, gone[gone <= self._last]))

    def search(self, query: Vectors, depth: int, among: Numbers | None = None) -> list[tuple[int, float]]:
        """The best passages for `query` [dimension], as (number, cosine), best first, ties by number.

        `among` restricts the search to the passages with these numbers; all are compared where they are FEW.
        """
        there = self._there
        if among is not None:
            there = bitmap(self._last, among[among <= self._last], among=True)
            if self._there is not None:
                there &= self._there
        selector = None if there is None else faiss.IDSelectorBitmap(there)
        hits: list[tuple[int, float]] = []
        for part in (self._base, *self._tail):
            if part.ntotal:
                cosines, numbers = part.search(
                    query[None, :], min(depth, part.ntotal), params=self._how(part, selector, among)
                )
                found = numbers[0] >= 0  # FAISS pads short results with -1
                hits += zip(numbers[0][found].tolist(), cosines[0][found].tolist(), strict=True)
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:depth]

    def _how(
        self, part: faiss.Index, selector: faiss.IDSelector | None, among: Numbers | None
    ) -> faiss.SearchParameters:
        if not isinstance(part, faiss.IndexIVF):
            return faiss.SearchParameters(sel=selector)
        probed = self.dense.probed
        if among is not None:  # the fewer are let through, the farther the best of them lie
            probed = self.dense.lists if len(among) <= FEW else min(self.dense.lists, probed * self.count // len(among))
        return faiss.SearchParametersIVF(sel=selector, nprobe=probed)


def save_base(path: Path, dimension: int, numbers: Numbers, read: Read) -> None:
    """Write a base of the passages `numbers`, in order, and into the same file what searching it finds.

    Depends on the vectors alone. Takes one core, and a little more memory than the vectors take.
    """
    with one_core():
        make = with_lists if len(numbers) > EXACT else compared
        index, dense = make(dimension, numbers, read)
    unfinished = path.with_suffix(".new")
    try:
        faiss.write_index(index, str(unfinished))
        seal(unfinished, msgspec.json.encode(dense))
        sync(unfinished)
        take_place(unfinished, path)
    except (RuntimeError, OSError) as error:
        unfinished.unlink(missing_ok=True)
        raise system_error_in(error) from error


def compared(dimension: int, numbers: Numbers, read: Read) -> tuple[faiss.IndexIDMap, Dense]:
    """A base of which every vector is compared."""
    index = nothing(dimension)
    for block, vectors in read(numbers):
        index.add_with_ids(vectors.astype(np.float32), block)
    return index, Dense(index.ntotal, int(numbers.max(initial=0)))


def with_lists(dimension: int, numbers: Numbers, read: Read) -> tuple[faiss.IndexIVF, Dense]:
    """A base of which those lists are searched that are nearest to the question."""
    lists = round(LISTS_PER_ROOT * len(numbers) ** 0.5)
    sample = np.concatenate([vectors for _, vectors in read(spread(numbers, TRAINED_ON * lists))]).astype(np.float32)
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dimension), dimension, lists, HALF, INNER, WHOLE)
    index.cp.seed, index.cp.niter, index.cp.spherical = SEED, ROUNDS, True
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, TRAINED_ON
    index.train(sample)
    queries = between(sample)
    del sample
    for block, vectors in read(numbers):
        index.add_with_ids(vectors.astype(np.float32), block)
    probed, recall = fewest_probed(index, queries)
    return index, Dense(index.ntotal, int(numbers.max()), lists, probed, recall)


def between(vectors: Vectors) -> Vectors:
    """Queries that lie as far off as questions do: each in the middle of some of the vectors, drawn at random."""
    drawn = np.random.default_rng(SEED).integers(0, len(vectors), (QUERIES, MIXED))
    middles: Vectors = vectors[drawn].mean(axis=1)
    return middles


def fewest_probed(index: faiss.IndexIVF, queries: Vectors) -> tuple[int, float]:
    """The least number of lists that gives the recall wanted, and that recall@10: shares of what all lists give."""

    def cosines(probed: int) -> Vectors:
        found: Vectors = index.search(queries, DEEP, params=faiss.SearchParametersIVF(nprobe=probed))[0]
        return found

    least = cosines(index.nlist)[:, -1:]  # what is as near as the tenth is as good: there may be equal passages
    low, high, recall = 1, index.nlist, 1.0
    while low < high:  # more lists never find less
        probed = (low + high) // 2
        now = float(np.mean(cosines(probed) >= least))
        low, high, recall = (low, probed, now) if now >= WANTED else (probed + 1, high, recall)
    return high, recall


def spread(numbers: Numbers, most: int) -> Numbers:
    """Evenly spread over all: [0, 1, …, 9], 3 -> [0, 4, 9]."""
    return numbers[np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(np.int64)]


def nothing(dimension: int) -> faiss.IndexIDMap:
    return faiss.IndexIDMap(faiss.IndexScalarQuantizer(dimension, HALF, INNER))


def joined(*parts: faiss.IndexIDMap) -> faiss.IndexIDMap:
    index = nothing(parts[0].d)
    for part in parts:
        index.add_with_ids(part.index.reconstruct_n(0, part.ntotal), numbers_of(part))
    return index


def numbers_of(part: faiss.Index) -> Numbers:
    """The passages in a part, in order."""
    if not isinstance(part, faiss.IndexIVF):
        numbers: Numbers = faiss.vector_to_array(part.id_map)
        return numbers
    lists = part.invlists
    held = [faiss.rev_swig_ptr(lists.get_ids(each), lists.list_size(each)) for each in range(part.nlist)]
    return np.sort(np.concatenate(held))


def describes(dense: Dense, index: faiss.Index, dimension: int) -> bool:
    """Whether this is the base that was described when it was saved."""
    if index.d != dimension or index.ntotal != dense.count:
        return False
    if not dense.lists:
        return isinstance(index, faiss.IndexIDMap) and index.id_map.size() == dense.count
    if not isinstance(index, faiss.IndexIVFScalarQuantizer) or index.nlist != dense.lists:
        return False
    lists = faiss.downcast_InvertedLists(index.invlists)
    lists.prefetch_nthread = 0  # threads that would read ahead, made anew for each question
    return sum(int(lists.list_size(each)) for each in range(index.nlist)) == dense.count


def bitmap(last: int, numbers: Numbers, *, among: bool) -> NDArray[np.uint8]:
    """One bit for each number up to `last`, in the order that FAISS reads: set for those among `numbers`, or not."""
    marked = np.full(last + 1, not among, bool)
    marked[numbers] = among
    return np.packbits(marked, bitorder="little")


@contextmanager
def one_core() -> Iterator[None]:
    """FAISS keeps to one core in this thread: questions are not kept waiting, and sums come out the same everywhere."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
