"""Checks an index: stored data against checksums, derived indexes against the store."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from filelock import FileLock
from msgspec import Struct

from index.embedding.models import file_sha256
from index.embedding.onnx_encoder import CARD, MODEL, TOKENIZER, read_card
from index.errors import CollectionNotFound, ExportDamaged, IndexNotFound, IndexProblem
from index.maintenance.repair import derived_flaws, disagreements, rebuild
from index.search.derived import newest
from index.search.vectors import Dense
from index.storage.disk import writable
from index.storage.layout import CollectionLayout, Layout
from index.storage.store import Store, connected
from index.storage.tables import checksum
from index.text.extraction import Extraction
from index.types import Span

Progress = Callable[[str, int, int], None]  # stage, done, total

UNIT = 0.01  # tolerance of a stored vector's length, which should be 1: float16

RESTORE = "Restore a backup. `pincite check --save-to FOLDER` writes out the documents that can still be read."
REBUILD = "`pincite check --repair` rebuilds it from the store."
REPLACE = "Delete the document and add it again, or restore a backup."
EXPORT = "Delete that folder and build again, or restore a backup."


class Finding(Struct, frozen=True):
    where: str  # a path in the index folder, or a document's source
    what: str
    remedy: str


class Stored(NamedTuple):
    """A row of the store, in which anything may be damaged."""

    source: str
    sha256: str
    bytes: int
    encoding: str
    bom: int
    sentences: int
    file: object
    spans: object
    extraction: object  # None where the text is the file
    checksum: object


PassagePlace = tuple[int, int, int, int, object]  # first, last, start, end, vector


class Checked(Struct, frozen=True):
    collection: str
    documents: int
    passages: int
    findings: list[Finding]
    dense: Dense | None = None  # None if the store cannot be read


def check(
    index: Path, collection: str | None = None, *, repair: bool = False, progress: Progress = lambda *_: None
) -> list[Checked]:
    """Check one collection, or all. `repair` rebuilds damaged derived files; findings are those that remain.

    Raises IndexNotFound or CollectionNotFound.
    """
    layout = Layout(index)
    names = layout.collections()
    if not names:
        raise IndexNotFound(path=index)
    if collection is not None and collection not in names:
        raise CollectionNotFound(collection=collection, existing=", ".join(names))
    return [check_collection(layout, name, repair, progress) for name in names if collection in (None, name)]


def check_collection(layout: Layout, name: str, repair: bool, progress: Progress) -> Checked:  # noqa: FBT001
    place = layout.collection(name)
    try:
        store = Store(place.store)
        with closing(store), closing(connected(place.store)) as connection:
            findings = [*check_store(connection), *check_documents(connection, store.config.dimension, progress)]
            findings += check_encoder(layout, store)
            derived = [] if findings else check_derived(place, store)
            if derived and repair:
                with FileLock(place.creation_lock):
                    rebuild(place, store, lambda: FileLock(place.change_lock))
                derived = check_derived(place, store)
            change = store.change()
            dense = newest(place, store, change)[0].dense
            documents, passages = len(store.documents(change)), store.passage_count(change)
            return Checked(name, documents, passages, findings + derived, dense)
    except (IndexProblem, sqlite3.DatabaseError) as error:
        return Checked(name, 0, 0, [Finding(f"collections/{name}/store.sqlite", str(error), RESTORE)])


def check_store(connection: sqlite3.Connection) -> Iterator[Finding]:
    """SQLite's own integrity checks."""
    for (problem,) in connection.execute("PRAGMA integrity_check"):
        if problem != "ok":
            yield Finding("store.sqlite", str(problem), RESTORE)
    for table, row, *_ in connection.execute("PRAGMA foreign_key_check"):
        yield Finding("store.sqlite", f"row {row} of {table} has no parent row", RESTORE)


def check_documents(connection: sqlite3.Connection, dimension: int, progress: Progress) -> Iterator[Finding]:
    numbers = [number for (number,) in connection.execute("SELECT number FROM document ORDER BY number")]
    for done, number in enumerate(numbers):
        progress("documents", done, len(numbers))
        yield from check_document(connection, number, dimension)
    progress("documents", len(numbers), len(numbers))


def check_document(connection: sqlite3.Connection, number: int, dimension: int) -> Iterator[Finding]:
    connection.execute("BEGIN")
    try:
        row = connection.execute(
            f"SELECT {', '.join(Stored._fields)} FROM document LEFT JOIN content ON document = number WHERE number = ?",
            (number,),
        ).fetchone()
        if row is None:
            return  # deleted after it was listed
        sums = checksum(connection, number)
        query = "SELECT first, last, start, end, vector FROM passage WHERE document = ? ORDER BY number"
        passages = connection.execute(query, (number,)).fetchall()
    except sqlite3.DatabaseError as error:
        yield Finding(f"document {number}", f"cannot be read ({error})", RESTORE)
        return
    finally:
        connection.execute("COMMIT")
    stored = Stored(*row)
    if stored.checksum != sums:
        yield Finding(stored.source, "its rows do not match their checksum", REPLACE)
    for what in flaws_of_document(stored, passages, dimension):
        yield Finding(stored.source, what, REPLACE)


def flaws_of_document(stored: Stored, passages: list[PassagePlace], dimension: int) -> Iterator[str]:
    file, packed = stored.file, stored.spans
    if not isinstance(file, bytes) or not isinstance(packed, bytes) or len(packed) % 8:
        yield "its file or its sentences are missing"
        return
    if len(file) != stored.bytes or hashlib.sha256(file).hexdigest() != stored.sha256:
        yield "its file does not match its SHA-256"
        return
    try:
        packed_text = stored.extraction
        extraction = Extraction.unpacked(packed_text) if isinstance(packed_text, bytes) else None
        text = file[stored.bom :].decode(stored.encoding) if extraction is None else extraction.text
    except (LookupError, ValueError):
        yield f"its file cannot be decoded as {stored.encoding}"
        return
    except (zlib.error, msgspec.MsgspecError):
        yield "its extracted text cannot be read"
        return
    spans = [Span(start, end) for start, end in np.frombuffer(packed, np.int32).reshape(-1, 2).tolist()]
    if len(spans) != stored.sentences or not in_order(spans, text):
        yield "its sentence offsets do not match its text"
    elif not all(0 <= first <= last < len(spans) for first, last, *_ in passages):
        yield "a passage refers to sentences that do not exist"
    elif not all(matches(spans, *each[:4]) for each in passages):
        yield "a passage does not begin and end with its sentences"
    if not all(is_vector(vector, dimension) for *_, vector in passages):
        yield "the vector of a passage is not of unit length"


def in_order(spans: list[Span], text: str) -> bool:
    """Whether spans are in range, sorted and disjoint, without white space at their ends."""
    end = 0
    for span in spans:
        if not end <= span.start < span.end <= len(text) or text[span.start].isspace() or text[span.end - 1].isspace():
            return False
        end = span.end
    return True


def matches(spans: list[Span], first: int, last: int, start: int, end: int) -> bool:
    """Whether a passage is whole sentences, or part of one that was too long."""
    whole = Span(spans[first].start, spans[last].end)
    return whole == (start, end) or (first == last and whole.start <= start < end <= whole.end)


def is_vector(vector: object, dimension: int) -> bool:
    if not isinstance(vector, bytes) or len(vector) != 2 * dimension:
        return False
    length = float(np.linalg.norm(np.frombuffer(vector, np.float16).astype(np.float32)))
    return abs(length - 1) <= UNIT  # also false for NaN


def check_encoder(layout: Layout, store: Store) -> Iterator[Finding]:
    folder = layout.encoder(store.config.encoder_sha256)
    where = f"encoders/{folder.name}"
    if not (folder / CARD).exists():
        if folder.exists():
            yield Finding(where, f"{CARD} is missing", EXPORT)
        return  # a model that cannot be exported runs on sentence-transformers
    try:
        card = read_card(folder)
    except ExportDamaged as error:
        yield Finding(where, str(error), EXPORT)
        return
    for name, expected in ((MODEL, card.model_sha256), (TOKENIZER, card.tokenizer_sha256)):
        if not (folder / name).is_file() or file_sha256(folder / name) != expected:
            yield Finding(where, f"{name} differs from the exported file", EXPORT)
    if card.weights_sha256 != store.config.encoder_sha256:
        yield Finding(where, "it is not the encoder that made the vectors", EXPORT)


def check_derived(place: CollectionLayout, store: Store) -> list[Finding]:
    """Check dense and term search: every byte against checksums, and their contents against the store.

    Problems are checked a second time under a lock, so that a concurrent rebuild does not cause false alarms.
    """
    findings = list(derived_findings(place, store))
    if findings and writable(place.path):
        with FileLock(place.change_lock):
            findings = list(derived_findings(place, store))
    return findings


def derived_findings(place: CollectionLayout, store: Store) -> Iterator[Finding]:
    flaws = derived_flaws(place)
    for file, what in flaws:
        yield Finding(file, what, REBUILD)
    if not flaws:
        for file, what in disagreements(place, store):
            yield Finding(file, what, REBUILD)
