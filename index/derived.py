"""Bringing the derived indexes up to the store: from the file that covers most, or from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import msgspec
import numpy as np

from index.layout import CollectionLayout, change_of
from index.passages import context
from index.store import Store
from index.terms import TermIndex
from index.types import Document
from index.vectors import VectorIndex


def vectors_at(place: CollectionLayout, store: Store, change: int) -> tuple[VectorIndex, int]:
    """Dense vectors of all passages as of `change`, and the change that the file they came from covers."""
    covered, index = 0, nothing(store.config.dimension)
    for path in place.all_vectors():
        opened = VectorIndex.open(path, store.config.dimension) if 0 < change_of(path) <= change else None
        if opened is not None:
            covered, index = change_of(path), opened
            break
    if covered == change:
        return index, covered
    live = store.passage_documents(change)[:, 0]
    added = [(row.number, vector) for row, vector in store.added_passages(covered, change)]
    numbers = np.array([number for number, _ in added], np.int64)
    vectors = np.frombuffer(b"".join(vector for _, vector in added), np.float16)
    rows = vectors.astype(np.float32).reshape(-1, store.config.dimension)
    return index.updated(live, numbers, rows), covered


def nothing(dimension: int) -> VectorIndex:
    return VectorIndex.of(np.empty(0, np.int64), np.empty((0, dimension), np.float32))


def save_vectors(place: CollectionLayout, store: Store) -> None:
    change = store.change()
    index, covered = vectors_at(place, store, change)
    if covered != change:
        index.save(place.vectors(change))
    for path in place.all_vectors():
        if change_of(path) != change:
            path.unlink()


def terms_covered(place: CollectionLayout) -> int:
    try:
        return msgspec.json.decode(place.terms_covered.read_bytes(), type=int)
    except (OSError, msgspec.DecodeError):
        return 0


def save_terms(place: CollectionLayout, store: Store) -> TermIndex:
    """Bring the term index on disk up to the present change. Only the process that holds the write lock may."""
    change = store.change()
    index, covered = TermIndex.open(place.terms), terms_covered(place)
    if index is None or not 0 < covered <= change:
        shutil.rmtree(place.terms, ignore_errors=True)
        index, covered = TermIndex.create(place.terms), 0
    if covered < change:
        index = index.updated(store.removed_passages(covered), passage_texts(store, covered, change))
        unfinished = place.terms_covered.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(change))
        unfinished.replace(place.terms_covered)
    return index


def passage_texts(store: Store, after: int, change: int) -> Iterator[tuple[int, int, str]]:
    """(passage, document, text with its context) of the passages that came after one change, as of another."""
    documents = {document.number: document for document in store.documents(change)}
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
