"""The common part of all writers: prepares, encodes and commits documents."""

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

Precondition = Callable[[Document | None], None]  # gets the live document, raises if it is not as expected
Origin = tuple[str | None, str]  # the path a source was built from, None for an upload; the hash of its file


class DocumentWriter(ABC):
    """The base class of writers. Subclasses implement the storage."""

    def __init__(self, encoder: Encoder, config: IndexConfig) -> None:
        self.encoder = encoder
        self.config = config
        self.group = GroupCommit(self.commit_changes)

    @abstractmethod
    def changing(self) -> AbstractContextManager[None]:
        """A lock on the collection for one change. Raises CollectionNotFound if it was dropped."""

    @abstractmethod
    def apply(self, put: Sequence[NewDocument], remove: Sequence[str]) -> None:
        """Add or replace documents and remove sources. Durable and searchable on return."""

    @abstractmethod
    def live(self, sources: Sequence[str]) -> list[Document | None]:
        """The live document of each source."""

    @abstractmethod
    def origins(self) -> dict[str, Origin]:
        """The origins of all sources."""

    @abstractmethod
    def origins_of(self, sources: Sequence[str]) -> dict[str, Origin]:
        """The origins of these sources; missing ones are left out."""

    @abstractmethod
    def vectors_of(self, sources: Sequence[str]) -> dict[bytes, NDArray[np.float16]]:
        """The vectors of these sources' passages, by the hash of the embedded text."""

    @abstractmethod
    def finish(self) -> tuple[int, int, str]:
        """Do what a build postpones to its end. Returns the counts of documents and passages, and the version."""

    def prepare_file(self, file: FoundFile, existing: Origin | None, metadata: SenderMetadata) -> Prepared | None:
        """Read and split a file; None if the index already contains it. Raises DocumentError."""
        try:
            data = file.path.read_bytes()
        except OSError as error:
            raise UnreadableFile(source=file.source, reason=error.strerror) from error
        if existing == (file.origin, hashlib.sha256(data).hexdigest()):
            return None
        return self.prepare(file.source, data, file.origin, metadata)

    def prepare(self, source: str, data: bytes, origin: str | None, metadata: SenderMetadata = NO_METADATA) -> Prepared:
        return prepare(source, data, origin, self.encoder, self.config, metadata=metadata)

    def put(
        self, source: str, data: bytes, metadata: SenderMetadata, precondition: Precondition
    ) -> tuple[Document, bool]:
        """Add or replace an uploaded document. Durable and searchable on return; True if it is new.

        Raises DocumentError, and what `precondition` raises.
        """
        return self.commit_upload(self.prepare_upload(source, data, metadata), precondition)

    def prepare_upload(self, source: str, data: bytes, metadata: SenderMetadata) -> NewDocument:
        """The first half of `put`: computation. Raises DocumentError."""
        check_source(source)
        (new,) = self.encode([self.prepare(source, data, None, metadata)])
        return new

    def commit_upload(self, new: NewDocument, precondition: Precondition) -> tuple[Document, bool]:
        """The second half of `put`: waits for the disk."""
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
        """Commit changes together. Of several changes to one document, one is committed; the others retry."""
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
        """Commit a batch of a build and its removals, except sources that others changed meanwhile.

        `expected`: the origin of each source before the build; it is updated.
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
        """Add vectors to documents: existing ones if the text is unchanged, otherwise new ones."""
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
                prepared.extraction,
            )
            for prepared in batch
        ]
