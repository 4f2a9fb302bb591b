"""The collections that a service answers from, as they come and go, in this process or by another."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from index import models
from index.collection import Collection
from index.collections import check_name, drop, place_of, sweep
from index.config import IndexConfig
from index.errors import CollectionExists, CollectionNotFound, IndexProblem, ModelError, ModelNotFound
from index.layout import Layout
from service.errors import CollectionForbidden, NotMade, UnknownEncoder

logger = logging.getLogger("pincite")


class Catalogue:
    """Safe in many threads at once."""

    def __init__(
        self, collections: dict[str, Collection], index: Path | None = None, program: Sequence[str] = ()
    ) -> None:
        """Without an `index` folder the collections stay what they are. `program` runs the `pincite` command."""
        self._collections = collections
        self.index = index
        self._program = program
        self._opening = threading.Lock()

    @classmethod
    def open(cls, index: Path, served: str, encoder: str | None, program: Sequence[str]) -> Catalogue:
        """Open the collection `served`, or raise what `Collection.open` raises. Others are opened when asked for.

        `encoder` is that of the collection served.
        """
        return cls({served: Collection.open(index, served, encoder)}, index, program)

    def __getitem__(self, name: str) -> Collection:
        """The collection of that name as it is now. Raises CollectionNotFound, or what `Collection.open` raises."""
        known = self._collections.get(name)
        if known is not None and (self.index is None or known.current):
            return known
        if self.index is None:
            raise CollectionNotFound(collection=name, existing=", ".join(self._collections))
        with self._opening:
            known = self._collections.get(name)
            if known is not None and known.current:
                return known
            self._collections.pop(name, None)  # it may be in use still, and is closed when it is not
            place_of(self.index, name)
            opened = Collection.open(self.index, name)
            self._collections = self._collections | {name: opened}
            return opened

    def present(self) -> dict[str, Collection]:
        """All that can be used now; the log names the others."""
        names = sorted(self._collections) if self.index is None else Layout(self.index).collections()
        found = {}
        for name in names:
            try:
                found[name] = self[name]
            except (IndexProblem, ModelError) as error:
                logger.error("the collection %s cannot be used: %s", name, error)  # noqa: TRY400  # no stack is needed
            except CollectionNotFound:
                continue  # dropped since it was listed
        return found

    def make(self, name: str, encoder: str | None) -> bool:
        """Make an empty collection; False if it is there already, with that encoder.

        A process of its own does it, since it may need torch. Raises BadCollectionName, CollectionExists,
        UnknownEncoder or NotMade.
        """
        check_name(name)
        if encoder is not None:
            try:
                sha256 = models.find(encoder).sha256
            except ModelNotFound as error:
                raise UnknownEncoder(encoder=encoder) from error
        if self.index is None:
            raise NotMade(collection=name, reason="this service has no index folder")
        if not Layout(self.index).collection(name).store.exists():
            options = ["--index", str(self.index), *([f"--encoder={encoder}"] if encoder else [])]
            command = [*self._program, "collections", "make", *options, "--", name]  # which may be --help
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode == 0:
                return True
            if not Layout(self.index).collection(name).store.exists():
                raise NotMade(collection=name, reason=made.stderr.strip())
        if encoder is not None and self.config(name).encoder_sha256 != sha256:
            raise CollectionExists(collection=name)
        return False

    def config(self, name: str) -> IndexConfig:
        return self[name].store.config

    def drop(self, name: str) -> None:
        """Raises CollectionNotFound, DefaultCollection or IndexLocked."""
        if self.index is None:
            raise CollectionNotFound(collection=name, existing=", ".join(self._collections))
        drop(self.index, name)

    def sweep(self) -> None:
        """Erase what is left of dropped collections, where a crash came in between."""
        if self.index is not None:
            sweep(self.index)

    def close(self) -> None:
        for collection in self._collections.values():
            collection.close()


class Limited:
    """The collections of a catalogue that one caller may use. Any other is forbidden, whether it is there or not."""

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
