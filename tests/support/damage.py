"""Damages files as disks do, and makes small collections to damage."""

from __future__ import annotations

from pathlib import Path
from random import Random

from index.collections.build import build
from index.collections.collection import Collection
from index.config import IndexConfig
from index.storage.layout import CollectionLayout, Layout
from index.storage.store import Store
from index.text.preparation import NO_METADATA
from tests.support.fakes import FakeEncoder

TEXTS = {f"{animal}.txt": f"The {animal} sleeps at night. By day it hunts." for animal in ("cat", "dog", "owl", "hen")}


def made(folder: Path, name: str = "default") -> Collection:
    """A collection of TEXTS with all derived files on disk."""
    collection = created(folder, name)
    for source, text in TEXTS.items():
        collection.writer.put(source, text.encode(), NO_METADATA, lambda _: None)
    collection.writer.delete(["hen.txt"])
    build(collection.writer, [])
    return collection


def created(folder: Path, name: str = "default") -> Collection:
    """An empty collection."""
    encoder = FakeEncoder()
    place = Layout(folder).collection(name)
    store = Store.create(place.store, IndexConfig("fake", encoder.sha256, encoder.dimension, budget=12), "test")
    return Collection(place, store, encoder)


def again(place: CollectionLayout) -> Collection:
    """The same collection, opened again as another process would."""
    return Collection(place, Store(place.store), FakeEncoder())


def found(collection: Collection, question: str) -> list[str]:
    return [hit.passage.text for hit in collection.searcher().search(question, 100)]


def flip(path: Path, random: Random) -> None:
    """Flip one bit."""
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    renewed(path, bytes(data))


def cut(path: Path, random: Random) -> None:
    """Truncate a file."""
    renewed(path, path.read_bytes()[: random.randrange(path.stat().st_size)])


def renewed(path: Path, data: bytes) -> None:
    """Replace a file instead of changing it: truncating a memory-mapped file would kill the process."""
    new = path.with_name(f"{path.name}.damaged")
    new.write_bytes(data)
    new.replace(path)
