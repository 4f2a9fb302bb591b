"""Views: immutable snapshots of one version of a collection, with all that a searcher needs.

Consecutive views share whatever did not change. A view is freed after the last question that uses it.
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

MANY = 1000  # changed documents; up to this many, a copy of the list is edited, otherwise a new one is sorted


class Listed(Struct, frozen=True):
    """Documents ordered by source (code points), and by number."""

    documents: list[Document]
    sources: list[str]  # of `documents`
    by_number: dict[int, Document]

    @classmethod
    def of(cls, documents: list[Document]) -> Listed:
        return cls(documents, [each.source for each in documents], {each.number: each for each in documents})

    def moved(self, removed: set[int], added: list[Document]) -> Listed:
        """A copy without the documents `gone` and with those `added`. Few changes cost less than a new list."""
        if len(removed) + len(added) > MANY:
            remaining = [document for document in self.documents if document.number not in removed]
            return Listed.of(sorted(remaining + added, key=lambda document: document.source))
        documents, sources, by_number = self.documents.copy(), self.sources.copy(), self.by_number.copy()
        for number in removed & by_number.keys():
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
    covered: int  # the change up to which the vectors' base file goes
    listed: Listed
    ranges: NDArray[np.int64]  # [n, 3] by document: its number, its first passage, the end of its passages (exclusive)
    vectors: VectorIndex
    terms: TermIndex


def view_of(place: CollectionLayout, store: Store) -> View:
    """A view of the current state. Rebuilds derived indexes that are missing or damaged.

    Raises StorageFull or StorageReadOnly if they cannot be written.
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
    """A view of the current state; `view` itself if no searchable change was added."""
    change = searchable(place, store)
    if change <= view.change:
        return view
    terms = TermIndex.open(place.terms)
    if terms is None or not usable(view.change, store, change):
        try:
            return view_of(place, store)
        except (StorageFull, StorageReadOnly):
            return view
    removed = store.removed_documents(view.change, change)
    ranges = np.concatenate([view.ranges, store.passage_ranges(view.change, change)])
    return View(
        change,
        view.covered,
        view.listed.moved(removed, store.added_documents(view.change, change)),
        ranges[~np.isin(ranges[:, 0], list(removed))],
        moved_vectors(view.vectors, store, view.change, change),
        terms,
    )


def renewed_view(view: View, place: CollectionLayout, store: Store) -> View:
    """The same version on the newest base file, if that covers more than the view's own."""
    if not any(view.covered < change_of(path) <= view.change for path in place.all_vectors()):
        return view
    vectors, covered = vectors_at(place, store, view.change)
    return replace(view, vectors=vectors, covered=covered)


def searchable(place: CollectionLayout, store: Store, *, wait: bool = False) -> int:
    """The last searchable change: the current one, or the one before while a change is being written.

    Completes a change that a crash interrupted. With `wait`, it waits for another process's change lock. On a full or
    read-only disk it leaves the change unfinished.
    """
    covered = terms_covered(place)  # read first, so it is never ahead, unless the store was restored
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
