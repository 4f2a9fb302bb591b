"""The tables of a store in Milvus, and their keys.

pincite_collections   NAME: its identity and configuration; NAME/WRITER: one process's totals of its changes;
                      dropped/IDENTITY: a dropped collection that is not fully erased yet
pincite_documents     IDENTITY/SOURCE: the record of a document and its version; writing this row commits a change
pincite_pieces        VERSION-NUMBER: a piece of a version's contents
pincite_journal       IDENTITY/VERSION: versions being written, and the versions they replace
pincite_passages_…    VERSION and the number of a passage; one table per encoder

Each collection has a unique identity, so a new collection with an old name shares no rows with the old one. All
collections share the tables; the identity is Milvus's partition key, so a query reads one partition. Milvus requires a
vector in every table; tables without search hold `NOTHING`.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from index.errors import BeyondStore

Row = dict[str, Any]

LARGEST_TEXT = 65_535  # bytes of a text, a limit of Milvus
PIECE = 60_000  # bytes of a piece
LONGEST_KEY = 1200  # bytes: an identity and a source of 1,024 bytes
CANDIDATES_EXAMINED = 400  # least candidates that HNSW examines per query
NOTHING = [0.0, 0.0]
FOREVER = "\U0010ffff"  # sorts after every text with the same beginning
TICKS, RANDOM, PIECES, NUMBER = 14, 8, 4, 6  # hexadecimal digits


class Table(Struct, frozen=True):
    """A table: text fields with their limits in bytes, the first the key; integer fields; a vector."""

    name: str
    texts: dict[str, int]
    numbers: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()  # fields with an index on their values
    partitioned: bool = True
    dimension: int = len(NOTHING)


COLLECTIONS = Table(
    "pincite_collections",
    {"key": LONGEST_KEY, "collection": 64, "config": LARGEST_TEXT},
    ("changes", "documents", "passages", "words"),
    partitioned=False,
)
DOCUMENTS = Table(
    "pincite_documents",
    {
        "key": LONGEST_KEY,
        "collection": 64,
        "version": 64,
        "sha256": 64,
        "record": LARGEST_TEXT,
        "kept": LARGEST_TEXT,
    },
    ("passages", "words"),
    looked_up=("sha256",),
)
PIECES_TABLE = Table("pincite_pieces", {"key": 64, "collection": 64, "version": 64, "text": LARGEST_TEXT})
JOURNAL = Table(
    "pincite_journal", {"key": LONGEST_KEY, "collection": 64, "versions": LARGEST_TEXT}, ("due", "done"), ("due",)
)
FIXED = (COLLECTIONS, DOCUMENTS, PIECES_TABLE, JOURNAL)


def passages_table(encoder_sha256: str, dimension: int) -> Table:
    return Table(
        f"pincite_passages_{encoder_sha256[:16]}_{dimension}",
        {
            "key": 64,
            "collection": 64,
            "version": 64,
            "source": LONGEST_KEY,
            "text": LARGEST_TEXT,
            "headings": LARGEST_TEXT,
            "hash": 32,
            "terms": LARGEST_TEXT,
        },
        ("first", "last", "begin", "stop"),
        looked_up=("version", "source"),
        dimension=dimension,
    )


def new_version(pieces: int) -> str:
    """A new name of a version: its time stamp, which sorts, random bits, and its number of pieces.

    The 32 random bits separate versions that several processes make in the same microsecond.
    """
    ticks = time.time_ns() // 1000
    return f"{ticks:0{TICKS}x}{secrets.randbits(4 * RANDOM):0{RANDOM}x}{pieces:0{PIECES}x}"


def piece_keys(version: str) -> list[str]:
    return [f"{version}-{number:0{PIECES}x}" for number in range(int(version[-PIECES:], 16))]


def passage_key(version: str, number: int) -> str:
    return f"{version}{number:0{NUMBER}x}"


def version_of(number: int) -> str:
    """The name of the version with this document number."""
    return f"{number:0{TICKS + RANDOM + PIECES}x}"


def quoted(text: str) -> str:
    r"""Quote a text for an expression: a"b -> "a\"b"."""
    return json.dumps(text, ensure_ascii=False)


def among(field: str, values: Sequence[str]) -> str:
    return f"{field} in [{', '.join(map(quoted, values))}]"


def fitting(rows: Sequence[Row], table: Table, source: str) -> Sequence[Row]:
    """The rows, if they fit the table. Raises BeyondStore: titles and headings can have any length."""
    for row in rows:
        for field, limit in table.texts.items():
            size = len(row[field].encode())
            if size > limit:
                raise BeyondStore(source=source, part=f"its {field}", bytes=size, limit=limit)
    return rows
