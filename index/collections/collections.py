"""Creates and drops the collections of an index."""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

from index.collections.writer import open_writer
from index.errors import (
    BadCollectionName,
    CollectionExists,
    CollectionNotFound,
    DefaultCollection,
    IndexLocked,
)
from index.storage.disk import make_folder, refused_by_disk, sync, take_place
from index.storage.layout import CollectionLayout, Layout

NAME = re.compile(r"[a-z0-9-]{1,64}")
DEFAULT = "default"  # always exists
DROPPED = ".dropped-"


def check_name(name: str) -> None:
    """Raise BadCollectionName for an invalid name: a collection is a folder, and must not lead out of the index."""
    if not NAME.fullmatch(name):
        raise BadCollectionName(collection=name)


def place_of(index: Path, name: str) -> CollectionLayout:
    """The folder of a collection. Raises CollectionNotFound, also for an invalid name."""
    layout = Layout(index)
    if not NAME.fullmatch(name) or not layout.collection(name).store.is_file():
        raise CollectionNotFound(collection=name, existing=", ".join(layout.collections()))
    return layout.collection(name)


def make(index: Path, name: str, encoder: str | None) -> None:
    """Create an empty collection. Raises BadCollectionName, CollectionExists or ModelError."""
    check_name(name)
    layout = Layout(index)
    place = layout.collection(name)
    try:
        make_folder(place.path)
        with FileLock(place.lock):
            if place.store.exists():
                raise CollectionExists(collection=name)
            open_writer(layout, place, encoder).close()
    except OSError as error:
        raise refused_by_disk(error, index) from error


def drop(index: Path, name: str) -> None:
    """Drop a collection atomically. Encoders are kept.

    Raises CollectionNotFound, DefaultCollection, or IndexLocked while a build is writing to it.
    """
    place = place_of(index, name)
    if name == DEFAULT:
        raise DefaultCollection(collection=name)
    try:
        with FileLock(place.lock, timeout=0), FileLock(place.change_lock):
            take_place(place.path, index / f"{DROPPED}{uuid.uuid4().hex}")
            sync(place.path.parent)
    except Timeout as error:
        raise IndexLocked(path=place.path) from error
    except OSError as error:
        raise refused_by_disk(error, index) from error
    sweep(index)


def sweep(index: Path) -> None:
    """Erase dropped collections, including those that a crash left."""
    for path in index.glob(f"{DROPPED}*"):
        shutil.rmtree(path, ignore_errors=True)
