"""Bringing documents into a collection, wherever it lies: files in, documents prepared, encoded and committed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.collections.group_commit import Change, Changes
from index.config import IndexConfig
from index.errors import (
    DocumentError,
    DocumentNotFound,
    SourceConflict,
    UnreadableFile,
    UploadExists,
)
from index.storage.tables import NewDocument, NewPassage
from index.text.preparation import NOTHING_TOLD, Prepared, Told, prepare
from index.text.sources import FoundFile, check_source, file_of, find_files
from index.types import Document, Encoder

if TYPE_CHECKING:
    from index.collections.ray_build import Fleet, Outcome

Progress = Callable[[str, int, int], None]  # stage, done, total
Configure = Callable[[Encoder], IndexConfig]
Guard = Callable[[Document | None], None]
Origin = tuple[str | None, str]  # where a source was built from, None for an upload; the hash of its file

BATCH = 512  # passages encoded and committed together


class BuildReport(Struct, frozen=True):
    added: int
    updated: int
    unchanged: int
    removed: int
    failed: list[DocumentError]
    documents: int
    passages: int
    version: str


class Building(ABC):
    """What every writer of a collection does alike. What it stands on is up to where the collection lies."""

    def __init__(self, encoder: Encoder, config: IndexConfig) -> None:
        self.encoder = encoder
        self.config = config
        self.changes = Changes(self.make_together)
        self.known: dict[str, Origin] = {}  # what a build takes for the state of each source

    @abstractmethod
    def changing(self) -> AbstractContextManager[None]:
        """Alone with the collection, for one change. Raises CollectionNotFound once it was dropped."""

    @abstractmethod
    def make(self, put: Sequence[NewDocument], remove: Sequence[str]) -> None:
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

    def build(
        self, given: Sequence[Path], *, replace: bool, fleet: Fleet | None = None, progress: Progress
    ) -> BuildReport:
        files, failed = find_files(given)
        known = self.origins()
        self.known = dict(known)
        check_origins(files, known, replace=replace)
        origins = {str(root.resolve()) for root in given}
        present = {file.source for file in files}
        gone = [source for source, (origin, _) in known.items() if origin in origins and source not in present]
        counts = {"added": 0, "updated": 0, "unchanged": 0}
        batch: list[NewDocument] = []
        outcomes = fleet.outcomes(files, known, self.encoder, self.config) if fleet else self.outcomes(files, known)
        for done, (file, made) in enumerate(outcomes):
            progress("documents", done, len(files))
            if isinstance(made, DocumentError):
                failed.append(made)
                continue
            if made is None:
                counts["unchanged"] += 1
                continue
            counts["updated" if file.source in known else "added"] += 1
            batch.append(made)
            if sum(len(each.passages) for each in batch) >= BATCH:
                self.commit_encoded(batch, [])
                batch = []
        if batch or gone:
            self.commit_encoded(batch, gone)
        progress("documents", len(files), len(files))
        documents, passages, version = self.finish()
        return BuildReport(
            **counts, removed=len(gone), failed=failed, documents=documents, passages=passages, version=version
        )

    def outcomes(self, files: Sequence[FoundFile], known: dict[str, Origin]) -> Iterator[tuple[FoundFile, Outcome]]:
        """What becomes of each file, done here: as many are encoded together as are committed together."""
        batch: list[tuple[FoundFile, Prepared]] = []
        for file in files:
            try:
                prepared = self.prepare_file(file, known.get(file.source))
            except DocumentError as error:
                yield file, error
                continue
            if prepared is None:
                yield file, None
                continue
            batch.append((file, prepared))
            if sum(len(each.passages) for _, each in batch) >= BATCH:
                yield from self.encoded_files(batch)
                batch = []
        yield from self.encoded_files(batch)

    def encoded_files(self, batch: Sequence[tuple[FoundFile, Prepared]]) -> Iterator[tuple[FoundFile, NewDocument]]:
        return zip((file for file, _ in batch), self.encoded([prepared for _, prepared in batch]), strict=True)

    def prepare_file(self, file: FoundFile, known: Origin | None) -> Prepared | None:
        """Read a file and split it; None if the index holds just this already."""
        try:
            data = file.path.read_bytes()
        except OSError as error:
            raise UnreadableFile(source=file.source, reason=error.strerror) from error
        if known == (file.origin, hashlib.sha256(data).hexdigest()):
            return None
        return self.prepare(file.source, data, file.origin)

    def prepare(self, source: str, data: bytes, origin: str | None, told: Told = NOTHING_TOLD) -> Prepared:
        return prepare(source, data, origin, self.encoder, self.config, told=told)

    def put(self, source: str, data: bytes, told: Told, guard: Guard) -> tuple[Document, bool]:
        """Add or replace an uploaded document. Durable and searchable on return; True where it is new.

        `guard` is given the present document and raises where it is not as expected. Raises DocumentError as well.
        """
        return self.place_document(self.ready(source, data, told), guard)

    def ready(self, source: str, data: bytes, told: Told) -> NewDocument:
        """The first half of `put`, which computes. Raises DocumentError."""
        check_source(source)
        (new,) = self.encoded([self.prepare(source, data, None, told)])
        return new

    def place_document(self, new: NewDocument, guard: Guard) -> tuple[Document, bool]:
        """The second half of `put`, which waits for the disk."""
        change = Change([new], [], lambda _, present: guard(present))
        self.changes.bring(change)
        return new.document, change.before == [None]

    def delete(self, sources: Sequence[str], guard: Guard = lambda _: None) -> None:
        """Take documents out, all or none. Durable on return. Raises DocumentNotFound."""

        def check(source: str, present: Document | None) -> None:
            guard(present)
            if present is None:
                raise DocumentNotFound(source=source)

        self.changes.bring(Change([], sources, check))

    def make_together(self, changes: Sequence[Change]) -> None:
        """Make changes in one go. One about a document that another is about as well has to come again."""
        with self.changing():
            taken: list[Change] = []
            for change in changes:
                apart = not any(set(change.sources) & set(other.sources) for other in taken)
                if apart and change.allowed(self.live(change.sources)):
                    taken.append(change)
            if taken:
                put = [new for change in taken for new in change.put]
                self.make(put, [source for change in taken for source in change.remove])
            for change in taken:
                change.settled = True

    def commit(self, batch: Sequence[Prepared], gone: Sequence[str]) -> None:
        """Commit documents of a build and the removal of others, unless somebody else changed them meanwhile."""
        self.commit_encoded(self.encoded(batch), gone)

    def commit_encoded(self, documents: Sequence[NewDocument], gone: Sequence[str]) -> None:
        """The second half of `commit`, wherever the documents were encoded."""
        with self.changing():
            there = self.origins_of([*(new.document.source for new in documents), *gone])
            kept = [new for new in documents if self.unchanged(new.document.source, there)]
            left = [source for source in gone if self.unchanged(source, there)]
            self.make(kept, left)
        for new in kept:
            self.known[new.document.source] = (new.origin, new.document.sha256)

    def unchanged(self, source: str, there: dict[str, Origin]) -> bool:
        """Whether a source is as the build found it."""
        return self.known.get(source) == there.get(source)

    def encoded(self, batch: Sequence[Prepared]) -> list[NewDocument]:
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
            )
            for prepared in batch
        ]


def check_origins(files: Sequence[FoundFile], known: dict[str, Origin], *, replace: bool) -> None:
    """Raise unless each source is new, comes from where it came from before, or may be replaced."""
    for file in files:
        origin, _ = known.get(file.source, (file.origin, ""))
        if replace or origin == file.origin:
            continue
        if origin is None:
            raise UploadExists(source=file.source)
        if file_of(origin, file.source) != file.path:
            raise SourceConflict(source=file.source, first=origin, second=file.origin)
