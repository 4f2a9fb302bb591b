"""Building an index: files in, documents, passages and vectors committed, derived indexes brought up to date."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout
from msgspec import Struct

from index import models
from index.changes import Change, Changes
from index.config import IndexConfig
from index.derived import make_anew, save_terms, save_vectors
from index.disk import make_folder, refused_by_disk, require_room
from index.encoder import encoder_of, make_encoder
from index.errors import (
    DocumentError,
    DocumentNotFound,
    IndexLocked,
    SourceConflict,
    UnreadableFile,
    UploadExists,
)
from index.layout import CollectionLayout, Layout
from index.opening import open_collection
from index.preparation import NOTHING_TOLD, Prepared, Told, prepare
from index.repair import rebuild
from index.sources import FoundFile, check_source, file_of, find_files
from index.store import Store
from index.tables import NewDocument, NewPassage
from index.types import Document, Encoder

if TYPE_CHECKING:
    from index.fleet import Fleet, Outcome

Progress = Callable[[str, int, int], None]  # stage, done, total
Configure = Callable[[Encoder], IndexConfig]
Guard = Callable[[Document | None], None]

BATCH = 512  # passages encoded and committed together
ROOM = 4  # bytes on the disk for each byte of a document: the file itself, its passages, vectors and terms, twice


class BuildReport(Struct, frozen=True):
    added: int
    updated: int
    unchanged: int
    removed: int
    failed: list[DocumentError]
    documents: int
    passages: int
    version: str


def build(
    sources: Sequence[Path],
    index: Path,
    *,
    collection: str = "default",
    encoder: str | None = None,
    config: Configure,
    replace: bool = False,
    fleet: Fleet | None = None,
    progress: Progress = lambda *_: None,
) -> BuildReport:
    """Make or update a collection from files and folders; a file that cannot be read is reported, the rest is built.

    `encoder` is a model's name or folder (None: the collection's own, or the packaged one); `config` gives the
    configuration of a new collection; a `fleet` prepares and encodes elsewhere. Raises SourceConflict, UploadExists,
    EncoderMismatch, IndexLocked or another PinciteError, before anything is written; FleetFailed may come later.
    """
    layout = Layout(index)
    place = layout.collection(collection)
    try:
        make_folder(place.path)
        with FileLock(place.lock, timeout=0), closing(open_writer(layout, place, encoder, config)) as writer:
            return writer.build(sources, replace=replace, fleet=fleet, progress=progress)
    except Timeout as error:
        raise IndexLocked(path=index) from error
    except OSError as error:
        raise refused_by_disk(error, index) from error


def delete(sources: Sequence[str], index: Path, collection: str = "default") -> None:
    """Take documents out of a collection, and their bytes off the disk. Raises DocumentNotFound; all or none."""
    place, store, encoder = open_collection(index, collection, None)
    with closing(Writer(place, store, encoder)) as writer:
        writer.delete(sources)


def open_writer(layout: Layout, place: CollectionLayout, encoder: str | None, config: Configure) -> Writer:
    """A writer on the collection in `place`, which is made if it is not there."""
    if place.store.exists():
        store = Store(place.store)
        return Writer(place, store, encoder_of(layout, store.config, encoder))
    model = models.find(encoder or models.DEFAULT)
    made = make_encoder(model.name, layout.encoder(model.sha256))
    return Writer(place, Store.create(place.store, config(made), uuid.uuid4().hex[:12]), made)


class Writer:
    """The one writer of a collection, for as long as its lock is held."""

    def __init__(self, place: CollectionLayout, store: Store, encoder: Encoder) -> None:
        self.place = place
        self.store = store
        self.encoder = encoder
        self.config = store.config
        self.changes = Changes(self.make_together)
        self.known: dict[str, tuple[str | None, str]] = {}  # what a build takes for the state of each source

    def close(self) -> None:
        self.store.close()

    def build(
        self, given: Sequence[Path], *, replace: bool, fleet: Fleet | None = None, progress: Progress
    ) -> BuildReport:
        files, failed = find_files(given)
        known = self.store.origins()
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
        with self.alone(self.place.making_lock):
            save_vectors(self.place, self.store)
        with self.changing():
            save_terms(self.place, self.store)
        change = self.store.change()
        return BuildReport(
            **counts,
            removed=len(gone),
            failed=failed,
            documents=len(self.store.documents(change)),
            passages=self.store.passage_count(change),
            version=f"{self.store.identity}-{change}",
        )

    def outcomes(
        self, files: Sequence[FoundFile], known: dict[str, tuple[str | None, str]]
    ) -> Iterator[tuple[FoundFile, Outcome]]:
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

    def prepare_file(self, file: FoundFile, known: tuple[str | None, str] | None) -> Prepared | None:
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
                if apart and change.allowed([self.store.live(source) for source in change.sources]):
                    taken.append(change)
            put = [new for change in taken for new in change.put]
            if put:
                require_room(self.place.path, ROOM * sum(len(new.file) for new in put))
            if taken:
                self.make(put, [source for change in taken for source in change.remove])
            for change in taken:
                change.settled = True

    def make(self, put: Sequence[NewDocument], remove: Sequence[str]) -> None:
        """Make a change, in the store and in term search: both or neither."""
        change = self.store.commit(put, remove, at=time.time())
        try:
            save_terms(self.place, self.store)
        except (OSError, ValueError):
            self.store.undo(change)  # before the lock is given back, nobody sees it
            raise

    def compact(self, settled: int) -> bool:
        """Erase from the disk what nobody may ask for any more, if it was removed up to the change `settled`.

        What is derived is made anew without it, while questions and changes go on. False where there is nothing to
        erase; then dense search is made anew if much lies beside its base.
        """
        with self.alone(self.place.making_lock):
            if not self.store.expired(settled, time.time()):
                save_vectors(self.place, self.store)
                return False
            made = self.store.change()
            make_anew(self.place, self.store, self.changing)
            with self.changing():
                self.store.purge(min(settled, made), time.time())
        return True

    def rebuild(self) -> None:
        """Throw away what is derived and make it again, while questions and changes go on."""
        with self.alone(self.place.making_lock):
            rebuild(self.place, self.store, self.changing)

    def changing(self) -> AbstractContextManager[None]:
        """Alone with the collection, for one change. Raises CollectionNotFound once it was dropped."""
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

    def commit(self, batch: Sequence[Prepared], gone: Sequence[str]) -> None:
        """Commit documents of a build and the removal of others, unless somebody else changed them meanwhile."""
        self.commit_encoded(self.encoded(batch), gone)

    def commit_encoded(self, documents: Sequence[NewDocument], gone: Sequence[str]) -> None:
        """The second half of `commit`, wherever the documents were encoded."""
        with self.changing():
            kept = [new for new in documents if self.unchanged(new.document.source)]
            left = [source for source in gone if self.unchanged(source)]
            if kept:
                require_room(self.place.path, ROOM * sum(len(new.file) for new in kept))
            self.make(kept, left)
        for new in kept:
            self.known[new.document.source] = (new.origin, new.document.sha256)

    def unchanged(self, source: str) -> bool:
        """Whether a source is as the build found it."""
        return self.known.get(source) == self.store.origin(source)

    def encoded(self, batch: Sequence[Prepared]) -> list[NewDocument]:
        """Documents with their vectors: of what the index holds already, or encoded where it is new."""
        vectors: dict[bytes, np.ndarray] = {}
        for prepared in batch:
            vectors |= self.store.vectors_by_key(prepared.document.source)
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


def check_origins(files: Sequence[FoundFile], known: dict[str, tuple[str | None, str]], *, replace: bool) -> None:
    """Raise unless each source is new, comes from where it came from before, or may be replaced."""
    for file in files:
        origin, _ = known.get(file.source, (file.origin, ""))
        if replace or origin == file.origin:
            continue
        if origin is None:
            raise UploadExists(source=file.source)
        if file_of(origin, file.source) != file.path:
            raise SourceConflict(source=file.source, first=origin, second=file.origin)
