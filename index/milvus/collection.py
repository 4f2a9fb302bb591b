"""A collection in Milvus, found by its name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from index.config import IndexConfig
from index.errors import CollectionNotFound
from index.milvus.contents import Versions
from index.milvus.partition import Part, State
from index.milvus.recall import Recall
from index.milvus.searcher import MilvusSearcher
from index.milvus.writer import MilvusWriter
from index.storage.tables import RETENTION_SECONDS
from index.types import Document


class Bound:
    """One collection that had a name at some time, ready for search and writing."""

    def __init__(self, part: Part, name: str, names: Callable[[], list[str]]) -> None:
        self.part = part
        self.name = name
        self.versions = Versions(part.engine)
        self.recall = Recall(part)
        self.writer = MilvusWriter(part, self.state)
        self._names = names
        self._searcher: MilvusSearcher | None = None

    def state(self) -> State:
        """The current state. Raises CollectionNotFound after a drop, even if a new collection has the name."""
        state = self.part.state()
        if self.name not in state.names:
            raise CollectionNotFound(collection=self.name, existing=", ".join(self._names()) or "none")
        return state

    def searcher(self, state: State) -> MilvusSearcher:
        """A searcher for a state; the same object while the version stays the same, with its caches."""
        searcher = self._searcher
        if searcher is None or searcher.state != state:
            searcher = self._searcher = MilvusSearcher(self.part, self.versions, self.recall, state)
        return searcher


class MilvusCollection:
    """The collection that currently has a name. Thread-safe. Follows the name if the collection is replaced."""

    def __init__(self, bound: Bound, bind: Callable[[], Bound]) -> None:
        self.name = bound.name
        self._bind = bind
        self._binding = threading.Lock()
        self._bound: Bound | None = bound

    def _now(self) -> tuple[Bound, State]:
        bound = self._bound
        if bound is not None:
            try:
                return bound, bound.state()
            except CollectionNotFound:
                pass  # dropped, and perhaps created again
        with self._binding:
            if self._bound is bound:
                self._bound = None
                self._bound = self._bind()
            bound = self._bound
        if bound is None:
            raise CollectionNotFound(collection=self.name, existing="others")
        return bound, bound.state()

    def searcher(self) -> MilvusSearcher:
        bound, state = self._now()
        return bound.searcher(state)

    @property
    def writer(self) -> MilvusWriter:
        return self._now()[0].writer

    @property
    def config(self) -> IndexConfig:
        return self._now()[0].part.config

    @property
    def current(self) -> bool:
        """Always true: the collection is looked up by its name."""
        return True

    def version(self, source: str, sha256: str) -> tuple[Document, bytes] | None:
        """A version of a document by its hash, with its bytes: the live one, or one replaced recently."""
        bound, _ = self._now()
        present = bound.writer.present([source]).get(source)
        if present is None:
            return None
        versions = [(present.version, present.document.sha256)]
        versions += [
            (replaced.version, replaced.sha256)
            for replaced in present.replaced
            if replaced.at >= time.time() - RETENTION_SECONDS
        ]
        for version, hashed in versions:
            if hashed == sha256:
                content = bound.versions.of(int(version, 16)).content
                return content.document, content.file
        return None

    def compact(self) -> bool:
        """Erase versions that are due. False if there were none."""
        bound, _ = self._now()
        bound.part.engine.settle()
        return bound.writer.sweep(time.time())

    def close(self) -> None:
        """Nothing to close: the connection belongs to the backend."""
