"""Backs up an index while it is in use, and restores it. Derived indexes are not copied but rebuilt."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp

from index.errors import AlreadyThere, BackupDamaged, IndexNotFound
from index.maintenance.checking import Checked, Progress, check
from index.storage.disk import make_folder, refused_by_disk, sync_all, take_place
from index.storage.layout import Layout
from index.storage.store import Store, connected


def backup(index: Path, target: Path, progress: Progress = lambda *_: None) -> list[str]:
    """Copy all collections and encoders to the folder `target`, which appears complete or not at all.

    Each collection is copied as a snapshot of one change. Returns the names of the collections. Raises IndexNotFound,
    AlreadyThere, StorageFull, StorageReadOnly or IndexDamaged.
    """
    source = Layout(index)
    names = source.collections()
    if not names:
        raise IndexNotFound(path=index)
    with made_whole(target) as making:
        copied = Layout(making)
        for done, name in enumerate(names):
            progress("collections", done, len(names))
            place = source.collection(name)
            with closing(Store(place.store)) as store:
                copy_store(place.store, copied.collection(name).store)
                copy_encoder(source, copied, store.config.encoder_sha256)
        progress("collections", len(names), len(names))
    return names


def restore(saved: Path, index: Path, progress: Progress = lambda *_: None) -> list[Checked]:
    """Restore the folder `index` from a backup: check it, then rebuild the derived indexes. All or nothing.

    Raises IndexNotFound, AlreadyThere, BackupDamaged, StorageFull or StorageReadOnly.
    """
    if not Layout(saved).collections():
        raise IndexNotFound(path=saved)
    with made_whole(index) as making:
        shutil.copytree(saved, making, dirs_exist_ok=True)
        checked = check(making, repair=True, progress=progress)
        for each in checked:
            if each.findings:
                first = each.findings[0]
                raise BackupDamaged(path=saved, reason=f"{first.where} in {each.collection}: {first.what}")
    return checked


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A temporary folder to fill. On success it is synced and renamed to `target`; on failure it is removed."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyThere(path=target)
    try:
        make_folder(target.parent)
        making = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise refused_by_disk(error, target) from error
    try:
        yield making
        making.chmod(0o755)
        sync_all(making)
        take_place(making, target)
    except (OSError, sqlite3.OperationalError) as error:
        raise refused_by_disk(error, target) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def copy_store(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    with closing(connected(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)  # one step: a consistent snapshot, and writers do not wait


def copy_encoder(source: Layout, target: Layout, sha256: str) -> None:
    folder, copy = source.encoder(sha256), target.encoder(sha256)
    if folder.exists() and not copy.exists():
        shutil.copytree(folder, copy)
