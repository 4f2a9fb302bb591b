"""Backends: where collections are stored, in a local folder or in Milvus."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

from index.collections import collections
from index.collections.addresses import Address
from index.collections.build import Progress
from index.collections.collection import Collection
from index.collections.document_writer import DocumentWriter
from index.collections.protocols import Backend
from index.collections.writer import build_writer, delete
from index.errors import CollectionExists, CollectionNotMade, IndexNotFound, StoreUnavailable
from index.maintenance.checking import Checked, check
from index.storage.layout import Layout
from index.storage.store import Store


def open_backend(index: Path, store: Address | None = None) -> Backend:
    """A local folder, or a store with this folder beside it. Raises StoreUnavailable.

    The Milvus client is imported only when needed, because that takes a second.
    """
    if store is None:
        return FolderBackend(index)
    try:
        from index.milvus.backend import MilvusBackend
    except ModuleNotFoundError as error:
        raise StoreUnavailable(store=store, reason=f"{error.name} is not installed: requirements/scale.txt") from error
    return MilvusBackend(store, index)


class FolderBackend:
    """Collections in an index folder."""

    def __init__(self, index: Path) -> None:
        self.index = index

    def names(self) -> list[str]:
        return Layout(self.index).collections()

    def has(self, name: str) -> bool:
        return Layout(self.index).collection(name).store.exists()

    def open(self, name: str, encoder: str | None = None) -> Collection:
        if not self.names():
            raise IndexNotFound(path=self.index)
        if encoder is None:
            collections.place_of(self.index, name)
        return Collection.open(self.index, name, encoder)

    def make(self, name: str, encoder: str | None = None) -> None:
        collections.make(self.index, name, encoder)

    def make_in_subprocess(self, name: str, encoder: str | None, program: Sequence[str]) -> None:
        options = ["--index", str(self.index), *([f"--encoder={encoder}"] if encoder else [])]
        command = [*program, "collections", "make", *options, "--", name]  # maybe only --help
        completed = subprocess.run(command, check=False, capture_output=True, text=True)
        if completed.returncode and self.has(name):
            raise CollectionExists(collection=name)
        if completed.returncode:
            raise CollectionNotMade(collection=name, reason=completed.stderr.strip())

    def listed(self) -> list[tuple[str, int, str]]:
        rows = []
        for name in self.names():
            with closing(Store(collections.place_of(self.index, name).store)) as store:
                rows.append((name, len(store.documents(store.change())), store.config.encoder))
        return rows

    def delete(self, sources: Sequence[str], collection: str) -> None:
        delete(sources, self.index, collection)

    def drop(self, name: str) -> None:
        collections.drop(self.index, name)

    def sweep(self) -> None:
        collections.sweep(self.index)

    def build_writer(
        self, collection: str = "default", encoder: str | None = None
    ) -> AbstractContextManager[DocumentWriter]:
        return build_writer(self.index, collection, encoder)

    def check(self, collection: str | None, *, repair: bool, progress: Progress) -> list[Checked]:
        return check(self.index, collection, repair=repair, progress=progress)

    def close(self) -> None:
        """Nothing to close: collections are closed one by one."""
