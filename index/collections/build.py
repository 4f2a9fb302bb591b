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
from index.text.preparation import Prepared
from index.text.sources import FoundFile, file_of, find_files
from index.types import Encoder

Progress = Callable[[str, int, int], None]  # stage, done, total
Outcome = NewDocument | DocumentError | None  # for a file; None if the collection already contains it

BATCH = 512  # passages encoded and committed together


class Workers(Protocol):
    """Other processes or machines that prepare and encode: `index.collections.ray_build.RayWorkers`."""

    def encode_files(
        self, files: Sequence[FoundFile], existing: Mapping[str, Origin], encoder: Encoder, config: IndexConfig
    ) -> Iterator[tuple[FoundFile, Outcome]]: ...


class BuildOptions(Struct, frozen=True):
    """`replace`: overwrite uploads with the same name. `workers`: prepare and encode there instead of here."""

    replace: bool = False
    workers: Workers | None = None
    progress: Progress = lambda *_: None


class BuildReport(Struct, frozen=True):
    added: int
    updated: int
    unchanged: int
    removed: int
    failed: list[DocumentError]
    documents: int
    passages: int
    version: str


def build(writer: DocumentWriter, sources: Sequence[Path], options: BuildOptions | None = None) -> BuildReport:
    """Update a collection to match these files and folders. Unreadable files are reported and skipped.

    Documents built earlier from one of the `sources` that no longer exist are removed. Raises SourceConflict or
    UploadExists before anything is written, and the errors of a commit; batches already committed are kept.
    """
    options = options or BuildOptions()
    files, failed = find_files(sources)
    existing = writer.origins()
    check_origins(files, existing, replace=options.replace)
    removed = disappeared(sources, files, existing)
    expected = dict(existing)
    counts = {"added": 0, "updated": 0, "unchanged": 0}
    batch: list[NewDocument] = []
    for done, (file, outcome) in enumerate(encode_files(writer, files, existing, options.workers)):
        options.progress("documents", done, len(files))
        if isinstance(outcome, DocumentError):
            failed.append(outcome)
            continue
        if outcome is None:
            counts["unchanged"] += 1
            continue
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
        **counts, removed=len(removed), failed=failed, documents=documents, passages=passages, version=version
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
    writer: DocumentWriter, files: Sequence[FoundFile], existing: Mapping[str, Origin], workers: Workers | None
) -> Iterator[tuple[FoundFile, Outcome]]:
    """The outcome of each file, in order of completion."""
    if workers is not None:
        yield from workers.encode_files(files, existing, writer.encoder, writer.config)
        return
    batch: list[tuple[FoundFile, Prepared]] = []
    for file in files:
        try:
            prepared = writer.prepare_file(file, existing.get(file.source))
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
