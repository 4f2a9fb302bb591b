"""What a disk that takes nothing more says, in our words."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from index.errors import StorageFull, StorageReadOnly

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
SQLITE_READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)


def refused_by_disk(error: OSError | sqlite3.OperationalError, path: Path) -> Exception:
    """StorageFull or StorageReadOnly where `error` means that; else `error` itself."""
    if isinstance(error, sqlite3.OperationalError):
        code = error.sqlite_errorcode & 0xFF
        full, read_only = code == sqlite3.SQLITE_FULL, code in SQLITE_READ_ONLY
    else:
        full, read_only = error.errno in FULL, error.errno in READ_ONLY
    if full:
        return StorageFull(path=path)
    return StorageReadOnly(path=path) if read_only else error
