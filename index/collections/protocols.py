"""The interfaces of collections, implemented for a local folder and for Milvus."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.collections.build import Progress
from index.collections.document_writer import DocumentWriter
from index.config import IndexConfig
from index.maintenance.checking import Checked
from index.search.vectors import Dense
from index.storage.contents import Content
from index.text.positions import PositionMap
from index.types import Document, Encoder, Hit, Span, Vectors


class Searcher(Protocol):
    """A snapshot of a collection. `index.search.searcher` documents the methods."""

    version: str
    encoder: Encoder

    @property
    def passages(self) -> int: ...

    @property
    def document_count(self) -> int: ...

    @property
    def dense(self) -> Dense: ...

    def encode(self, texts: Sequence[str]) -> Vectors: ...

    def encode_question(self, question: str) -> NDArray[np.float32]: ...

    def rarity(self, term: str) -> float: ...

    def corrected(self, question: str) -> str: ...

    def search(self, question: str, depth: int, sources: Sequence[str] | None = None) -> list[Hit]: ...

    def rankings(
        self, question: str, sources: Sequence[str] | None = None
    ) -> tuple[dict[int, float], dict[int, float]]: ...

    def matching(self, sources: Sequence[str]) -> int: ...

    def places(self, numbers: Sequence[int]) -> list[tuple[int, str, Span]]: ...

    def documents(self, after: str | None, limit: int) -> list[Document]: ...

    def document(self, source: str) -> Document: ...

    def live(self, source: str) -> Document | None: ...

    def with_content(self, sha256: str) -> list[Document]: ...

    def file(self, source: str) -> bytes: ...

    def text(self, source: str) -> str: ...

    def sentences(self, source: str) -> list[Span]: ...

    def positions(self, source: str) -> PositionMap: ...

    def content(self, number: int) -> Content: ...


class Collection(Protocol):
    @property
    def writer(self) -> DocumentWriter: ...

    @property
    def config(self) -> IndexConfig: ...

    @property
    def current(self) -> bool: ...

    def searcher(self) -> Searcher: ...

    def version(self, source: str, sha256: str) -> tuple[Document, bytes] | None: ...

    def compact(self) -> bool: ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A place for collections. `index` is a local folder for exported encoders and keys."""

    @property
    def index(self) -> Path: ...

    def names(self) -> list[str]: ...

    def has(self, name: str) -> bool:
        """Whether a collection with this name exists. The name may be invalid."""

    def open(self, name: str, encoder: str | None = None) -> Collection:
        """Raises CollectionNotFound (also for an invalid name), IndexNotFound, EncoderMismatch or others."""

    def make(self, name: str, encoder: str | None = None) -> None:
        """Create an empty collection. Raises BadCollectionName, CollectionExists or ModelError."""

    def make_in_subprocess(self, name: str, encoder: str | None, program: Sequence[str]) -> None:
        """Like `make`, but in a subprocess, because exporting imports torch; `program` runs the `pincite` command.

        Raises CollectionNotMade as well.
        """

    def listed(self) -> list[tuple[str, int, str]]:
        """The name of each collection, its number of documents, and its encoder."""

    def delete(self, sources: Sequence[str], collection: str) -> None:
        """Delete documents, all or none. Raises CollectionNotFound or DocumentNotFound."""

    def drop(self, name: str) -> None:
        """Raises CollectionNotFound, DefaultCollection or IndexLocked."""

    def sweep(self) -> None:
        """Erase the remains of dropped collections."""

    def build_writer(
        self, collection: str = "default", encoder: str | None = None
    ) -> AbstractContextManager[DocumentWriter]:
        """A writer for `build`, creating the collection if needed. Raises EncoderMismatch or IndexLocked."""

    def check(self, collection: str | None, *, repair: bool, progress: Progress) -> list[Checked]: ...

    def close(self) -> None: ...
