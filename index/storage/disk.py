"""The disk: what stays on it after a loss of power, and what one that takes nothing more says, in our words.

What is written is on the disk once it is synced, and a name is there once its folder is.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

from index.errors import StorageFull, StorageReadOnly

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
SQLITE_READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
BLOCK = 65536  # bytes; SQLite cannot even open a store with less
RESERVE = 4_000_000  # bytes that stay free for what takes no room in the end, such as deleting


def refused_by_disk(error: OSError | sqlite3.OperationalError, path: Path) -> Exception:
    """StorageFull or StorageReadOnly where `error` means that; else `error` itself."""
    if isinstance(error, sqlite3.OperationalError):
        code = error.sqlite_errorcode & 0xFF
        read_only = code in SQLITE_READ_ONLY
        full = code == sqlite3.SQLITE_FULL or (read_only and no_room(path))  # SQLite does not tell why it cannot open
    else:
        full, read_only = error.errno in FULL, error.errno in READ_ONLY
    if full:
        return StorageFull(path=path)
    return StorageReadOnly(path=path) if read_only else error


def told_in(error: Exception) -> Exception:
    """The error of the system that a library has only put into its message; else `error` itself."""
    codes = [code for code in (*FULL, *READ_ONLY) if os.strerror(code) in str(error)]
    return OSError(codes[0], os.strerror(codes[0])) if codes else error


def no_room(path: Path) -> bool:
    return writable(path) and shutil.disk_usage(path).free < BLOCK


def require_room(path: Path, size: int) -> None:
    """Raise StorageFull unless so many bytes can be written, and some more."""
    if shutil.disk_usage(path).free < size + RESERVE:
        raise StorageFull(path=path)


def writable(folder: Path) -> bool:
    """Whether the system lets this process write there; a full disk does."""
    return os.access(folder, os.W_OK)


def sync(path: Path) -> None:
    """Have the contents of a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Have a folder with everything in it on the disk, but for its own name."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def take_place(made: Path, place: Path) -> None:
    """Put a file or a folder, complete and synced, where it belongs; on the disk on return."""
    made.replace(place)
    sync(place.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, on the disk on return."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
