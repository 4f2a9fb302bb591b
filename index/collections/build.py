"""Builds a collection from files and folders: find, prepare, encode, commit in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from index.collections.document_writer import DocumentWriter, Origin
from index.config import IndexConfig
from index.errors import DocumentError, SourceConflict, UploadExists
from index.storage.tables import NewDocument
from index.text.preparation import Prepared, SenderMetadata
from index.text.sources import FoundFile, file_of, find_files
from index.types import Encoder

Progress = Callable[[str, int, int], None]  # stage, done, total
Outcome = NewDocument | DocumentError | None  # for a file; None if the collection already contains it

BATCH = 512  # passages encoded and committed together


class Workers(Protocol):
    """Other processes or machines that prepare and encode: `index.collections.ray_build.RayWorkers`."""

    def encode_files(
        self,
        files: Sequence[FoundFile],
        existing: Mapping[str, Origin],
        encoder: Encoder,
        config: IndexConfig,
        metadata: SenderMetadata,
    ) -> Iterator[tuple[FoundFile, Outcome]]: ...


class BuildOptions(Struct, frozen=True):
    """`replace`: overwrite uploads with the same name. `workers`: prepare and encode there instead of here.

    `encoding`: of all text files, whatever they declare.
    """

    replace: bool = False
    encoding: str | None = None
    workers: Workers | None = None
    progress: Progress = lambda *_: None


class BuildReport(Struct, frozen=True):
    added: int
    updated: int
    unchanged: int
    removed: int
    failed: list[DocumentError]
    skipped: list[str]  # links that are not followed
    guessed: list[tuple[str, str]]  # source and encoding of added and updated documents that do not declare it
    documents: int
    passages: int
    version: str


def build(writer: DocumentWriter, sources: Sequence[Path], options: BuildOptions | None = None) -> BuildReport:
    """Update a collection to match these files and folders. Unreadable files are reported and skipped.

    Documents built earlier from one of the `sources` that no longer exist are removed. Raises SourceConflict or
    UploadExists before anything is written, and the errors of a commit; batches already committed are kept.
    """
    options = options or BuildOptions()
    listed = find_files(sources)
    files, failed = listed.files, listed.failed
    existing = writer.origins()
    check_origins(files, existing, replace=options.replace)
    removed = disappeared(sources, files, existing)
    expected = dict(existing)
    counts = {"added": 0, "updated": 0, "unchanged": 0}
    guessed: list[tuple[str, str]] = []
    batch: list[NewDocument] = []
    for done, (file, outcome) in enumerate(encode_files(writer, files, existing, options)):
        options.progress("documents", done, len(files))
        if isinstance(outcome, DocumentError):
            failed.append(outcome)
            continue
        if outcome is None or (options.encoding and is_present(writer, outcome)):
            counts["unchanged"] += 1
            continue
        if outcome.document.encoding_guessed:
            guessed.append((file.source, outcome.document.encoding))
        counts["updated" if file.source in existing else "added"] += 1
        batch.append(outcome)
        if passages_of(batch) >= BATCH:
            writer.commit(batch, [], expected)
            batch = []
    if batch or removed:
        writer.commit(batch, removed, expected)
    options.progress("documents", len(files), len(files))
    documents, passages, version = writer.finish()
    return BuildReport(
        **counts,
        removed=len(removed),
        failed=failed,
        skipped=listed.skipped,
        guessed=guessed,
        documents=documents,
        passages=passages,
        version=version,
    )


def is_present(writer: DocumentWriter, new: NewDocument) -> bool:
    """Whether the collection already has this document, read in this encoding."""
    source = new.document.source
    if writer.origins_of([source]).get(source) != (new.origin, new.document.sha256):
        return False
    (live,) = writer.live([source])
    return live is not None and (live.encoding, live.encoding_guessed) == (
        new.document.encoding,
        new.document.encoding_guessed,
    )


def check_origins(files: Sequence[FoundFile], existing: Mapping[str, Origin], *, replace: bool) -> None:
    """Raise unless each source is new, has the same origin as before, or may be replaced."""
    for file in files:
        origin, _ = existing.get(file.source, (file.origin, ""))
        if replace or origin == file.origin:
            continue
        if origin is None:
            raise UploadExists(source=file.source)
        if file_of(origin, file.source) != file.path:
            raise SourceConflict(source=file.source, first=origin, second=file.origin)


def disappeared(roots: Sequence[Path], files: Sequence[FoundFile], existing: Mapping[str, Origin]) -> list[str]:
    """The sources that were built from one of the roots and no longer exist."""
    origins = {str(root.resolve()) for root in roots}
    present = {file.source for file in files}
    return [source for source, (origin, _) in existing.items() if origin in origins and source not in present]


def encode_files(
    writer: DocumentWriter, files: Sequence[FoundFile], existing: Mapping[str, Origin], options: BuildOptions
) -> Iterator[tuple[FoundFile, Outcome]]:
    """The outcome of each file, in order of completion.

    With an encoding, every file is read again: an earlier build may have read it in another one.
    """
    metadata = SenderMetadata(charset=options.encoding)
    if options.encoding:
        existing = {}
    if options.workers is not None:
        yield from options.workers.encode_files(files, existing, writer.encoder, writer.config, metadata)
        return
    batch: list[tuple[FoundFile, Prepared]] = []
    for file in files:
        try:
            prepared = writer.prepare_file(file, existing.get(file.source), metadata)
        except DocumentError as error:
            yield file, error
            continue
        if prepared is None:
            yield file, None
            continue
        batch.append((file, prepared))
        if passages_of([prepared for _, prepared in batch]) >= BATCH:
            yield from encode_batch(writer, batch)
            batch = []
    yield from encode_batch(writer, batch)


def encode_batch(
    writer: DocumentWriter, batch: Sequence[tuple[FoundFile, Prepared]]
) -> Iterator[tuple[FoundFile, NewDocument]]:
    return zip((file for file, _ in batch), writer.encode([prepared for _, prepared in batch]), strict=True)


def passages_of(documents: Sequence[NewDocument | Prepared]) -> int:
    return sum(len(document.passages) for document in documents)
