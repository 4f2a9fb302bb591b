"""Views: all that a searcher needs of one version of a collection, moved on from one version to the next.

A view shares with the one before what did not change. It is freed when the last question that uses it is done.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from index.errors import IndexProblem, StorageFull, StorageReadOnly
from index.search.derived import moved_vectors, save_terms, terms_covered, usable, vectors_at
from index.search.terms import TermIndex
from index.search.vectors import VectorIndex
from index.storage.disk import refused_by_disk
from index.storage.layout import CollectionLayout, change_of
from index.storage.store import Store
from index.types import Document

MANY = 1000  # documents that are put into their places one by one


class Listed(Struct, frozen=True):
    """Documents, by source in code point order, and by number."""

    documents: list[Document]
    sources: list[str]  # of these
    by_number: dict[int, Document]

    @classmethod
    def of(cls, documents: list[Document]) -> Listed:
        return cls(documents, [each.source for each in documents], {each.number: each for each in documents})

    def moved(self, gone: set[int], added: list[Document]) -> Listed:
        """Without some, and with others: at less than a new list would cost, where they are few."""
        if len(gone) + len(added) > MANY:
            kept = [document for document in self.documents if document.number not in gone]
            return Listed.of(sorted(kept + added, key=lambda document: document.source))
        documents, sources, by_number = self.documents.copy(), self.sources.copy(), self.by_number.copy()
        for number in gone & by_number.keys():
            at = bisect_left(sources, by_number.pop(number).source)
            del documents[at], sources[at]
        for document in added:
            at = bisect_left(sources, document.source)
            documents.insert(at, document)
            sources.insert(at, document.source)
            by_number[document.number] = document
        return Listed(documents, sources, by_number)


class View(Struct, frozen=True):
    change: int
    covered: int  # the change up to which the base of the vectors goes
    listed: Listed
    ranges: NDArray[np.int64]  # [n, 3], by document: its number, its first passage, the one behind its last
    vectors: VectorIndex
    terms: TermIndex


def view_of(place: CollectionLayout, store: Store) -> View:
    """The view of a store as it is now, deriving again what is missing or damaged.

    Raises StorageFull or StorageReadOnly where the disk does not take that.
    """
    change = searchable(place, store, wait=True)
    terms = TermIndex.open(place.terms)
    if terms is None or not usable(change, store, store.change()):
        try:
            with FileLock(place.change_lock):
                save_terms(place, store)
                change = store.change()
        except OSError as error:
            raise refused_by_disk(error, place.path) from error
        terms = opened(place)
    vectors, covered = vectors_at(place, store, change)
    return View(change, covered, Listed.of(store.documents(change)), store.passage_ranges(0, change), vectors, terms)


def moved_view(view: View, place: CollectionLayout, store: Store) -> View:
    """The view of a store as it is now; the same where nothing changed that can be searched."""
    change = searchable(place, store)
    if change <= view.change:
        return view
    terms = TermIndex.open(place.terms)
    if terms is None or not usable(view.change, store, change):
        try:
            return view_of(place, store)
        except (StorageFull, StorageReadOnly):
            return view
    gone = store.removed_documents(view.change, change)
    ranges = np.concatenate([view.ranges, store.passage_ranges(view.change, change)])
    return View(
        change,
        view.covered,
        view.listed.moved(gone, store.added_documents(view.change, change)),
        ranges[~np.isin(ranges[:, 0], list(gone))],
        moved_vectors(view.vectors, store, view.change, change),
        terms,
    )


def renewed_view(view: View, place: CollectionLayout, store: Store) -> View:
    """The same view, on the base that is on the disk now if that covers more, with less beside it."""
    if not any(view.covered < change_of(path) <= view.change for path in place.all_vectors()):
        return view
    vectors, covered = vectors_at(place, store, view.change)
    return replace(view, vectors=vectors, covered=covered)


def searchable(place: CollectionLayout, store: Store, *, wait: bool = False) -> int:
    """The last change that can be searched: the present one, or the one before a change that is being written.

    A change that a crash left half derived is finished here, with `wait` though somebody else has the collection now. A
    disk that takes nothing leaves it as it is.
    """
    covered = terms_covered(place)  # read first: it is never ahead, unless the store was put back to an older state
    change = store.change()
    if covered == change:
        return change
    try:
        with FileLock(place.change_lock, timeout=-1 if wait else 0):
            save_terms(place, store)
            return store.change()
    except (Timeout, OSError, ValueError, IndexProblem):
        return min(terms_covered(place), change)


def opened(place: CollectionLayout) -> TermIndex:
    terms = TermIndex.open(place.terms)
    if terms is None:
        raise FileNotFoundError(place.terms)
    return terms
