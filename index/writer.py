"""Building an index: files in, documents, passages and vectors committed, derived indexes brought up to date."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from msgspec import Struct

from index import models
from index.config import IndexConfig
from index.derived import save_terms, save_vectors
from index.encoder import encoder_of, make_encoder
from index.errors import (
    DocumentError,
    IndexLocked,
    SourceConflict,
    UnreadableFile,
    UploadExists,
)
from index.layout import CollectionLayout, Layout
from index.preparation import Prepared, prepare
from index.sources import FoundFile, file_of, find_files
from index.store import NewDocument, NewPassage, Store
from index.types import Encoder

Progress = Callable[[str, int, int], None]  # stage, done, total

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


def build(
    sources: Sequence[Path],
    index: Path,
    *,
    collection: str = "default",
    encoder: str | None = None,
    config: Callable[[Encoder], IndexConfig],
    replace: bool = False,
    progress: Progress = lambda *_: None,
) -> BuildReport:
    """Make or update a collection from files and folders; a file that cannot be read is reported, the rest is built.

    `encoder` is a model's name or folder (None: the collection's own, or the packaged one); `config` gives the
    configuration of a new collection. Raises SourceConflict, UploadExists, EncoderMismatch, IndexLocked or another
    PinciteError, before anything is written.
    """
    layout = Layout(index)
    place = layout.collection(collection)
    place.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place.lock, timeout=0), closing(open_writer(layout, place, encoder, config)) as writer:
            return writer.build(sources, replace=replace, progress=progress)
    except Timeout as error:
        raise IndexLocked(path=index) from error


def open_writer(
    layout: Layout, place: CollectionLayout, encoder: str | None, config: Callable[[Encoder], IndexConfig]
) -> Writer:
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

    def close(self) -> None:
        self.store.close()

    def build(self, given: Sequence[Path], *, replace: bool, progress: Progress) -> BuildReport:
        files, failed = find_files(given)
        known = self.store.origins()
        check_origins(files, known, replace=replace)
        origins = {str(root.resolve()) for root in given}
        present = {file.source for file in files}
        gone = [source for source, (origin, _) in known.items() if origin in origins and source not in present]
        counts = {"added": 0, "updated": 0, "unchanged": 0}
        batch: list[Prepared] = []
        for done, file in enumerate(files):
            progress("documents", done, len(files))
            try:
                prepared = self.prepare_file(file, known.get(file.source))
            except DocumentError as error:
                failed.append(error)
                continue
            if prepared is None:
                counts["unchanged"] += 1
                continue
            counts["updated" if file.source in known else "added"] += 1
            batch.append(prepared)
            if sum(len(each.passages) for each in batch) >= BATCH:
                self.commit(batch, [])
                batch = []
        if batch or gone:
            self.commit(batch, gone)
        progress("documents", len(files), len(files))
        progress("search indexes", 0, 2)
        save_vectors(self.place, self.store)
        progress("search indexes", 1, 2)
        save_terms(self.place, self.store)
        progress("search indexes", 2, 2)
        change = self.store.change()
        return BuildReport(
            **counts,
            removed=len(gone),
            failed=failed,
            documents=len(self.store.documents(change)),
            passages=len(self.store.passage_documents(change)),
            version=f"{self.store.identity}-{change}",
        )

    def prepare_file(self, file: FoundFile, known: tuple[str | None, str] | None) -> Prepared | None:
        """Read a file and split it; None if the index holds just this already."""
        try:
            data = file.path.read_bytes()
        except OSError as error:
            raise UnreadableFile(source=file.source, reason=error.strerror) from error
        if known == (file.origin, hashlib.sha256(data).hexdigest()):
            return None
        return self.prepare(file.source, data, file.origin)

    def prepare(self, source: str, data: bytes, origin: str | None) -> Prepared:
        return prepare(source, data, origin, self.encoder, self.config)

    def commit(self, batch: Sequence[Prepared], gone: Sequence[str]) -> None:
        """Encode what is new in these documents and commit them, together with the removal of others."""
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
        documents = [
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
        self.store.commit(documents, gone, at=time.time())


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
