"""Bringing the derived indexes up to the store: from the file that covers most, or from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from index.search.terms import TermIndex
from index.search.vectors import VectorIndex, save_base
from index.storage.checksums import remove_unfinished
from index.storage.disk import sync, take_place
from index.storage.layout import CollectionLayout, change_of
from index.storage.store import Store
from index.text.passages import context
from index.types import Document

Changing = Callable[[], AbstractContextManager[object]]  # holds the change lock

LOOSE = 1000  # vectors that may lie beside the base, or one part in LOOSE_SHARE of all where that is more
LOOSE_SHARE = 20


def vectors_at(place: CollectionLayout, store: Store, change: int) -> tuple[VectorIndex, int]:
    """Dense vectors of all passages as of `change`, and the change that the file they came from covers."""
    index, covered = newest(place, store, change)
    return moved_vectors(index, store, covered, change), covered


def newest(place: CollectionLayout, store: Store, change: int) -> tuple[VectorIndex, int]:
    """What the file of dense vectors that covers most holds, and that change; nothing, and 0, where there is none."""
    paths = place.all_vectors()
    for path in paths:
        opened = VectorIndex.open(path, store.config.dimension) if usable(change_of(path), store, change) else None
        if opened is not None:
            return opened, change_of(path)
    if not all(path.exists() for path in paths):  # a newer one has taken its place meanwhile
        return newest(place, store, change)
    return VectorIndex.of(store.config.dimension), 0


def usable(covered: int, store: Store, change: int) -> bool:
    """Whether what covers one change can be brought to another by the rows of the store."""
    return store.purged() <= covered <= change and covered > 0


def moved_vectors(index: VectorIndex, store: Store, after: int, change: int) -> VectorIndex:
    """An index as of one change, brought to another."""
    if after == change:
        return index
    added = numbers_in(store.passage_ranges(after, change))
    return index.updated(store.removed_passages(after, change), store.vectors(added))


def numbers_in(ranges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of passages in ranges [n, 3] of (document, first, end): [[7, 1, 3], [8, 5, 6]] -> [1, 2, 5]."""
    counts = ranges[:, 2] - ranges[:, 1]
    before = np.repeat(np.cumsum(counts) - counts, counts)  # of each passage, how many lie in earlier ranges
    numbers: NDArray[np.int64] = np.repeat(ranges[:, 1], counts) + np.arange(len(before)) - before
    return numbers


def many_loose(index: VectorIndex) -> bool:
    return index.loose > max(LOOSE, index.count // LOOSE_SHARE)


def save_vectors(place: CollectionLayout, store: Store, *, whole: bool = False) -> None:
    """Write the vectors as of now, if much lies beside the last file, or the `whole` is wanted in one.

    The holder of the making lock may, while the collection is searched and changed.
    """
    for path in place.path.glob("vectors.*.new"):
        path.unlink()  # a crash has left it
    change = store.change()
    index, covered = newest(place, store, change)
    if covered != change and (whole or not covered or many_loose(moved_vectors(index, store, covered, change))):
        del index  # its memory is wanted
        numbers = numbers_in(store.passage_ranges(0, change))
        save_base(place.vectors(change), store.config.dimension, numbers, store.vectors)
        covered = change
    for path in place.all_vectors():
        if change_of(path) != covered:
            path.unlink(missing_ok=True)


def make_anew(place: CollectionLayout, store: Store, changing: Changing) -> None:
    """Make everything derived anew from the store. The holder of the making lock may.

    The collection is searched and changed meanwhile: only for the end, which is short, it is `changing`.
    """
    save_vectors(place, store, whole=True)
    change = store.change()
    made = make_terms(place.terms.with_suffix(".next"), store, change)
    with changing():
        renew_terms(place, store, made, change)


def terms_covered(place: CollectionLayout) -> int:
    try:
        return msgspec.json.decode(place.terms_covered.read_bytes(), type=int)
    except (OSError, msgspec.DecodeError):
        return 0


def save_terms(place: CollectionLayout, store: Store) -> None:
    """Bring the term index on disk up to the present change. Only the holder of the change lock may."""
    change = store.change()
    index, covered = TermIndex.open(place.terms), terms_covered(place)
    if index is None or not usable(covered, store, change):
        put_terms(place, make_terms(place.terms.with_suffix(".made"), store, change), change)
    elif covered < change:
        remove_unfinished(place.terms)
        move_terms(index, store, covered, change)
        cover_terms(place, change)


def make_terms(path: Path, store: Store, change: int) -> Path:
    """Make a term index from nothing: what was in the old one is in no file of it."""
    shutil.rmtree(path, ignore_errors=True)
    try:
        TermIndex.create(path).updated([], passage_texts(store, 0, change))
    except (OSError, ValueError):
        shutil.rmtree(path, ignore_errors=True)
        raise
    return path


def move_terms(index: TermIndex, store: Store, after: int, change: int) -> None:
    """Bring a term index as of one change to another."""
    index.updated(store.removed_passages(after, change).tolist(), passage_texts(store, after, change))


def renew_terms(place: CollectionLayout, store: Store, made: Path, change: int) -> None:
    """Put a term index that was made as of an earlier change in its place. Only the holder of the change lock may."""
    index, now = TermIndex.open(made), store.change()
    if index is None:
        raise FileNotFoundError(made)
    if change < now:
        move_terms(index, store, change, now)
    put_terms(place, made, now)


def put_terms(place: CollectionLayout, made: Path, change: int) -> None:
    """Put a term index in its place. Only the holder of the change lock may."""
    sync(made)
    before = place.terms.with_suffix(".old")
    shutil.rmtree(before, ignore_errors=True)  # a crash has left it
    if place.terms.exists():
        place.terms.rename(before)  # at once, for whoever looks into it now
    take_place(made, place.terms)
    shutil.rmtree(before, ignore_errors=True)
    cover_terms(place, change)


def cover_terms(place: CollectionLayout, change: int) -> None:
    unfinished = place.terms_covered.with_suffix(".json.new")
    try:
        sync(place.terms)  # tantivy leaves the name of its last file to us
        unfinished.write_bytes(msgspec.json.encode(change))
        sync(unfinished)
        unfinished.replace(place.terms_covered)  # were this lost, the term index would be ahead of it: no harm
    except OSError:
        place.terms_covered.unlink(missing_ok=True)  # what the term index holds is not known any more
        raise


def passage_texts(store: Store, after: int, change: int) -> Iterator[tuple[int, int, str]]:
    """(passage, document, text with its context) of the passages that came after one change, as of another."""
    documents = {document.number: document for document in store.added_documents(after, change)}
    text, of = "", 0
    for row in store.added_passages(after, change):
        document = documents[row.document]
        if row.document != of:
            text, of = document_text(store, document), row.document
        passage = row.passage
        above = context(document.title, passage.headings)
        yield row.number, row.document, above + text[passage.span.start : passage.span.end]


def document_text(store: Store, document: Document) -> str:
    file, _ = store.content(document.number)
    return file[document.bom :].decode(document.encoding)
