"""Updates and rebuilds the derived indexes from the store."""

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
from index.text.extraction import text_of
from index.text.passages import context
from index.text.rendering import Renderer
from index.types import Document

Changing = Callable[[], AbstractContextManager[object]]  # holds the change lock

LOOSE = 1000  # largest delta before the base file is rewritten; in large indexes, one part in LOOSE_SHARE
LOOSE_SHARE = 20


def vectors_at(place: CollectionLayout, store: Store, change: int) -> tuple[VectorIndex, int]:
    """Dense vectors of all passages as of `change`, and the change that their base file covers."""
    index, covered = newest(place, store, change)
    return moved_vectors(index, store, covered, change), covered


def newest(place: CollectionLayout, store: Store, change: int) -> tuple[VectorIndex, int]:
    """The newest usable file of dense vectors and the change it covers; an empty index and 0 if there is none."""
    paths = place.all_vectors()
    for path in paths:
        opened = VectorIndex.open(path, store.config.dimension) if usable(change_of(path), store, change) else None
        if opened is not None:
            return opened, change_of(path)
    if not all(path.exists() for path in paths):  # a writer replaced the files meanwhile
        return newest(place, store, change)
    return VectorIndex.of(store.config.dimension), 0


def usable(covered: int, store: Store, change: int) -> bool:
    """Whether the store still has all rows needed to bring an index from `covered` to `change`."""
    return store.purged() <= covered <= change and covered > 0


def moved_vectors(index: VectorIndex, store: Store, after: int, change: int) -> VectorIndex:
    """Update an index from the change `after` to `change`."""
    if after == change:
        return index
    added = numbers_in(store.passage_ranges(after, change))
    return index.updated(store.removed_passages(after, change), store.vectors(added))


def numbers_in(ranges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The passage numbers in ranges [n, 3] of (document, first, end): [[7, 1, 3], [8, 5, 6]] -> [1, 2, 5]."""
    counts = ranges[:, 2] - ranges[:, 1]
    before = np.repeat(np.cumsum(counts) - counts, counts)  # for each passage, the number of passages in earlier ranges
    numbers: NDArray[np.int64] = np.repeat(ranges[:, 1], counts) + np.arange(len(before)) - before
    return numbers


def many_loose(index: VectorIndex) -> bool:
    return index.loose > max(LOOSE, index.count // LOOSE_SHARE)


def save_vectors(place: CollectionLayout, store: Store, *, whole: bool = False) -> None:
    """Rewrite the base file of the vectors if the delta is large, or, with `whole`, if there is any delta.

    The caller holds the creation lock. Searches and commits continue meanwhile.
    """
    for path in place.path.glob("vectors.*.new"):
        path.unlink()  # left by a crash
    change = store.change()
    index, covered = newest(place, store, change)
    if covered != change and (whole or not covered or many_loose(moved_vectors(index, store, covered, change))):
        del index  # free its memory
        numbers = numbers_in(store.passage_ranges(0, change))
        save_base(place.vectors(change), store.config.dimension, numbers, store.vectors)
        covered = change
    for path in place.all_vectors():
        if change_of(path) != covered:
            path.unlink(missing_ok=True)


def rebuild_derived(place: CollectionLayout, store: Store, changing: Changing) -> None:
    """Rebuild all derived indexes from the store. The caller holds the creation lock.

    Searches and commits continue meanwhile; `changing`, the change lock, is held only for the short final step.
    """
    save_vectors(place, store, whole=True)
    change = store.change()
    rebuilt = make_terms(place.terms.with_suffix(".next"), store, change)
    with changing():
        renew_terms(place, store, rebuilt, change)


def terms_covered(place: CollectionLayout) -> int:
    try:
        return msgspec.json.decode(place.terms_covered.read_bytes(), type=int)
    except (OSError, msgspec.DecodeError):
        return 0


def save_terms(place: CollectionLayout, store: Store) -> None:
    """Update the term index on disk to the current change. The caller holds the change lock."""
    change = store.change()
    index, covered = TermIndex.open(place.terms), terms_covered(place)
    if index is None or not usable(covered, store, change):
        put_terms(place, make_terms(place.terms.with_suffix(".made"), store, change), change)
    elif covered < change:
        remove_unfinished(place.terms)
        move_terms(index, store, covered, change)
        cover_terms(place, change)


def make_terms(path: Path, store: Store, change: int) -> Path:
    """Build a term index from scratch, so that no text of removed documents is left in its files."""
    shutil.rmtree(path, ignore_errors=True)
    try:
        TermIndex.create(path).updated([], passage_texts(store, 0, change))
    except (OSError, ValueError):
        shutil.rmtree(path, ignore_errors=True)
        raise
    return path


def move_terms(index: TermIndex, store: Store, after: int, change: int) -> None:
    """Update a term index from the change `after` to `change`."""
    index.updated(store.removed_passages(after, change).tolist(), passage_texts(store, after, change))


def renew_terms(place: CollectionLayout, store: Store, rebuilt: Path, change: int) -> None:
    """Catch up a term index built as of `change`, and move it into place. The caller holds the change lock."""
    index, now = TermIndex.open(rebuilt), store.change()
    if index is None:
        raise FileNotFoundError(rebuilt)
    if change < now:
        move_terms(index, store, change, now)
    put_terms(place, rebuilt, now)


def put_terms(place: CollectionLayout, rebuilt: Path, change: int) -> None:
    """Move a finished term index into place. The caller holds the change lock."""
    sync(rebuilt)
    before = place.terms.with_suffix(".old")
    shutil.rmtree(before, ignore_errors=True)  # left by a crash
    if place.terms.exists():
        place.terms.rename(before)  # atomic for concurrent readers
    take_place(rebuilt, place.terms)
    shutil.rmtree(before, ignore_errors=True)
    cover_terms(place, change)


def cover_terms(place: CollectionLayout, change: int) -> None:
    unfinished = place.terms_covered.with_suffix(".json.new")
    try:
        sync(place.terms)  # tantivy does not sync the folder after its last rename
        unfinished.write_bytes(msgspec.json.encode(change))
        sync(unfinished)
        unfinished.replace(place.terms_covered)  # losing this rename is harmless: the catch-up is idempotent
    except OSError:
        place.terms_covered.unlink(missing_ok=True)  # it is unknown which change the index covers
        raise


def passage_texts(store: Store, after: int, change: int) -> Iterator[tuple[int, int, str]]:
    """(passage, document, text with context) of the passages added after `after` and live as of `change`."""
    documents = {document.number: document for document in store.added_documents(after, change)}
    renderer, of = None, 0
    for row in store.added_passages(after, change):
        document = documents[row.document]
        if renderer is None or row.document != of:
            renderer, of = document_renderer(store, document), row.document
        passage = row.passage
        above = context(document.title, passage.headings)
        yield row.number, row.document, above + renderer.text(passage.first, passage.last, passage.span)


def document_renderer(store: Store, document: Document) -> Renderer:
    """What is read of its passages: what the encoder was given as well."""
    file, sentences, structure, extraction = store.content(document.number)
    return Renderer(text_of(document, file, extraction), sentences, structure, document.media_type)
