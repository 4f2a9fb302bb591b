"""The compared search systems: ours and two peers, each configured for hybrid search as its documentation says.

All use the same model, and the peers get the exact texts that ours embeds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from index.collections.build import build
from index.collections.opening import open_searcher
from index.collections.writer import build_writer
from index.embedding.models import packaged
from index.storage.layout import Layout
from index.storage.store import Store
from index.text.passages import context

TOP = 20


class PassageText(Struct, frozen=True):
    source: str
    start: int
    end: int
    text: str  # as embedded, with title and headings

    @property
    def key(self) -> str:
        return f"{self.source} {self.start} {self.end}"


def passages_of(index: Path) -> list[PassageText]:
    """All passages of an index, as embedded."""
    store = Store(Layout(index).collection("default").store)
    searcher = open_searcher(index)
    passages = []
    for row in store.added_passages(0, store.change()):
        content, span = searcher.content(row.document), row.passage.span
        above = context(content.document.title, row.passage.headings)
        passages.append(PassageText(content.document.source, *span, above + content.text[span.start : span.end]))
    searcher.close()
    store.close()
    return passages


class System(Protocol):
    """Indexes the passages once, then returns the keys of the best for a question. Thread-safe."""

    def add(self, passages: Sequence[PassageText]) -> None: ...

    def search(self, question: str) -> list[str]: ...


class Pincite:
    """Reads the files itself, so its indexing includes decoding, splitting and storing."""

    def __init__(self, corpus: Path, index: Path) -> None:
        self._corpus, self._index = corpus, index

    def add(self, passages: Sequence[PassageText]) -> None:  # noqa: ARG002  ours makes them from the files

        with build_writer(self._index) as writer:
            build(writer, [self._corpus])
        self._searcher = open_searcher(self._index)

    def search(self, question: str) -> list[str]:
        hits = [hit.passage for hit in self._searcher.search(question, TOP)]
        return [f"{hit.document.source} {hit.passage.span.start} {hit.passage.span.end}" for hit in hits]


class Haystack:
    """BM25 and embeddings in memory, fused with RRF."""

    def __init__(self) -> None:
        os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read at import time
        from haystack import Pipeline
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersTextEmbedder

        self._store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        self._pipeline = Pipeline()
        self._pipeline.add_component(
            "embedder", SentenceTransformersTextEmbedder(model=str(packaged()), progress_bar=False)
        )
        self._pipeline.add_component("dense", InMemoryEmbeddingRetriever(self._store, top_k=TOP))
        self._pipeline.add_component("terms", InMemoryBM25Retriever(self._store, top_k=TOP))
        self._pipeline.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=TOP))
        self._pipeline.connect("embedder.embedding", "dense.query_embedding")
        self._pipeline.connect("dense", "joiner")
        self._pipeline.connect("terms", "joiner")

    def add(self, passages: Sequence[PassageText]) -> None:
        from haystack import Document
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
        )

        embedder = SentenceTransformersDocumentEmbedder(model=str(packaged()), progress_bar=False)
        embedder.warm_up()
        documents = [Document(id=passage.key, content=passage.text) for passage in passages]
        self._store.write_documents(embedder.run(documents=documents)["documents"])

    def search(self, question: str) -> list[str]:
        inputs = {"embedder": {"text": question}, "terms": {"query": question}}
        return [document.id for document in self._pipeline.run(inputs)["joiner"]["documents"]]


class Txtai:
    """Embeddings with `hybrid`."""

    def __init__(self) -> None:
        from txtai import Embeddings

        self._embeddings = Embeddings(path=str(packaged()), hybrid=True)

    def add(self, passages: Sequence[PassageText]) -> None:
        self._embeddings.index((passage.key, passage.text, None) for passage in passages)

    def search(self, question: str) -> list[str]:
        return [str(key) for key, _ in self._embeddings.search(question, TOP)]


def open_system(name: str, corpus: Path, index: Path) -> System:
    if name == "Pincite":
        return Pincite(corpus, index)
    return Haystack() if name == "Haystack" else Txtai()
