"""Saves what is readable of a damaged store: the original files of its documents."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from index.errors import BadSource
from index.text.sources import check_source


def salvage(store: Path, folder: Path) -> tuple[list[str], int]:
    """Write every intact live document into `folder`, under its source.

    Returns the saved sources and the number of documents that could not be saved. Documents whose rows are lost are not
    counted.
    """
    saved, lost = [], 0
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for number in range(1, last_number(connection) + 1):
            try:
                row = connection.execute(
                    "SELECT source, sha256, file FROM document LEFT JOIN content ON document = number "
                    "WHERE number = ? AND removed IS NULL",
                    (number,),
                ).fetchone()
            except sqlite3.DatabaseError:
                lost += 1
                continue
            if row is None:
                continue
            if write(folder, *row):
                saved.append(row[0])
            else:
                lost += 1
    return saved, lost


def last_number(connection: sqlite3.Connection) -> int:
    for query in ("SELECT seq FROM sqlite_sequence WHERE name = 'document'", "SELECT max(number) FROM document"):
        with suppress(sqlite3.DatabaseError, TypeError):
            return int(connection.execute(query).fetchone()[0])
    return 0


def write(folder: Path, source: object, sha256: object, file: object) -> bool:
    """Write the file if it matches its hash and its name stays inside the folder; return whether it did."""
    if not isinstance(source, str) or not isinstance(file, bytes) or hashlib.sha256(file).hexdigest() != sha256:
        return False
    with suppress(BadSource, OSError):
        check_source(source)
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file)
        return True
    return False
