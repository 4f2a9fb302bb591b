"""A cache of decoded documents, shared by all versions of the index."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from threading import Lock

from cachetools import LRUCache, cached
from msgspec import Struct

from index.storage.store import Store
from index.text.extraction import text_of
from index.text.positions import RUN_BYTES, PositionMap
from index.text.rendering import Renderer
from index.text.structure import Structure
from index.types import Document, SourceMap, Span

ROOM = 256_000_000  # bytes of decoded documents cached per collection
SPAN_BYTES = 136  # of a span: its two numbers and its list entry
MAPS = 2  # of position tables: to UTF-16 units and to bytes


class Content(Struct, frozen=True, dict=True):
    """A document with its text, the spans of its sentences, its blocks, and its positions in three units."""

    document: Document
    file: bytes
    text: str
    sentences: list[Span]
    structure: Structure
    map: SourceMap | None = None  # how the text lies in the file, where it is not the file

    @cached_property
    def renderer(self) -> Renderer:
        """What is read of its passages."""
        return Renderer(self.text, self.sentences, self.structure, self.document.media_type)

    @cached_property
    def positions(self) -> PositionMap:
        return PositionMap(self.text, self.document.encoding, self.document.bom, self.map)

    @property
    def size(self) -> int:
        """Upper bound of its memory in bytes, including the positions, which are computed on demand."""
        wide = max(0, len(self.file) - len(self.text))  # each multi-byte character ends two runs
        runs = min(len(self.text), 2 * wide + 1)
        return len(self.file) + sys.getsizeof(self.text) + SPAN_BYTES * len(self.sentences) + MAPS * RUN_BYTES * runs


class Contents:
    """Reads and caches the contents of documents. Rows of the store never change, so entries never go stale."""

    def __init__(self, store: Store, room: int = ROOM) -> None:
        """`room`: bytes. A larger document is cached alone, because otherwise each passage would decode it again."""

        def read(document: Document) -> Content:
            file, sentences, structure, extraction = store.content(document.number)
            text = text_of(document, file, extraction)
            return Content(document, file, text, sentences, structure, None if extraction is None else extraction.map)

        self.cache = LRUCache[int, Content](room, lambda content: min(content.size, room))
        self.of: Callable[[Document], Content] = cached(self.cache, lambda document: document.number, Lock())(read)
