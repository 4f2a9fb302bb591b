"""Bringing the derived indexes up to the store: from the file that covers most, or from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import msgspec
import numpy as np

from index.disk import sync, take_place
from index.layout import CollectionLayout, change_of
from index.passages import context
from index.store import Store
from index.terms import TermIndex
from index.types import Document
from index.vectors import VectorIndex

LOOSE = 1000  # vectors that may lie beside the base, or one part in LOOSE_SHARE of all where that is more
LOOSE_SHARE = 20


def vectors_at(place: CollectionLayout, store: Store, change: int) -> tuple[VectorIndex, int]:
    """Dense vectors of all passages as of `change`, and the change that the file they came from covers."""
    covered, index = 0, VectorIndex.of(np.empty(0, np.int64), np.empty((0, store.config.dimension), np.float32))
    for path in place.all_vectors():
        opened = VectorIndex.open(path, store.config.dimension) if usable(change_of(path), store, change) else None
        if opened is not None:
            covered, index = change_of(path), opened
            break
    return moved_vectors(index, store, covered, change), covered


def usable(covered: int, store: Store, change: int) -> bool:
    """Whether what covers one change can be brought to another by the rows of the store."""
    return store.purged() <= covered <= change and covered > 0


def moved_vectors(index: VectorIndex, store: Store, after: int, change: int) -> VectorIndex:
    """An index as of one change, brought to another."""
    if after == change:
        return index
    added = [(row.number, vector) for row, vector in store.added_passages(after, change)]
    numbers = np.array([number for number, _ in added], np.int64)
    vectors = np.frombuffer(b"".join(vector for _, vector in added), np.float16)
    rows = vectors.astype(np.float32).reshape(-1, store.config.dimension)
    return index.updated(store.removed_passages(after, change), numbers, rows)


def save_vectors(place: CollectionLayout, store: Store, *, whole: bool = False) -> None:
    """Write the vectors as of now, if much lies beside the last file, or the `whole` is wanted in one."""
    change = store.change()
    index, covered = vectors_at(place, store, change)
    if covered != change and (whole or index.loose > max(LOOSE, index.count // LOOSE_SHARE) or not covered):
        index.consolidated().save(place.vectors(change))
        covered = change
    for path in place.all_vectors():
        if change_of(path) != covered:
            path.unlink()


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
        rebuild_terms(place, store)
    elif covered < change:
        index.updated(store.removed_passages(covered, change).tolist(), passage_texts(store, covered, change))
        cover_terms(place, change)


def rebuild_terms(place: CollectionLayout, store: Store) -> None:
    """Make the term index from nothing: what was in the old one is in no file afterwards."""
    change = store.change()
    unfinished = place.terms.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        TermIndex.create(unfinished).updated([], passage_texts(store, 0, change))
    except (OSError, ValueError):
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    shutil.rmtree(place.terms, ignore_errors=True)
    sync(unfinished)
    take_place(unfinished, place.terms)
    cover_terms(place, change)


def cover_terms(place: CollectionLayout, change: int) -> None:
    unfinished = place.terms_covered.with_suffix(".new")
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
    for row, _ in store.added_passages(after, change):
        document = documents[row.document]
        if row.document != of:
            text, of = document_text(store, document), row.document
        passage = row.passage
        above = context(document.title, passage.headings)
        yield row.number, row.document, above + text[passage.span.start : passage.span.end]


def document_text(store: Store, document: Document) -> str:
    file, _ = store.content(document.number)
    return file[document.bom :].decode(document.encoding)
