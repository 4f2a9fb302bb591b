"""Where things lie in an index folder. Whatever is replaced there is replaced by an atomic rename.

DIR/collections/NAME/store.sqlite          the truth: documents, passages, vectors
DIR/collections/NAME/vectors.CHANGE.faiss  derived: dense search, complete up to that change
DIR/collections/NAME/terms/                derived: term search
DIR/collections/NAME/terms.json            the change that terms/ is complete up to
DIR/collections/NAME/write.lock            held by a build, for as long as it runs
DIR/collections/NAME/change.lock           held while a change is written, by a build or a service
DIR/collections/NAME/making.lock           held while something derived is made anew, which changes do not wait for
DIR/keys.json                              who may ask: hashes of keys; DIR/keys.lock is held while it changes
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
    def making_lock(self) -> Path:
        return self.path / "making.lock"

    def vectors(self, change: int) -> Path:
        return self.path / f"vectors.{change}.faiss"

    def all_vectors(self) -> list[Path]:
        """Every file of dense vectors here, the most recent first."""
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
    """`vectors.17.faiss` -> 17; a name that carries no number counts as older than everything."""
    number = vectors.name.split(".")[1]
    return int(number) if number.isdecimal() else -1
