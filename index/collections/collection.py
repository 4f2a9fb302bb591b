"""A collection in use: searched through immutable snapshots while this or another process writes to it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from index.collections.opening import open_collection
from index.collections.writer import Writer
from index.config import IndexConfig
from index.maintenance.repair import derived_flaws
from index.search.searcher import Searcher
from index.storage.layout import CollectionLayout
from index.storage.store import Store
from index.types import Document, Encoder


class Collection:
    """A store, its current searcher and its writer. Thread-safe."""

    def __init__(self, place: CollectionLayout, store: Store, encoder: Encoder) -> None:
        self.place = place
        self.store = store
        self.encoder = encoder
        self.writer = Writer(place, store, encoder)
        self._searcher = Searcher.of(place, store, encoder)
        self._moving = threading.Lock()
        self._settled = store.change()
        self._proved = False

    @classmethod
    def open(cls, index: Path, name: str = "default", encoder: str | None = None) -> Collection:
        """Raises the errors of `open_collection`."""
        return cls(*open_collection(index, name, encoder))

    def searcher(self) -> Searcher:
        """A searcher on the latest change. Searchers obtained earlier keep their snapshot."""
        searcher = self._searcher
        if searcher.change == self.store.change():
            return searcher
        with self._moving:
            self._searcher = self._searcher.moved(self.place)
            return self._searcher

    def version(self, source: str, sha256: str) -> tuple[Document, bytes] | None:
        """A version of a document by its hash, with its bytes: the live one, or one replaced recently."""
        return self.store.version(source, sha256, time.time())

    def compact(self) -> bool:
        """Erase removed documents. Call it periodically: each run erases what was removed before the previous run.

        Also rebuilds dense search if its delta is large, and switches to the newest base on disk, whoever built it. The
        first run verifies all derived files completely; opening checks only the ends of large files.
        """
        if not self._proved and derived_flaws(self.place):
            self.writer.rebuild()
            with self._moving:
                self._searcher = Searcher.of(self.place, self.store, self.encoder)
        self._proved = True
        settled, self._settled = self._settled, self.store.change()
        erased = self.writer.compact(settled)
        searcher = self.searcher()
        renewed = searcher.renewed(self.place)
        with self._moving:
            self._searcher = renewed if self._searcher is searcher else renewed.moved(self.place)
        return erased

    @property
    def config(self) -> IndexConfig:
        return self.store.config

    @property
    def current(self) -> bool:
        """False once the collection was dropped, even if a new one has its name."""
        return self.store.present

    def close(self) -> None:
        self.store.close()
