"""The tables of a store in Milvus, and what their keys are made of.

pincite_collections   NAME: its identity and configuration; NAME/WRITER: how much that process has changed in it;
                      dropped/IDENTITY: a collection that was dropped, until all of it is erased
pincite_documents     IDENTITY/SOURCE: the record of a document and its version; putting this row is the change
pincite_pieces        VERSION-NUMBER: a part of what a version of a document is made of
pincite_journal       IDENTITY/VERSION: versions that are being put in place, and those that they take it from
pincite_passages_…    VERSION and the number of a passage: one for each encoder

A collection has an identity of its own, so that one of the same name made later shares no row with it. Rows of all
collections lie in the same tables, parted by that identity (Milvus's partition key): a question looks into one part.
Milvus wants a vector in every table; where there is nothing to search, it is `NOTHING`.
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

LARGEST_TEXT = 65_535  # bytes of a text, says Milvus
PIECE = 60_000  # bytes of a piece
LONGEST_KEY = 1200  # bytes: an identity and a source of 1,024 bytes
CANDIDATES_EXAMINED = 400  # by HNSW for each question, at least
NOTHING = [0.0, 0.0]
FOREVER = "\U0010ffff"  # behind every source that begins alike
TICKS, RANDOM, PIECES, NUMBER = 14, 8, 4, 6  # hexadecimal digits


class Table(Struct, frozen=True):
    """Fields of text with the bytes that they take at most, the first the key; whole numbers; a vector."""

    name: str
    texts: dict[str, int]
    numbers: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()  # fields that are found by their value
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
    """The name of a version of a document: when it was made, which keeps them in order, and of how many pieces it is.

    32 random bits tell apart what several processes make in the same microsecond.
    """
    ticks = time.time_ns() // 1000
    return f"{ticks:0{TICKS}x}{secrets.randbits(4 * RANDOM):0{RANDOM}x}{pieces:0{PIECES}x}"


def piece_keys(version: str) -> list[str]:
    return [f"{version}-{number:0{PIECES}x}" for number in range(int(version[-PIECES:], 16))]


def passage_key(version: str, number: int) -> str:
    return f"{version}{number:0{NUMBER}x}"


def version_of(number: int) -> str:
    """The version of a document by its number."""
    return f"{number:0{TICKS + RANDOM + PIECES}x}"


def quoted(text: str) -> str:
    r"""A text as a value in an expression: a"b -> "a\"b"."""
    return json.dumps(text, ensure_ascii=False)


def among(field: str, values: Sequence[str]) -> str:
    return f"{field} in [{', '.join(map(quoted, values))}]"


def fitting(rows: Sequence[Row], table: Table, source: str) -> Sequence[Row]:
    """The rows, if the table takes them. Raises BeyondStore: a title or a heading may be of any length."""
    for row in rows:
        for field, limit in table.texts.items():
            size = len(row[field].encode())
            if size > limit:
                raise BeyondStore(source=source, part=f"its {field}", bytes=size, limit=limit)
    return rows
