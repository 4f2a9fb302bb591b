"""The store: documents, passages and vectors in one SQLite file, the source of truth for all derived indexes.

Rows are append-only: a change adds rows and marks others as removed, each with its change number. A reader that uses
one change number sees a consistent snapshot while others write.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from index.config import IndexConfig
from index.errors import CollectionNotFound, IndexDamaged, IndexNotFound, IndexVersion
from index.storage.disk import make_folder, refused_by_disk, sync, take_place, writable
from index.storage.tables import (
    APPLICATION,
    DOCUMENT_FIELDS,
    FORMAT,
    RETENTION_SECONDS,
    SCHEMA,
    NewDocument,
    PassageRow,
    document_of,
    insert,
    passage_row,
    upgrade,
)
from index.text.extraction import Extraction
from index.text.structure import Structure
from index.types import Document, Span

BLOCK = 4096  # vectors read per query
UPGRADED = (1, 2, 3)  # formats that `upgrade` brings to the present one
SHA256 = "iif(structure IS NULL, '', sha256)"  # a document that an earlier version split counts as changed
WITH_CONTENT = "document JOIN content ON content.document = number"

# Documents added after change ?1 and live as of change ?2. Document numbers grow with change numbers.
ADDED_SINCE = """
document.number > coalesce((SELECT number FROM document WHERE added <= ?1 ORDER BY number DESC LIMIT 1), 0)
AND added <= ?2 AND (removed IS NULL OR removed > ?2)
"""


class Store:
    """One connection per thread. Most reads take a change number; `live` reads the current state."""

    def __init__(self, path: Path) -> None:
        """Open an existing store, or raise IndexNotFound, IndexVersion or IndexDamaged."""
        if not path.is_file():
            raise IndexNotFound(path=path.parent)
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._file = path.stat().st_ino
        with self._named_damage():
            self._check_header()
            self.config = msgspec.json.decode(self._meta("config"), type=IndexConfig)
            self.identity = self._meta("identity")

    @classmethod
    def create(cls, path: Path, config: IndexConfig, identity: str) -> Store:
        """Create a store, durable on return. Raises StorageFull or StorageReadOnly."""
        unfinished = path.with_suffix(".new")
        meta = {"config": msgspec.json.encode(config).decode(), "identity": identity, "change": "0"}
        try:
            make_folder(path.parent)
            unfinished.unlink(missing_ok=True)
            with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
                connection.executescript(f"PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT};" + SCHEMA)
                connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            sync(unfinished)
            take_place(unfinished, path)
        except (OSError, sqlite3.OperationalError) as error:
            raise refused_by_disk(error, path.parent) from error
        return cls(path)

    @property
    def present(self) -> bool:
        """False once the store was deleted, even if another with the same name replaced it."""
        try:
            return self.path.stat().st_ino == self._file
        except OSError:
            return False

    def require_present(self) -> None:
        """Raise CollectionNotFound if the store was deleted, even if another with the same name replaced it."""
        if not self.present:
            others = sorted(path.parent.name for path in self.path.parent.parent.glob(f"*/{self.path.name}"))
            raise CollectionNotFound(collection=self.path.parent.name, existing=", ".join(others))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    # ---- reading

    def change(self) -> int:
        """The number of the last committed change."""
        return int(self._meta("change"))

    def documents(self, change: int) -> list[Document]:
        """All documents as of `change`, ordered by source (code points)."""
        rows = self._rows(
            f"SELECT {DOCUMENT_FIELDS} FROM document WHERE added <= ?1 AND (removed IS NULL OR removed > ?1) "
            "ORDER BY source",
            change,
        )
        return [document_of(row) for row in rows]

    def origins(self) -> dict[str, tuple[str | None, str]]:
        """For each live source: the path it was built from, and its hash, "" where an earlier version split it."""
        rows = self._rows(f"SELECT source, origin, {SHA256} FROM {WITH_CONTENT} WHERE removed IS NULL")
        return {source: (origin, sha256) for source, origin, sha256 in rows}

    def origin(self, source: str) -> tuple[str | None, str] | None:
        """The path that a live source was built from, and its hash."""
        query = f"SELECT origin, {SHA256} FROM {WITH_CONTENT} WHERE source = ? AND removed IS NULL"
        return next(self._rows(query, source), None)

    def content(self, document: int) -> tuple[bytes, list[Span], Structure, Extraction | None]:
        """The original file, the spans of its sentences, its blocks, and its text where that is not the file."""
        query = "SELECT file, spans, structure, extraction FROM content WHERE document = ?"
        ((file, packed, blocks, extracted),) = self._rows(query, document)
        with self._named_damage():
            spans = [Span(start, end) for start, end in np.frombuffer(packed, np.int32).reshape(-1, 2).tolist()]
            structure = Structure.plain(len(spans)) if blocks is None else Structure.unpacked(blocks)
            return file, spans, structure, None if extracted is None else Extraction.unpacked(extracted)

    def passages(self, numbers: Sequence[int]) -> dict[int, PassageRow]:
        """The passages with these numbers; missing ones are left out."""
        marks = ",".join("?" * len(numbers))
        rows = self._rows(
            f"SELECT number, document, first, last, start, end, headings FROM passage WHERE number IN ({marks})",
            *numbers,
        )
        return {row[0]: passage_row(row) for row in rows}

    def passage_ranges(self, after: int, change: int) -> NDArray[np.int64]:
        """[n, 3] (document, first passage, end) of the documents added after `after` and live as of `change`.

        The passages of a document have consecutive numbers; `end` is exclusive.
        """
        rows = self._rows(
            "SELECT document.number, min(passage.number), max(passage.number) + 1 "
            f"FROM document CROSS JOIN passage ON document.number = document WHERE {ADDED_SINCE} "
            "GROUP BY document.number ORDER BY document.number",
            after,
            change,
        )
        return np.array(list(rows), np.int64).reshape(-1, 3)

    def passage_count(self, change: int) -> int:
        """The number of passages as of `change`."""
        ranges = self.passage_ranges(0, change)
        return int((ranges[:, 2] - ranges[:, 1]).sum())

    def added_passages(self, after: int, change: int) -> Iterator[PassageRow]:
        """The passages added after `after` and live as of `change`, in order."""
        rows = self._rows(
            "SELECT passage.number, document, first, last, start, end, headings "
            f"FROM document CROSS JOIN passage ON document.number = document WHERE {ADDED_SINCE} "
            "ORDER BY document.number, passage.number",
            after,
            change,
        )
        return map(passage_row, rows)

    def vectors(self, numbers: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """The vectors of sorted passage numbers, in blocks: numbers [n], vectors [n, dimension].

        Each block is a query of its own, so a long read does not hold back checkpoints.
        """
        for start in range(0, len(numbers), BLOCK):
            wanted = numbers[start : start + BLOCK]
            query = "SELECT number, vector FROM passage WHERE number BETWEEN ? AND ? ORDER BY number"
            rows = list(self._rows(query, int(wanted[0]), int(wanted[-1])))
            numbers_found = np.array([number for number, _ in rows], np.int64)
            with self._named_damage():
                vectors = np.frombuffer(b"".join(vector for _, vector in rows), np.float16)
                vectors = vectors.reshape(len(rows), self.config.dimension)
            is_wanted = np.isin(numbers_found, wanted)
            yield numbers_found[is_wanted], vectors[is_wanted]

    def vectors_by_key(self, source: str) -> dict[bytes, NDArray[np.float16]]:
        """The vectors of a live source's passages, by the hash of the embedded text."""
        rows = self._rows(
            "SELECT key, vector FROM passage JOIN document ON document.number = document "
            "WHERE source = ? AND removed IS NULL",
            source,
        )
        return {key: np.frombuffer(vector, np.float16) for key, vector in rows}

    def removed_passages(self, after: int, change: int) -> NDArray[np.int64]:
        """The passages removed after `after`, up to `change`."""
        rows = self._rows(
            "SELECT passage.number FROM document JOIN passage ON document.number = document "
            "WHERE removed > ? AND removed <= ?",
            after,
            change,
        )
        return np.array([number for (number,) in rows], np.int64)

    def added_documents(self, after: int, change: int) -> list[Document]:
        """The documents added after `after` and live as of `change`."""
        rows = self._rows(f"SELECT {DOCUMENT_FIELDS} FROM document WHERE {ADDED_SINCE}", after, change)
        return [document_of(row) for row in rows]

    def removed_documents(self, after: int, change: int) -> set[int]:
        rows = self._rows("SELECT number FROM document WHERE removed > ? AND removed <= ?", after, change)
        return {number for (number,) in rows}

    def version(self, source: str, sha256: str, now: float) -> tuple[Document, bytes] | None:
        """The version of a source with this hash, if it is live or was replaced less than RETENTION_SECONDS before."""
        rows = self._rows(
            f"SELECT {DOCUMENT_FIELDS} FROM document WHERE source = ? AND sha256 = ? "
            "AND (removed IS NULL OR removed_at >= ?) ORDER BY number DESC LIMIT 1",
            source,
            sha256,
            now - RETENTION_SECONDS,
        )
        documents = [document_of(row) for row in rows]
        return (documents[0], self.content(documents[0].number)[0]) if documents else None

    def live(self, source: str) -> Document | None:
        """The live document of a source."""
        rows = self._rows(f"SELECT {DOCUMENT_FIELDS} FROM document WHERE source = ? AND removed IS NULL", source)
        return next((document_of(row) for row in rows), None)

    def purged(self) -> int:
        """The last purged change. Derived indexes older than that cannot catch up from the store's rows."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'purged'")
        return next((int(value) for (value,) in rows), 0)

    # ---- writing

    def commit(self, put: Sequence[NewDocument], remove: Iterable[str], at: float) -> int:
        """Add or replace documents and remove sources in one transaction, durable on return; gives the change."""
        with self._transaction() as connection:
            change = int(connection.execute("SELECT value FROM meta WHERE key = 'change'").fetchone()[0]) + 1
            removing = "UPDATE document SET removed = ?, removed_at = ? WHERE source = ? AND removed IS NULL"
            for source in remove:
                connection.execute(removing, (change, 0, source))
                connection.execute("UPDATE document SET removed_at = 0 WHERE source = ?", (source,))
            for new in put:
                connection.execute(removing, (change, at, new.document.source))
                insert(connection, new, change)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'change'", (str(change),))
        return change

    def undo(self, change: int) -> None:
        """Roll back the last change, before any reader has seen it."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM document WHERE added = ?", (change,))
            connection.execute("UPDATE document SET removed = NULL, removed_at = NULL WHERE removed = ?", (change,))
            connection.execute("UPDATE meta SET value = ? WHERE key = 'change'", (str(change - 1),))

    def expired(self, settled: int, at: float) -> int:
        """The last change, up to `settled`, whose removed documents are older than RETENTION_SECONDS; 0 if none."""
        ((last,),) = self._rows(
            "SELECT coalesce(max(removed), 0) FROM document WHERE removed <= ? AND removed_at < ?",
            settled,
            at - RETENTION_SECONDS,
        )
        return int(last)

    def purge(self, settled: int, at: float) -> None:
        """Erase the rows that `expired` found, overwriting their bytes. The derived indexes must not need them."""
        with self._transaction() as connection:
            last = self.expired(settled, at)
            connection.execute(
                "DELETE FROM document WHERE removed <= ? AND removed_at < ?", (settled, at - RETENTION_SECONDS)
            )
            connection.execute(
                "INSERT INTO meta VALUES ('purged', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
                (str(max(last, self.purged())),),
            )
        self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # ---- connections

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction. Raises StorageFull or StorageReadOnly if the disk rejects the write."""
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise refused_by_disk(error, self.path.parent) from error
            raise

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connected()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _connected(self) -> sqlite3.Connection:
        """Never creates a file, and never opens a new collection's store that replaced this one."""
        try:
            connection = connected(self.path)
        except sqlite3.OperationalError as error:
            self.require_present()
            raise refused_by_disk(error, self.path.parent) from error
        self.require_present()
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
        if version in UPGRADED:
            with self._transaction():
                upgrade(connection)
        elif version != FORMAT:
            raise IndexVersion(path=self.path.parent, found=version, supported=FORMAT)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        if not has_log(self.path) and self.path.stat().st_size < pages * page_size:
            raise IndexDamaged(path=self.path.parent, reason=f"{self.path.name} is truncated")

    @contextmanager
    def _named_damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:
            raise  # caused by the disk or a lock, not by the contents
        except (sqlite3.DatabaseError, ValueError, msgspec.MsgspecError, zlib.error) as error:
            raise IndexDamaged(path=self.path.parent, reason=f"{self.path.name}: {error}") from error


def connected(path: Path) -> sqlite3.Connection:
    """Connect to an existing store; read-only if the folder is not writable.

    Raises sqlite3.OperationalError.
    """
    connection = opened(path, "mode=rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # the first access to the file
    except sqlite3.OperationalError:
        connection.close()
        if writable(path.parent) or has_log(path):
            raise
        return opened(path, "immutable=1")  # no process has it open, and SQLite cannot create its log files
    return connection


def opened(path: Path, how: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)


def has_log(path: Path) -> bool:
    """Whether SQLite's write-ahead log beside the store holds data."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0
