"""The tables of the store, and how rows are inserted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from index.text.extraction import Extraction
from index.text.structure import Structure
from index.types import Document, Passage, Span

FORMAT = 4  # raised whenever the stored data changes its meaning
APPLICATION = 0x50696E63  # "Pinc"; tells a store from any other SQLite file
RETENTION_SECONDS = 600  # a replaced version stays readable this long, for citations that a client is about to open

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE document (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    document_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    encoding TEXT NOT NULL,
    bom INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    anchor TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT,
    date TEXT,
    sentences INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    encoding_guessed INTEGER NOT NULL DEFAULT 0,
    origin TEXT,          -- the folder or file that it was built from; null for an upload
    added INTEGER NOT NULL,
    removed INTEGER,
    removed_at REAL       -- seconds since the epoch; 0 where it was deleted, not replaced
);
CREATE UNIQUE INDEX live_document ON document (source) WHERE removed IS NULL;
CREATE INDEX document_of_source ON document (source);
CREATE INDEX removed_document ON document (removed) WHERE removed IS NOT NULL;
CREATE TABLE content (
    document INTEGER PRIMARY KEY REFERENCES document (number) ON DELETE CASCADE,
    file BLOB NOT NULL,
    -- spans: int32 [sentences, 2], code points; checksum: over the document's row, its spans and its passages
    spans BLOB NOT NULL,
    checksum BLOB,
    structure BLOB,       -- its blocks, packed; null where an earlier version of Pincite wrote it
    extraction BLOB       -- its text, and how that lies in the file, packed; null where the text is the file
);
CREATE TABLE passage (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES document (number) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    headings TEXT NOT NULL,
    key BLOB NOT NULL,    -- hash of the embedded text
    vector BLOB NOT NULL  -- float16 [dimension]
);
CREATE INDEX passage_of_document ON passage (document);
"""

DOCUMENT_FIELDS = ", ".join(Document.__struct_fields__)
COLUMNS = (*Document.__struct_fields__[1:], "origin", "added")
PASSAGE_FIELDS = "first, last, start, end, headings, key, vector"


class NewPassage(msgspec.Struct, frozen=True):
    passage: Passage
    key: bytes
    vector: NDArray[np.float16]


class NewDocument(msgspec.Struct, frozen=True):
    document: Document  # the store assigns its number
    origin: str | None
    file: bytes
    spans: Sequence[Span]
    passages: Sequence[NewPassage]
    structure: Structure
    extraction: Extraction | None = None  # where the text is not the file


class PassageRow(msgspec.Struct, frozen=True):
    number: int
    document: int
    passage: Passage


def document_of(row: tuple) -> Document:  # type: ignore[type-arg]  # as SQLite gives it
    """A document from the values of DOCUMENT_FIELDS; SQLite gives the last, a boolean, as a number."""
    return Document(*(*row[:-1], bool(row[-1])))


def passage_row(row: tuple) -> PassageRow:  # type: ignore[type-arg]  # as SQLite gives it
    number, document, first, last, start, end, headings = row
    path = tuple(msgspec.json.decode(headings, type=list[str]))
    return PassageRow(number, document, Passage(first, last, Span(start, end), path))


def insert(connection: sqlite3.Connection, new: NewDocument, change: int) -> None:
    columns = msgspec.structs.asdict(new.document) | {"origin": new.origin, "added": change}
    number = connection.execute(
        f"INSERT INTO document ({', '.join(COLUMNS)}) VALUES (:{', :'.join(COLUMNS)})", columns
    ).lastrowid
    spans = np.array(new.spans, np.int32).tobytes()
    connection.execute(
        "INSERT INTO content (document, file, spans, structure, extraction) VALUES (?, ?, ?, ?, ?)",
        (number, new.file, spans, new.structure.packed(), new.extraction and new.extraction.packed()),
    )
    connection.executemany(
        f"INSERT INTO passage ({PASSAGE_FIELDS}, document) VALUES (?,?,?,?,?,?,?,?)",
        [
            (p.first, p.last, *p.span, msgspec.json.encode(p.headings).decode(), row.key, row.vector.tobytes(), number)
            for row in new.passages
            for p in (row.passage,)
        ],
    )
    connection.execute(
        "UPDATE content SET checksum = ? WHERE document = ?", (checksum(connection, number or 0), number)
    )


def checksum(connection: sqlite3.Connection, document: int) -> bytes:
    """A hash over everything stored about a document except its file, which has a SHA-256 of its own."""
    hashed = blake2b(digest_size=16)
    for query in (
        f"SELECT {', '.join(COLUMNS)} FROM document WHERE number = ?",
        "SELECT spans, structure, extraction FROM content WHERE document = ?",
        f"SELECT number, {PASSAGE_FIELDS} FROM passage WHERE document = ? ORDER BY number",
    ):
        for row in connection.execute(query, (document,)):
            hashed.update(msgspec.msgpack.encode(row))
    return hashed.digest()


def upgrade(connection: sqlite3.Connection) -> None:
    """Upgrade a store of format 1 (no checksums), 2 (no blocks) or 3 (no guessed encodings), in a transaction.

    Documents stay as they were split. The next build reads those again that come from files and have no blocks.
    """
    if "encoding_guessed" not in {name for _, name, *_ in connection.execute("PRAGMA table_info(document)")}:
        connection.execute("ALTER TABLE document ADD COLUMN encoding_guessed INTEGER NOT NULL DEFAULT 0")
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(content)")}
    for name in ("checksum", "structure", "extraction"):
        if name not in columns:
            connection.execute(f"ALTER TABLE content ADD COLUMN {name} BLOB")
    for (document,) in connection.execute("SELECT document FROM content").fetchall():
        values = (checksum(connection, document), document)
        connection.execute("UPDATE content SET checksum = ? WHERE document = ?", values)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
