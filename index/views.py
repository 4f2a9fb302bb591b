"""Views: all that a searcher needs of one version of a collection, moved on from one version to the next.

A view shares with the one before what did not change. It is freed when the last question that uses it is done.
"""

from __future__ import annotations

import numpy as np
from filelock import FileLock, Timeout
from msgspec import Struct
from numpy.typing import NDArray

from index.derived import moved_vectors, save_terms, terms_covered, usable, vectors_at
from index.disk import refused_by_disk
from index.errors import IndexProblem, StorageFull, StorageReadOnly
from index.layout import CollectionLayout
from index.store import Store
from index.terms import TermIndex
from index.types import Document
from index.vectors import VectorIndex


class View(Struct, frozen=True):
    change: int
    documents: list[Document]  # by source, in code point order
    passage_documents: NDArray[np.int64]  # [n, 2]: passages that are or were there, and their documents
    vectors: VectorIndex
    terms: TermIndex


def view_of(place: CollectionLayout, store: Store) -> View:
    """The view of a store as it is now, deriving again what is missing or damaged.

    Raises StorageFull or StorageReadOnly where the disk does not take that.
    """
    terms = TermIndex.open(place.terms)
    change = searchable(place, store)
    if terms is None or not usable(change, store, store.change()):
        try:
            with FileLock(place.change_lock):
                save_terms(place, store)
                change = store.change()
        except OSError as error:
            raise refused_by_disk(error, place.path) from error
        terms = opened(place)
    vectors, _ = vectors_at(place, store, change)
    return View(change, store.documents(change), store.passage_documents(0, change), vectors, terms)


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
    documents = [document for document in view.documents if document.number not in gone]
    documents += store.added_documents(view.change, change)
    documents.sort(key=lambda document: document.source)
    pairs = np.concatenate([view.passage_documents, store.passage_documents(view.change, change)])
    return View(change, documents, pairs, moved_vectors(view.vectors, store, view.change, change), terms)


def searchable(place: CollectionLayout, store: Store) -> int:
    """The last change that can be searched: the present one, or the one before a change that is being written.

    A change that a crash left half derived is finished here. A disk that takes nothing leaves it as it is.
    """
    covered = terms_covered(place)  # read first: it is never ahead, unless the store was put back to an older state
    change = store.change()
    if covered == change:
        return change
    try:
        with FileLock(place.change_lock, timeout=0):
            save_terms(place, store)
            return store.change()
    except (Timeout, OSError, ValueError, IndexProblem):
        return min(terms_covered(place), change)


def opened(place: CollectionLayout) -> TermIndex:
    terms = TermIndex.open(place.terms)
    if terms is None:
        raise FileNotFoundError(place.terms)
    return terms
