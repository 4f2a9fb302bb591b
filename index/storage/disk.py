"""Durable writes (fsync before rename), and errors for a full or read-only disk.

A file's contents survive a power loss after fsync of the file; its name survives after fsync of its folder.
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
BLOCK = 65536  # bytes; with less, SQLite cannot even open a store
RESERVE = 4_000_000  # bytes kept free for operations that need space only for a while, such as deleting


def refused_by_disk(error: OSError | sqlite3.OperationalError, path: Path) -> Exception:
    """StorageFull or StorageReadOnly if that is the cause of `error`; otherwise `error` itself."""
    if isinstance(error, sqlite3.OperationalError):
        code = error.sqlite_errorcode & 0xFF
        read_only = code in SQLITE_READ_ONLY
        full = code == sqlite3.SQLITE_FULL or (read_only and no_room(path))  # SQLite does not say why opening fails
    else:
        full, read_only = error.errno in FULL, error.errno in READ_ONLY
    if full:
        return StorageFull(path=path)
    return StorageReadOnly(path=path) if read_only else error


def system_error_in(error: Exception) -> Exception:
    """The OSError that a library reported only in the text of its message; otherwise `error` itself."""
    codes = [code for code in (*FULL, *READ_ONLY) if os.strerror(code) in str(error)]
    return OSError(codes[0], os.strerror(codes[0])) if codes else error


def no_room(path: Path) -> bool:
    return writable(path) and shutil.disk_usage(path).free < BLOCK


def require_room(path: Path, size: int) -> None:
    """Raise StorageFull unless `size` bytes and the reserve are free."""
    if shutil.disk_usage(path).free < size + RESERVE:
        raise StorageFull(path=path)


def writable(folder: Path) -> bool:
    """Whether this process has permission to write there. A full disk counts as writable."""
    return os.access(folder, os.W_OK)


def sync(path: Path) -> None:
    """Fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Fsync a folder and everything in it, but not the folder's own name."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def take_place(finished: Path, place: Path) -> None:
    """Move a finished, synced file or folder to its final path. Durable on return."""
    finished.replace(place)
    sync(place.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents. Durable on return."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
