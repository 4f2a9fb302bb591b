"""The layout of an index folder. Files are replaced by atomic renames.

DIR/collections/NAME/store.sqlite          source of truth: documents, passages, vectors
DIR/collections/NAME/vectors.CHANGE.faiss  derived: dense search, complete up to that change
DIR/collections/NAME/terms/                derived: term search
DIR/collections/NAME/terms.json            the change up to which terms/ is complete
DIR/collections/NAME/write.lock            held by a build while it runs
DIR/collections/NAME/change.lock           held by a build or a service while it commits a change
DIR/collections/NAME/making.lock           held while a derived index is rebuilt; commits do not wait for it
DIR/keys.json                              hashes of the API keys; DIR/keys.lock is held while it is written
DIR/encoders/HASH/                         encoders exported for serving, by the hash of their weights
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class CollectionLayout(Struct, frozen=True):
    path: Path

    @property
    def store(self) -> Path:
        return self.path / "store.sqlite"

    @property
    def terms(self) -> Path:
        return self.path / "terms"

    @property
    def terms_covered(self) -> Path:
        return self.path / "terms.json"

    @property
    def lock(self) -> Path:
        return self.path / "write.lock"

    @property
    def change_lock(self) -> Path:
        return self.path / "change.lock"

    @property
    def creation_lock(self) -> Path:
        return self.path / "making.lock"

    def vectors(self, change: int) -> Path:
        return self.path / f"vectors.{change}.faiss"

    def all_vectors(self) -> list[Path]:
        """All files of dense vectors, newest first."""
        return sorted(self.path.glob("vectors.*.faiss"), key=change_of, reverse=True)


class Layout(Struct, frozen=True):
    root: Path

    def collection(self, name: str) -> CollectionLayout:
        return CollectionLayout(self.root / "collections" / name)

    def collections(self) -> list[str]:
        """The names of the collections that have a store."""
        return sorted(store.parent.name for store in self.root.glob("collections/*/store.sqlite"))

    @property
    def keys(self) -> Path:
        return self.root / "keys.json"

    def encoder(self, sha256: str) -> Path:
        """The folder of the encoder whose weights have this hash."""
        return self.root / "encoders" / sha256[:16]


def change_of(vectors: Path) -> int:
    """The change in a file name: `vectors.17.faiss` -> 17; -1 if the name has no number."""
    number = vectors.name.split(".")[1]
    return int(number) if number.isdecimal() else -1
