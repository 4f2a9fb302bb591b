"""Writes to a collection in an index folder: commits to the store, then updates the derived indexes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from index.collections.document_writer import DocumentWriter, Origin
from index.collections.opening import open_collection
from index.embedding import models
from index.embedding.encoder import encoder_of, make_encoder
from index.embedding.prefixes import config_of
from index.errors import IndexLocked
from index.maintenance.repair import rebuild
from index.search.derived import rebuild_derived, save_terms, save_vectors
from index.storage.disk import make_folder, refused_by_disk, require_room
from index.storage.layout import CollectionLayout, Layout
from index.storage.store import Store
from index.storage.tables import NewDocument
from index.types import Document, Encoder

ROOM = 4  # bytes on disk per byte of a document: file, passages, vectors and terms, twice


@contextmanager
def build_writer(index: Path, collection: str = "default", encoder: str | None = None) -> Iterator[Writer]:
    """A writer for a build, with exclusive access; creates the collection if needed.

    `encoder`: a model's name or folder; None for the collection's own or the packaged one. Raises EncoderMismatch,
    IndexLocked or another PinciteError.
    """
    layout = Layout(index)
    place = layout.collection(collection)
    try:
        make_folder(place.path)
        with FileLock(place.lock, timeout=0), closing(open_writer(layout, place, encoder)) as writer:
            yield writer
    except Timeout as error:
        raise IndexLocked(path=index) from error
    except OSError as error:
        raise refused_by_disk(error, index) from error


def delete(sources: Sequence[str], index: Path, collection: str = "default") -> None:
    """Delete documents and erase their bytes, all or none. Raises DocumentNotFound."""
    place, store, encoder = open_collection(index, collection, None)
    with closing(Writer(place, store, encoder)) as writer:
        writer.delete(sources)


def open_writer(layout: Layout, place: CollectionLayout, encoder: str | None) -> Writer:
    """A writer on the collection in `place`, which is created if needed."""
    if place.store.exists():
        store = Store(place.store)
        return Writer(place, store, encoder_of(layout, store.config, encoder))
    model = models.find(encoder or models.DEFAULT)
    opened = make_encoder(model.name, layout.encoder(model.sha256))
    return Writer(place, Store.create(place.store, config_of(opened), uuid.uuid4().hex[:12]), opened)


class Writer(DocumentWriter):
    """The only writer of a collection while its lock is held."""

    def __init__(self, place: CollectionLayout, store: Store, encoder: Encoder) -> None:
        super().__init__(encoder, store.config)
        self.place = place
        self.store = store

    def close(self) -> None:
        self.store.close()

    def apply(self, put: Sequence[NewDocument], remove: Sequence[str]) -> None:
        """Commit to the store and to term search, both or neither."""
        if put:
            require_room(self.place.path, ROOM * sum(len(new.file) for new in put))
        change = self.store.commit(put, remove, at=time.time())
        try:
            save_terms(self.place, self.store)
        except (OSError, ValueError):
            self.store.undo(change)  # no reader sees it before the lock is released
            raise

    def live(self, sources: Sequence[str]) -> list[Document | None]:
        return [self.store.live(source) for source in sources]

    def origins(self) -> dict[str, Origin]:
        return self.store.origins()

    def origins_of(self, sources: Sequence[str]) -> dict[str, Origin]:
        return {source: origin for source in sources if (origin := self.store.origin(source))}

    def vectors_of(self, sources: Sequence[str]) -> dict[bytes, NDArray[np.float16]]:
        vectors: dict[bytes, NDArray[np.float16]] = {}
        for source in sources:
            vectors |= self.store.vectors_by_key(source)
        return vectors

    def finish(self) -> tuple[int, int, str]:
        """Bring dense search up to date, and term search after an interrupted change."""
        with self.alone(self.place.creation_lock):
            save_vectors(self.place, self.store)
        with self.changing():
            save_terms(self.place, self.store)
        change = self.store.change()
        documents, passages = len(self.store.documents(change)), self.store.passage_count(change)
        return documents, passages, f"{self.store.identity}-{change}"

    def compact(self, settled: int) -> bool:
        """Erase removed documents that nobody can read any more, up to the change `settled`.

        Rebuilds the derived indexes without them, while searches and commits continue. If there is nothing to erase, it
        returns False after rebuilding dense search if its delta is large.
        """
        with self.alone(self.place.creation_lock):
            if not self.store.expired(settled, time.time()):
                save_vectors(self.place, self.store)
                return False
            rebuilt = self.store.change()
            rebuild_derived(self.place, self.store, self.changing)
            with self.changing():
                self.store.purge(min(settled, rebuilt), time.time())
        return True

    def rebuild(self) -> None:
        """Delete and rebuild the derived indexes, while searches and commits continue."""
        with self.alone(self.place.creation_lock):
            rebuild(self.place, self.store, self.changing)

    def changing(self) -> AbstractContextManager[None]:
        """A lock on the collection for one change. Raises CollectionNotFound if it was dropped."""
        return self.alone(self.place.change_lock)

    @contextmanager
    def alone(self, lock: Path) -> Iterator[None]:
        try:
            with FileLock(lock):
                self.store.require_present()
                yield
        except OSError as error:
            self.store.require_present()
            raise refused_by_disk(error, self.place.path) from error
