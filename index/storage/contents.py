"""A cache of decoded documents, shared by all versions of the index."""

from __future__ import annotations

from functools import cached_property, lru_cache

from msgspec import Struct

from index.storage.store import Store
from index.text.positions import PositionMap
from index.types import Document, Span

CACHED = 256  # documents kept decoded


class Content(Struct, frozen=True, dict=True):
    """A document with its text, the spans of its sentences, and its positions in three units."""

    document: Document
    file: bytes
    text: str
    sentences: list[Span]

    @cached_property
    def positions(self) -> PositionMap:
        return PositionMap(self.text, self.document.encoding, self.document.bom)


class Contents:
    """Reads and caches the contents of documents. Rows of the store never change, so entries never go stale."""

    def __init__(self, store: Store) -> None:
        def read(document: Document) -> Content:
            file, sentences = store.content(document.number)
            text = file[document.bom :].decode(document.encoding)
            return Content(document, file, text, sentences)

        self.of = lru_cache(CACHED)(read)
