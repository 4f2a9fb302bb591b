"""The store: documents, passages and vectors in one SQLite file, the truth that everything else derives from.

Rows are never changed, only added and marked removed, each with the number of the change that did it. So a reader that
keeps to one change number sees one version of everything, whatever is written meanwhile.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from index.config import IndexConfig
from index.errors import IndexDamaged, IndexNotFound, IndexVersion
from index.types import Document, Passage, Span

FORMAT = 1  # raised whenever what is stored changes its meaning
APPLICATION = 0x50696E63  # "Pinc", so that no other SQLite file is taken for an index
KEPT_SECONDS = 600  # a replaced version stays readable this long, for citations in flight

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
    origin TEXT,          -- the folder or file that it was built from; null for an upload
    added INTEGER NOT NULL,
    removed INTEGER,
    removed_at REAL       -- seconds since the epoch
);
CREATE UNIQUE INDEX live_document ON document (source) WHERE removed IS NULL;
CREATE TABLE content (
    document INTEGER PRIMARY KEY REFERENCES document (number) ON DELETE CASCADE,
    file BLOB NOT NULL,
    spans BLOB NOT NULL   -- int32 [sentences, 2], code points
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


class NewPassage(msgspec.Struct, frozen=True):
    passage: Passage
    key: bytes
    vector: NDArray[np.float16]


class NewDocument(msgspec.Struct, frozen=True):
    document: Document  # its number is given by the store
    origin: str | None
    file: bytes
    spans: Sequence[Span]
    passages: Sequence[NewPassage]


class PassageRow(msgspec.Struct, frozen=True):
    number: int
    document: int
    passage: Passage


class Store:
    """One connection a thread. Reading needs a change number; `live` speaks of the present one."""

    def __init__(self, path: Path) -> None:
        """Open an existing store, or raise IndexNotFound, IndexVersion or IndexDamaged."""
        if not path.is_file():
            raise IndexNotFound(path=path.parent)
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        with self._named_damage():
            self._check_header()
            self.config = msgspec.json.decode(self._meta("config"), type=IndexConfig)
            self.identity = self._meta("identity")

    @classmethod
    def create(cls, path: Path, config: IndexConfig, identity: str) -> Store:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        connection = sqlite3.connect(unfinished, isolation_level=None)
        connection.executescript(f"PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT};" + SCHEMA)
        meta = {"config": msgspec.json.encode(config).decode(), "identity": identity, "change": "0"}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.close()
        unfinished.rename(path)
        return cls(path)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    # ---- reading

    def change(self) -> int:
        """The number of the last change committed."""
        return int(self._meta("change"))

    def documents(self, change: int) -> list[Document]:
        """All documents as of `change`, by source in code point order."""
        rows = self._rows(
            f"SELECT {DOCUMENT_FIELDS} FROM document WHERE added <= ?1 AND (removed IS NULL OR removed > ?1) "
            "ORDER BY source",
            change,
        )
        return [Document(*row) for row in rows]

    def origins(self) -> dict[str, tuple[str | None, str]]:
        """Of each live source: where it was built from, and its hash."""
        rows = self._rows("SELECT source, origin, sha256 FROM document WHERE removed IS NULL")
        return {source: (origin, sha256) for source, origin, sha256 in rows}

    def content(self, document: int) -> tuple[bytes, list[Span]]:
        """The original file, and the spans of its sentences."""
        ((file, spans),) = self._rows("SELECT file, spans FROM content WHERE document = ?", document)
        return file, [Span(start, end) for start, end in np.frombuffer(spans, np.int32).reshape(-1, 2).tolist()]

    def passages(self, numbers: Sequence[int]) -> dict[int, PassageRow]:
        """Those of the passages asked for that are there."""
        marks = ",".join("?" * len(numbers))
        rows = self._rows(
            f"SELECT number, document, first, last, start, end, headings FROM passage WHERE number IN ({marks})",
            *numbers,
        )
        return {row[0]: passage_row(row) for row in rows}

    def passage_documents(self, change: int) -> NDArray[np.int64]:
        """[passages, 2]: the number of each passage as of `change`, ascending, and that of its document."""
        rows = self._rows(
            "SELECT passage.number, document FROM passage JOIN document ON document.number = document "
            "WHERE added <= ?1 AND (removed IS NULL OR removed > ?1) ORDER BY passage.number",
            change,
        )
        return np.array(list(rows), np.int64).reshape(-1, 2)

    def added_passages(self, after: int, change: int) -> Iterator[tuple[PassageRow, bytes]]:
        """The passages, with their vectors, that came after one change and are there as of another."""
        rows = self._rows(
            "SELECT passage.number, document, first, last, start, end, headings, vector "
            "FROM passage JOIN document ON document.number = document "
            "WHERE added > ?1 AND added <= ?2 AND (removed IS NULL OR removed > ?2) ORDER BY passage.number",
            after,
            change,
        )
        for row in rows:
            yield passage_row(row[:-1]), row[-1]

    def vectors_by_key(self, source: str) -> dict[bytes, NDArray[np.float16]]:
        """The vectors of a live source's passages, by the hash of what was embedded."""
        rows = self._rows(
            "SELECT key, vector FROM passage JOIN document ON document.number = document "
            "WHERE source = ? AND removed IS NULL",
            source,
        )
        return {key: np.frombuffer(vector, np.float16) for key, vector in rows}

    def removed_passages(self, after: int) -> list[int]:
        """The passages removed after a change."""
        rows = self._rows(
            "SELECT passage.number FROM passage JOIN document ON document.number = document WHERE removed > ?", after
        )
        return [number for (number,) in rows]

    # ---- writing

    def commit(self, put: Sequence[NewDocument], remove: Iterable[str], at: float) -> int:
        """Add or replace documents and remove sources, all or nothing. Durable on return; gives the change number."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            change = int(connection.execute("SELECT value FROM meta WHERE key = 'change'").fetchone()[0]) + 1
            gone = [(change, at, source) for source in [*remove, *(new.document.source for new in put)]]
            connection.executemany(
                "UPDATE document SET removed = ?, removed_at = ? WHERE source = ? AND removed IS NULL", gone
            )
            for new in put:
                insert(connection, new, change)
            connection.execute("DELETE FROM document WHERE removed_at < ?", (at - KEPT_SECONDS,))
            connection.execute("UPDATE meta SET value = ? WHERE key = 'change'", (str(change),))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return change

    # ---- connections

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _rows(self, query: str, *values: object) -> Iterator[tuple]:  # type: ignore[type-arg]  # as SQLite gives them
        with self._named_damage():
            yield from self._connection().execute(query, values)

    def _meta(self, key: str) -> str:
        ((value,),) = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return str(value)

    def _check_header(self) -> None:
        connection = self._connection()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise IndexDamaged(path=self.path.parent, reason=f"{self.path.name} is not a store of Pincite")
        if version != FORMAT:
            raise IndexVersion(path=self.path.parent, found=version, supported=FORMAT)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        _, logged, written_back = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if logged == written_back and self.path.stat().st_size < pages * page_size:
            raise IndexDamaged(path=self.path.parent, reason=f"{self.path.name} is cut short")

    @contextmanager
    def _named_damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:
            raise  # the disk or a lock, not the contents
        except (sqlite3.DatabaseError, ValueError, msgspec.DecodeError) as error:
            raise IndexDamaged(path=self.path.parent, reason=f"{self.path.name}: {error}") from error


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
    connection.execute("INSERT INTO content VALUES (?, ?, ?)", (number, new.file, spans))
    connection.executemany(
        "INSERT INTO passage (document, first, last, start, end, headings, key, vector) VALUES (?,?,?,?,?,?,?,?)",
        [
            (number, p.first, p.last, *p.span, msgspec.json.encode(p.headings).decode(), row.key, row.vector.tobytes())
            for row in new.passages
            for p in (row.passage,)
        ],
    )
