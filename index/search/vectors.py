"""Dense search: FAISS indexes derived from the store. The only module that imports faiss.

Vectors are stored as float16, as in the store, so a vector has the same cosine in every index. Up to EXACT vectors,
search is exact. Above, it is approximate: vectors are grouped around centroids (an IVF index), and a query is compared
with those of the nearest lists. The number of lists probed is tuned when a base is built: the fewest that reach RECALL.
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
Block = tuple[Numbers, NDArray[np.float16]]  # sorted passage numbers [n] and their vectors [n, dimension]
Read = Callable[[Numbers], Iterable[Block]]  # reads the vectors of passages in blocks; missing ones are left out

EXACT = 100_000  # vectors; up to this many, search is exact: 4 ms on one core
FEW = 10_000  # vectors; a filter that lets fewer pass is searched exactly
LISTS_PER_ROOT = 2  # the number of lists is this times the square root of the number of vectors
TRAINED_ON = 50  # training vectors per list
ROUNDS = 10  # of k-means
SEED = 20266
WANTED = 0.98  # target recall@10
DEEP = 10
QUERIES = 400  # queries that recall is measured with
MIXED = 20  # passages averaged into each query: about as hard as real questions
INNER = faiss.METRIC_INNER_PRODUCT
WHOLE = False  # lists store the vectors themselves, not residuals from the centroids
HALF = faiss.ScalarQuantizer.QT_fp16


class Dense(Struct, frozen=True):
    """What a base holds and how it is searched. `recall` is recall@10 against exact search."""

    count: int = 0
    last: int = 0  # the largest passage number
    lists: int = 0  # 0: exact search
    probed: int = 0  # lists probed per query
    recall: float = 1.0
    graph: bool = False  # an HNSW graph, as Milvus builds


class VectorIndex:
    """Inner-product search over numbered vectors: a base file, a delta in memory, and tombstones for both.

    Immutable: `updated` returns a new index that shares its data with this one, so small changes are cheap.
    """

    def __init__(
        self, base: faiss.Index, dense: Dense, tail: Sequence[faiss.IndexIDMap] = (), removed: Numbers | None = None
    ) -> None:
        self._base = base
        self._tail = tail
        self._removed_ids = np.empty(0, np.int64) if removed is None else removed
        self._last = max([dense.last, *(int(numbers_of(part)[-1]) for part in tail[-1:])])
        self._there = None if not len(self._removed_ids) else bitmap(self._last, self._removed_ids, among=False)
        self.dense = dense
        self.count: int = dense.count + sum(part.ntotal for part in tail) - len(self._removed_ids)

    @classmethod
    def of(cls, dimension: int, blocks: Iterable[Block] = ()) -> VectorIndex:
        """An index in memory only, from blocks of vectors."""
        return cls(nothing(dimension), Dense()).updated(np.empty(0, np.int64), blocks)

    @classmethod
    def open(cls, path: Path, dimension: int) -> VectorIndex | None:
        """Open a base file; None if it is damaged or of another kind, so that it can be rebuilt.

        Lists are memory-mapped, not read.
        """
        if not sealed(path):
            return None
        try:
            dense = msgspec.json.decode(recorded(path), type=Dense)
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP if dense.lists else 0)
        except (msgspec.DecodeError, RuntimeError, MemoryError):  # a damaged header may state any size
            return None
        return cls(index, dense) if describes(dense, index, dimension) else None

    @property
    def numbers(self) -> Numbers:
        """The passages in this index, in order."""
        numbers = np.concatenate([numbers_of(part) for part in (self._base, *self._tail)])
        return np.setdiff1d(numbers, self._removed_ids)

    @property
    def loose(self) -> int:
        """The number of vectors outside the base, plus the tombstones in it."""
        return sum(int(part.ntotal) for part in self._tail) + len(self._removed_ids)

    def updated(self, removed: Numbers, blocks: Iterable[Block]) -> VectorIndex:
        """A copy without the passages `gone` and with `blocks`, whose numbers are larger than any in this index."""
        added = nothing(self._base.d)
        for numbers, vectors in blocks:
            added.add_with_ids(vectors.astype(np.float32), numbers)
        tail = [*self._tail, added] if added.ntotal else [*self._tail]
        while len(tail) > 1 and tail[-2].ntotal < 2 * tail[-1].ntotal:  # keeps the parts few, and copies each seldom
            tail[-2:] = [joined(*tail[-2:])]
        return VectorIndex(self._base, self.dense, tail, np.union1d(self._removed_ids, removed[removed <= self._last]))

    def search(self, query: Vectors, depth: int, among: Numbers | None = None) -> list[tuple[int, float]]:
        """The best passages for `query` [dimension] as (number, cosine), best first, ties by number.

        `among` restricts the search to passages with these numbers; up to FEW, search is exact.
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
                is_result = numbers[0] >= 0  # FAISS pads short results with -1
                hits += zip(numbers[0][is_result].tolist(), cosines[0][is_result].tolist(), strict=True)
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:depth]

    def _how(
        self, part: faiss.Index, selector: faiss.IDSelector | None, among: Numbers | None
    ) -> faiss.SearchParameters:
        if not isinstance(part, faiss.IndexIVF):
            return faiss.SearchParameters(sel=selector)
        probed = self.dense.probed
        if among is not None:  # the fewer vectors pass the filter, the more lists have to be probed
            probed = self.dense.lists if len(among) <= FEW else min(self.dense.lists, probed * self.count // len(among))
        return faiss.SearchParametersIVF(sel=selector, nprobe=probed)


def save_base(path: Path, dimension: int, numbers: Numbers, read: Read) -> None:
    """Write a base file of the passages `numbers` (sorted), with the measured recall in its record.

    The result depends on the vectors alone. Uses one core, and slightly more memory than the vectors take.
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
    """A base with exact search."""
    index = nothing(dimension)
    for block, vectors in read(numbers):
        index.add_with_ids(vectors.astype(np.float32), block)
    return index, Dense(index.ntotal, int(numbers.max(initial=0)))


def with_lists(dimension: int, numbers: Numbers, read: Read) -> tuple[faiss.IndexIVF, Dense]:
    """A base with approximate search: it probes the lists nearest to the query."""
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
    """Synthetic queries, about as far from passages as questions are: means of randomly drawn vectors."""
    drawn = np.random.default_rng(SEED).integers(0, len(vectors), (QUERIES, MIXED))
    middles: Vectors = vectors[drawn].mean(axis=1)
    return middles


def fewest_probed(index: faiss.IndexIVF, queries: Vectors) -> tuple[int, float]:
    """The fewest lists that reach the target recall, and the recall@10 they reach: shares of what all lists find."""

    def cosines(probed: int) -> Vectors:
        similarities: Vectors = index.search(queries, DEEP, params=faiss.SearchParametersIVF(nprobe=probed))[0]
        return similarities

    least = cosines(index.nlist)[:, -1:]  # ties with the tenth count as found: there may be equal passages
    low, high, recall = 1, index.nlist, 1.0
    while low < high:  # recall never falls as more lists are probed
        probed = (low + high) // 2
        now = float(np.mean(cosines(probed) >= least))
        low, high, recall = (low, probed, now) if now >= WANTED else (probed + 1, high, recall)
    return high, recall


def spread(numbers: Numbers, most: int) -> Numbers:
    """`count` evenly spaced values: [0, 1, …, 9], 3 -> [0, 4, 9]."""
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
    """Whether a base matches the description saved with it."""
    if index.d != dimension or index.ntotal != dense.count:
        return False
    if not dense.lists:
        return isinstance(index, faiss.IndexIDMap) and index.id_map.size() == dense.count
    if not isinstance(index, faiss.IndexIVFScalarQuantizer) or index.nlist != dense.lists:
        return False
    lists = faiss.downcast_InvertedLists(index.invlists)
    lists.prefetch_nthread = 0  # disables prefetching, which starts new threads for every query
    return sum(int(lists.list_size(each)) for each in range(index.nlist)) == dense.count


def bitmap(last: int, numbers: Numbers, *, among: bool) -> NDArray[np.uint8]:
    """A bitmap in FAISS's order over the numbers up to `last`: set for those among `numbers`, or inverted."""
    marked = np.full(last + 1, not among, bool)
    marked[numbers] = among
    return np.packbits(marked, bitorder="little")


@contextmanager
def one_core() -> Iterator[None]:
    """Limit FAISS to one thread here: questions do not compete for cores, and sums are the same on every machine."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
