"""Writing documents to a collection, wherever it lies: prepared, encoded and committed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.collections.group_commit import Change, GroupCommit
from index.config import IndexConfig
from index.errors import (
    DocumentNotFound,
    UnreadableFile,
)
from index.storage.tables import NewDocument, NewPassage
from index.text.preparation import NO_METADATA, Prepared, SenderMetadata, prepare
from index.text.sources import FoundFile, check_source
from index.types import Document, Encoder

if TYPE_CHECKING:
    pass

Precondition = Callable[[Document | None], None]  # given the present document, raises unless it is as expected
Origin = tuple[str | None, str]  # where a source was built from, None for an upload; the hash of its file


class DocumentWriter(ABC):
    """What every writer of a collection does alike. What it stands on is up to where the collection lies."""

    def __init__(self, encoder: Encoder, config: IndexConfig) -> None:
        self.encoder = encoder
        self.config = config
        self.group = GroupCommit(self.commit_changes)

    @abstractmethod
    def changing(self) -> AbstractContextManager[None]:
        """Alone with the collection, for one change. Raises CollectionNotFound once it was dropped."""

    @abstractmethod
    def apply(self, put: Sequence[NewDocument], remove: Sequence[str]) -> None:
        """Add or replace documents and remove sources. Durable and searchable on return."""

    @abstractmethod
    def live(self, sources: Sequence[str]) -> list[Document | None]:
        """The present document of each source."""

    @abstractmethod
    def origins(self) -> dict[str, Origin]:
        """Of each source."""

    @abstractmethod
    def origins_of(self, sources: Sequence[str]) -> dict[str, Origin]:
        """Of those of the sources that are there."""

    @abstractmethod
    def vectors_of(self, sources: Sequence[str]) -> dict[bytes, NDArray[np.float16]]:
        """The vectors of the passages of these sources, by the hash of what was embedded."""

    @abstractmethod
    def finish(self) -> tuple[int, int, str]:
        """Make ready what a build leaves to its end. The documents and passages there are, and the version."""

    def prepare_file(self, file: FoundFile, existing: Origin | None) -> Prepared | None:
        """Read a file and split it; None if the index holds just this already. Raises DocumentError."""
        try:
            data = file.path.read_bytes()
        except OSError as error:
            raise UnreadableFile(source=file.source, reason=error.strerror) from error
        if existing == (file.origin, hashlib.sha256(data).hexdigest()):
            return None
        return self.prepare(file.source, data, file.origin)

    def prepare(self, source: str, data: bytes, origin: str | None, metadata: SenderMetadata = NO_METADATA) -> Prepared:
        return prepare(source, data, origin, self.encoder, self.config, metadata=metadata)

    def put(
        self, source: str, data: bytes, metadata: SenderMetadata, precondition: Precondition
    ) -> tuple[Document, bool]:
        """Add or replace an uploaded document. Durable and searchable on return; True where it is new.

        Raises DocumentError, and what `precondition` raises.
        """
        return self.commit_upload(self.prepare_upload(source, data, metadata), precondition)

    def prepare_upload(self, source: str, data: bytes, metadata: SenderMetadata) -> NewDocument:
        """The first half of `put`, which computes. Raises DocumentError."""
        check_source(source)
        (new,) = self.encode([self.prepare(source, data, None, metadata)])
        return new

    def commit_upload(self, new: NewDocument, precondition: Precondition) -> tuple[Document, bool]:
        """The second half of `put`, which waits for the disk."""
        change = Change([new], [], lambda _, present: precondition(present))
        self.group.commit(change)
        return new.document, change.before == [None]

    def delete(self, sources: Sequence[str], precondition: Precondition = lambda _: None) -> None:
        """Delete documents, all or none. Durable on return. Raises DocumentNotFound, and what `precondition` raises."""

        def check(source: str, present: Document | None) -> None:
            precondition(present)
            if present is None:
                raise DocumentNotFound(source=source)

        self.group.commit(Change([], sources, check))

    def commit_changes(self, changes: Sequence[Change]) -> None:
        """Commit changes together. One about a document that another is about as well has to come again."""
        with self.changing():
            accepted: list[Change] = []
            for change in changes:
                apart = not any(set(change.sources) & set(other.sources) for other in accepted)
                if apart and change.allowed(self.live(change.sources)):
                    accepted.append(change)
            if accepted:
                put = [new for change in accepted for new in change.put]
                self.apply(put, [source for change in accepted for source in change.remove])
            for change in accepted:
                change.settled = True

    def commit(self, documents: Sequence[NewDocument], remove: Sequence[str], expected: dict[str, Origin]) -> None:
        """Commit documents of a build and the removal of others, but not what somebody else changed meanwhile.

        `expected`: of each source, the origin that it had. It is kept up to date.
        """
        with self.changing():
            present = self.origins_of([*(new.document.source for new in documents), *remove])

            def unchanged(source: str) -> bool:
                return expected.get(source) == present.get(source)

            put = [new for new in documents if unchanged(new.document.source)]
            self.apply(put, [source for source in remove if unchanged(source)])
        for new in put:
            expected[new.document.source] = (new.origin, new.document.sha256)

    def encode(self, batch: Sequence[Prepared]) -> list[NewDocument]:
        """Documents with their vectors: of what the index holds already, or encoded where it is new."""
        vectors = self.vectors_of([prepared.document.source for prepared in batch])
        missing = {
            key: text
            for prepared in batch
            for key, text in zip(prepared.keys, prepared.embedded, strict=True)
            if key not in vectors
        }
        encoded = self.encoder.encode(list(missing.values())).astype(np.float16)
        vectors |= dict(zip(missing, encoded, strict=True))
        return [
            NewDocument(
                prepared.document,
                prepared.origin,
                prepared.file,
                prepared.spans,
                [
                    NewPassage(passage, key, vectors[key])
                    for passage, key in zip(prepared.passages, prepared.keys, strict=True)
                ],
                prepared.structure,
            )
            for prepared in batch
        ]
