"""The part of a store's tables that belongs to one collection."""

from __future__ import annotations

from msgspec import Struct

from index.config import IndexConfig
from index.milvus.engine import Engine
from index.milvus.tables import COLLECTIONS, Table, quoted
from index.types import Encoder


class State(Struct, frozen=True):
    """The state of a collection at one moment."""

    version: str
    documents: int
    passages: int
    words: int
    names: tuple[str, ...]  # names in use: one, or none after the collection was dropped


class Part(Struct, frozen=True):
    engine: Engine
    identity: str
    table: Table  # total over all passages
    encoder: Encoder
    config: IndexConfig

    @property
    def rows(self) -> str:
        """An expression that selects the rows of this collection."""
        return f"collection == {quoted(self.identity)}"

    def key(self, source: str) -> str:
        """The key of a document's row."""
        return f"{self.identity}/{source}"

    def state(self) -> State:
        """The sum of all writers' counters."""
        counted = list(self.engine.rows(COLLECTIONS.name, self.rows, COLLECTIONS.numbers))
        changes, documents, passages, words = (sum(row[field] for row in counted) for field in COLLECTIONS.numbers)
        names = tuple(row["key"] for row in counted if "/" not in row["key"])
        return State(f"{self.identity}-{changes}", documents, passages, words, names)
