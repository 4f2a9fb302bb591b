"""Collections in Milvus: list, create, drop, open and build them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from index.collections.addresses import Address
from index.collections.build import Progress
from index.collections.collections import DEFAULT, NAME, check_name
from index.config import IndexConfig
from index.embedding import models
from index.embedding.encoder import encoder_of, open_encoder
from index.embedding.export_process import export_apart
from index.embedding.prefixes import config_of
from index.errors import CollectionExists, CollectionNotFound, DefaultCollection
from index.maintenance.checking import Checked
from index.milvus.checking import check_collection
from index.milvus.collection import Bound, MilvusCollection
from index.milvus.engine import Engine
from index.milvus.partition import Part
from index.milvus.tables import (
    COLLECTIONS,
    DOCUMENTS,
    FIXED,
    JOURNAL,
    NOTHING,
    PIECES_TABLE,
    Row,
    among,
    passages_table,
    quoted,
)
from index.milvus.writer import MilvusWriter
from index.storage.layout import Layout
from index.types import Encoder

DROPPED = "dropped/"
REMEMBERED_S = 3600  # seconds in which a dropped collection is swept: a writer may have been active
COUNTERS = dict.fromkeys(COLLECTIONS.numbers, 0)


class MilvusBackend:
    """The collections of a store. `index`: a local folder for exported encoders and keys."""

    def __init__(self, address: Address, index: Path) -> None:
        """Raises StoreUnavailable or StoreRefused."""
        self.index = index
        self.address = address
        self._engine = Engine(address)
        self._exporting = threading.Lock()
        for table in FIXED:
            self._engine.make(table)

    def close(self) -> None:
        self._engine.close()

    def names(self) -> list[str]:
        rows = self._engine.rows(COLLECTIONS.name, 'config != ""', [])
        return sorted(row["key"] for row in rows if "/" not in row["key"])

    def has(self, name: str) -> bool:
        return self._row(name) is not None

    def open(self, name: str, encoder: str | None = None) -> MilvusCollection:
        return MilvusCollection(self.bound(name, encoder), lambda: self.bound(name))

    def bound(self, name: str, encoder: str | None = None) -> Bound:
        """The collection that has this name now, ready for search."""
        row = self._row(name)
        if row is None:
            raise CollectionNotFound(collection=name, existing=", ".join(self.names()) or "none")
        config = msgspec.json.decode(row["config"], type=IndexConfig)
        table = passages_table(config.encoder_sha256, config.dimension)
        self._engine.make(table)
        folder = Layout(self.index).encoder(config.encoder_sha256)
        self._exported(config.encoder, folder)
        opened = encoder_of(Layout(self.index), config, encoder)
        return Bound(Part(self._engine, row["collection"], table, opened, config), name, self.names)

    def make(self, name: str, encoder: str | None = None) -> None:
        check_name(name)
        if self.has(name):
            raise CollectionExists(collection=name)
        config = config_of(self._encoder(encoder or models.DEFAULT))
        self._engine.make(passages_table(config.encoder_sha256, config.dimension))
        row = {"key": name, "collection": secrets.token_hex(6), "config": msgspec.json.encode(config).decode()}
        self._engine.upsert(COLLECTIONS.name, [row | COUNTERS | {"vector": NOTHING}])

    def make_in_subprocess(self, name: str, encoder: str | None, _program: Sequence[str]) -> None:
        self.make(name, encoder)

    def _encoder(self, name: str) -> Encoder:
        model = models.find(name)
        folder = Layout(self.index).encoder(model.sha256)
        self._exported(model.name, folder)
        return open_encoder(model.name, folder)

    def _exported(self, name: str, folder: Path) -> None:
        """Export the encoder once per machine; its weights come from the model, not from the store."""
        with self._exporting:
            if not folder.exists():
                export_apart(name, folder)

    def listed(self) -> list[tuple[str, int, str]]:
        bound = map(self.bound, self.names())
        return [(each.name, each.state().documents, each.part.config.encoder) for each in bound]

    def delete(self, sources: Sequence[str], collection: str) -> None:
        self.bound(collection).writer.delete(sources)

    def drop(self, name: str) -> None:
        """Drop a collection atomically. `sweep` erases its rows later."""
        row = self._row(name)
        if row is None:
            raise CollectionNotFound(collection=name, existing=", ".join(self.names()) or "none")
        if name == DEFAULT:
            raise DefaultCollection(collection=name)
        grave = {"key": f"{DROPPED}{row['collection']}", "collection": row["collection"], "config": row["config"]}
        self._engine.upsert(COLLECTIONS.name, [grave | COUNTERS | {"changes": int(time.time()), "vector": NOTHING}])
        self._engine.delete(COLLECTIONS.name, [name])
        self._erase(grave)

    def sweep(self) -> None:
        rows = self._engine.rows(COLLECTIONS.name, 'config != ""', ["collection", "config", "changes"])
        for row in [row for row in rows if row["key"].startswith(DROPPED)]:
            self._erase(row)
            if row["changes"] < time.time() - REMEMBERED_S:
                self._engine.delete(COLLECTIONS.name, [row["key"]])

    def _erase(self, grave: Row) -> None:
        """Erase a dropped collection, including a name that an interrupted drop left."""
        identity = grave["collection"]
        config = msgspec.json.decode(grave["config"], type=IndexConfig)
        passages = passages_table(config.encoder_sha256, config.dimension)
        for table in (DOCUMENTS, JOURNAL, passages, PIECES_TABLE):
            self._engine.delete_where(table.name, f"collection == {quoted(identity)}")
        rows = self._engine.rows(COLLECTIONS.name, f"collection == {quoted(identity)}", [])
        keys = [row["key"] for row in rows if row["key"] != grave["key"]]
        if keys:
            self._engine.delete_where(COLLECTIONS.name, among("key", keys))

    @contextmanager
    def build_writer(self, collection: str = DEFAULT, encoder: str | None = None) -> Iterator[MilvusWriter]:
        if not self.has(collection):
            self.make(collection, encoder)
        yield self.bound(collection, encoder).writer

    def check(self, collection: str | None, *, repair: bool, progress: Progress) -> list[Checked]:
        names = self.names()
        if collection is not None and collection not in names:
            raise CollectionNotFound(collection=collection, existing=", ".join(names) or "none")
        return [check_collection(self.bound(name), repair, progress) for name in names if collection in (None, name)]

    def _row(self, name: str) -> Row | None:
        if not NAME.fullmatch(name):
            return None
        return self._engine.get(COLLECTIONS.name, [name], ["collection", "config"]).get(name)
