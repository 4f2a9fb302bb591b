"""The collections that a service answers from, as this or another process creates and drops them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from index.collections.collections import check_name
from index.collections.protocols import Backend, Collection
from index.embedding import models
from index.errors import (
    CollectionExists,
    CollectionNotFound,
    CollectionNotMade,
    IndexProblem,
    ModelError,
    ModelNotFound,
    StoreUnavailable,
)
from service.errors import CollectionForbidden, UnknownEncoder

logger = logging.getLogger("pincite")


class Catalogue:
    """A thread-safe catalogue of open collections."""

    def __init__(
        self, collections: Mapping[str, Collection], backend: Backend | None = None, program: Sequence[str] = ()
    ) -> None:
        """Without a `backend` the collections are fixed. `program` runs the `pincite` command."""
        self._collections = dict(collections)
        self._backend = backend
        self._program = program
        self._opening = threading.Lock()

    @classmethod
    def open(cls, backend: Backend, served: str, encoder: str | None, program: Sequence[str]) -> Catalogue:
        """Open the collection `served`, or raise its error. Others are opened on first use.

        `encoder`: of the collection `served`.
        """
        return cls({served: backend.open(served, encoder)}, backend, program)

    @property
    def index(self) -> Path | None:
        """The local folder of the backend."""
        return self._backend.index if self._backend else None

    def __getitem__(self, name: str) -> Collection:
        """The current collection with this name. Raises CollectionNotFound, or its error on opening."""
        opened = self._collections.get(name)
        if opened is not None and (self._backend is None or opened.current):
            return opened
        if self._backend is None:
            raise CollectionNotFound(collection=name, existing=", ".join(self._collections))
        with self._opening:
            opened = self._collections.get(name)
            if opened is not None and opened.current:
                return opened
            self._collections.pop(name, None)  # it may still be in use, and is closed afterwards
            opened = self._backend.open(name)
            self._collections = self._collections | {name: opened}
            return opened

    def present(self) -> dict[str, Collection]:
        """All usable collections; the log names the others."""
        names = sorted(self._collections) if self._backend is None else self._backend.names()
        found: dict[str, Collection] = {}
        for name in names:
            try:
                found[name] = self[name]
            except StoreUnavailable:
                raise
            except (IndexProblem, ModelError) as error:
                logger.error("the collection %s is unusable: %s", name, error)  # noqa: TRY400  # no stack is needed
            except CollectionNotFound:
                continue  # dropped after it was listed
        return found

    def make(self, name: str, encoder: str | None) -> bool:
        """Create an empty collection; False if it already exists with that encoder.

        In a subprocess, because it may need torch. Raises BadCollectionName, CollectionExists, UnknownEncoder or
        CollectionNotMade.
        """
        check_name(name)
        if encoder is not None:
            try:
                sha256 = models.find(encoder).sha256
            except ModelNotFound as error:
                raise UnknownEncoder(encoder=encoder) from error
        if self._backend is None:
            raise CollectionNotMade(collection=name, reason="this service has no index folder")
        if not self._backend.has(name):
            try:
                self._backend.make_in_subprocess(name, encoder, self._program)
            except CollectionExists:
                pass  # created by another process at the same time
            else:
                return True
        if encoder is not None and self[name].config.encoder_sha256 != sha256:
            raise CollectionExists(collection=name)
        return False

    def drop(self, name: str) -> None:
        """Raises CollectionNotFound, DefaultCollection or IndexLocked."""
        if self._backend is None:
            raise CollectionNotFound(collection=name, existing=", ".join(self._collections))
        self._backend.drop(name)

    def sweep(self) -> None:
        """Erase the remains of dropped collections, for example after a crash."""
        if self._backend is not None:
            self._backend.sweep()

    def close(self) -> None:
        for collection in self._collections.values():
            collection.close()
        if self._backend is not None:
            self._backend.close()


class Limited:
    """The collections that a caller may use. All others are forbidden, whether they exist or not."""

    def __init__(self, whole: Catalogue | Limited, allowed: frozenset[str]) -> None:
        self.index: Path | None = whole.index
        self._whole = whole
        self._allowed = allowed

    def __getitem__(self, name: str) -> Collection:
        return self._whole[self._checked(name)]

    def present(self) -> dict[str, Collection]:
        return {name: collection for name, collection in self._whole.present().items() if name in self._allowed}

    def make(self, name: str, encoder: str | None) -> bool:
        return self._whole.make(self._checked(name), encoder)

    def drop(self, name: str) -> None:
        self._whole.drop(self._checked(name))

    def sweep(self) -> None:
        self._whole.sweep()

    def close(self) -> None:
        self._whole.close()

    def _checked(self, name: str) -> str:
        if name not in self._allowed:
            raise CollectionForbidden(collection=name)
        return name
