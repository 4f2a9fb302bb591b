"""Searches one immutable snapshot of a collection: dense search and term search, fused."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from index.errors import DocumentNotFound
from index.search.derived import numbers_in
from index.search.fusion import CANDIDATES, Fusion
from index.search.spelling import corrected
from index.search.vectors import Dense
from index.search.views import View, moved_view, renewed_view, view_of
from index.storage.contents import Content, Contents
from index.storage.layout import CollectionLayout
from index.storage.store import Store
from index.storage.tables import PassageRow
from index.text.positions import PositionMap
from index.text.sources import select
from index.types import Document, Encoder, Hit, Span, StoredPassage, Vectors

ALIKE = 50  # passages in which the correct spelling of a word is looked for
FILTERS = 16  # document filters whose passages a view caches


class Searcher:
    """An immutable snapshot of a collection. Thread-safe."""

    def __init__(self, store: Store, encoder: Encoder, contents: Contents, view: View) -> None:
        self.encoder = encoder
        self.change = view.change
        self.version = f"{store.identity}-{view.change}"
        self.fusion = Fusion()
        self._store = store
        self._contents = contents
        self._view = view
        self._vectors = view.vectors
        self._terms = view.terms
        self._documents = view.listed.documents
        self._sources = view.listed.sources
        self._by_number = view.listed.by_number
        self._among = lru_cache(FILTERS)(partial(among, view))

    @classmethod
    def of(cls, place: CollectionLayout, store: Store, encoder: Encoder) -> Searcher:
        """A searcher on the current state of a store."""
        return cls(store, encoder, Contents(store), view_of(place, store))

    def moved(self, place: CollectionLayout) -> Searcher:
        """A searcher on the current state of the same store; `self` if nothing changed."""
        view = moved_view(self._view, place, self._store)
        return self if view is self._view else Searcher(self._store, self.encoder, self._contents, view)

    def renewed(self, place: CollectionLayout) -> Searcher:
        """A searcher on the same version with the newest base of vectors; `self` if it already uses that."""
        view = renewed_view(self._view, place, self._store)
        return self if view is self._view else Searcher(self._store, self.encoder, self._contents, view)

    @property
    def passages(self) -> int:
        return self._vectors.count

    @property
    def dense(self) -> Dense:
        """How dense search works here, and its measured recall."""
        return self._vectors.dense

    def close(self) -> None:
        self._store.close()

    # ---- passages

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts of documents like passages, without context."""
        return self.encoder.encode([self._store.config.passage_prompt.format(context="", text=text) for text in texts])

    def encode_question(self, question: str) -> NDArray[np.float32]:
        """The vector [dimension] of a question."""
        prompted = self._store.config.query_prompt.format(text=question)
        vector: NDArray[np.float32] = self.encoder.encode([prompted])[0]
        return vector

    def rarity(self, term: str) -> float:
        """The inverse document frequency of a term in this collection."""
        return self._terms.rarity(term)

    def corrected(self, question: str) -> str:
        """The question with misspelt words corrected to words of the passages."""

        def is_known(word: str) -> bool:
            return self._terms.holds(word) or self.encoder.count(word) <= self.encoder.count("a")

        def alike(word: str) -> list[str]:
            return [each.text for each in self._read(self._terms.alike(word, ALIKE)).values()]

        return corrected(question, is_known, alike)

    def search(self, question: str, depth: int, sources: Sequence[str] | None = None) -> list[Hit]:
        """The `depth` best passages, best first. `sources` are glob patterns; a document matches any of them."""
        dense, terms = self.rankings(question, sources)
        return self.fusion.hits(dense, terms, depth, self._read)

    def _read(self, numbers: Sequence[int]) -> dict[int, StoredPassage]:
        rows = self._store.passages(numbers)
        return {number: self._stored(row) for number, row in rows.items() if row.document in self._by_number}

    def _stored(self, row: PassageRow) -> StoredPassage:
        content, (start, end) = self.content(row.document), row.passage.span
        return StoredPassage(row.number, content.document, row.passage, content.text[start:end])

    def rankings(
        self, question: str, sources: Sequence[str] | None = None
    ) -> tuple[dict[int, float], dict[int, float]]:
        """The results of dense and term search, each best first: cosine and BM25 by passage number."""
        documents, passages = (None, None) if sources is None else self._among(tuple(sources))
        dense = self._vectors.search(self.encode_question(question), CANDIDATES, passages)
        return dict(dense), dict(self._terms.search(question, CANDIDATES, documents, passages))

    def matching(self, sources: Sequence[str]) -> int:
        """How many documents these patterns match."""
        return len(self._among(tuple(sources))[0])

    def places(self, numbers: Sequence[int]) -> list[tuple[int, str, Span]]:
        """(number, source, span) of each passage."""
        rows = self._store.passages(numbers)
        return [(n, self._by_number[row.document].source, row.passage.span) for n, row in rows.items()]

    # ---- documents

    @property
    def document_count(self) -> int:
        return len(self._documents)

    def documents(self, after: str | None, limit: int) -> list[Document]:
        """Up to `limit` documents ordered by source (code points), those after the source `after`."""
        start = 0 if after is None else bisect_right(self._sources, after)
        return self._documents[start : start + limit]

    def document(self, source: str) -> Document:
        place = bisect_right(self._sources, source) - 1
        if place < 0 or self._sources[place] != source:
            raise DocumentNotFound(source=source)
        return self._documents[place]

    def live(self, source: str) -> Document | None:
        """The document with this source, or None."""
        try:
            return self.document(source)
        except DocumentNotFound:
            return None

    def with_content(self, sha256: str) -> list[Document]:
        """The documents whose file has this hash, ordered by source."""
        return self._by_sha256.get(sha256, [])

    @cached_property
    def _by_sha256(self) -> dict[str, list[Document]]:
        by_sha256: dict[str, list[Document]] = defaultdict(list)
        for document in self._documents:
            by_sha256[document.sha256].append(document)
        return dict(by_sha256)

    def file(self, source: str) -> bytes:
        """The original bytes of a document's file."""
        return self.content(self.document(source).number).file

    def text(self, source: str) -> str:
        return self.content(self.document(source).number).text

    def sentences(self, source: str) -> list[Span]:
        return self.content(self.document(source).number).sentences

    def positions(self, source: str) -> PositionMap:
        return self.content(self.document(source).number).positions

    def content(self, number: int) -> Content:
        """The contents of a document by its number."""
        return self._contents.of(self._by_number[number])


def among(view: View, patterns: Sequence[str]) -> tuple[list[int], NDArray[np.int64]]:
    """The numbers of the documents whose sources match any pattern, and of their passages."""
    documents = sorted(view.listed.documents[place].number for place in select(patterns, view.listed.sources))
    return documents, numbers_in(view.ranges[np.isin(view.ranges[:, 0], documents)])
