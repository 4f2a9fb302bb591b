"""Finds damage in derived indexes, and rebuilds them from the store without encoding again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from index.search.derived import Changing, numbers_in, rebuild_derived, terms_covered, vectors_at
from index.search.terms import TermIndex
from index.search.vectors import VectorIndex, spread
from index.storage.checksums import flaws, intact
from index.storage.layout import CollectionLayout
from index.storage.store import Store
from index.types import Vectors

SAMPLE = 1000  # passages looked up by their own vectors
NEAR = 0.98  # least cosine between a stored vector and its possibly compressed copy in dense search


def derived_flaws(place: CollectionLayout) -> list[tuple[str, str]]:
    """(file, problem), after reading every byte of all derived files. A missing file is not a problem."""
    problems = [
        (path.name, "it is damaged or truncated") for path in place.all_vectors() if not intact(path) and path.exists()
    ]
    if place.terms.exists():
        problems += [("terms", flaw) for flaw in flaws(place.terms, contents=True)]
    return problems


def disagreements(place: CollectionLayout, store: Store) -> Iterator[tuple[str, str]]:
    """(file, difference to the store). Others may write to the collection meanwhile."""
    change = store.change()
    vectors, _ = vectors_at(place, store, change)
    live = numbers_in(store.passage_ranges(0, change))
    if not np.array_equal(vectors.numbers, live):
        yield "vectors", "dense search and the store hold different passages"
    elif not all(near(vectors, *each) for each in sample(store, live)):
        yield "vectors", "dense search and the store hold different vectors"
    before = terms_covered(place)
    terms = TermIndex.open(place.terms)
    if terms is None:
        if change:
            yield "terms", "term search is missing"
        return
    numbers = terms.numbers()
    after = store.change()
    if not any(np.array_equal(numbers_in(store.passage_ranges(0, each)), numbers) for each in range(before, after + 1)):
        yield "terms", "term search and the store hold different passages"


def sample(store: Store, numbers: NDArray[np.int64]) -> Iterator[tuple[int, Vectors]]:
    """Evenly spaced passages with their vectors."""
    for present, vectors in store.vectors(spread(numbers, SAMPLE)):
        yield from zip(present.tolist(), vectors.astype(np.float32), strict=True)


def near(index: VectorIndex, number: int, vector: Vectors) -> bool:
    """Whether dense search holds this vector, within compression error, for a passage."""
    nearest = index.search(vector, 1, np.array([number]))
    return bool(nearest) and nearest[0][1] >= NEAR


def rebuild(place: CollectionLayout, store: Store, changing: Changing) -> None:
    """Delete the derived indexes and rebuild them. The caller holds the creation lock; see `rebuild_derived`."""
    for path in place.all_vectors():
        path.unlink(missing_ok=True)
    rebuild_derived(place, store, changing)
