"""Opens a collection in an index folder, with its store and its encoder."""

from __future__ import annotations

from pathlib import Path

from index.embedding.encoder import encoder_of
from index.errors import CollectionNotFound, IndexNotFound
from index.search.searcher import Searcher
from index.storage.layout import CollectionLayout, Layout
from index.storage.store import Store
from index.types import Encoder


def open_collection(index: Path, collection: str, encoder: str | None) -> tuple[CollectionLayout, Store, Encoder]:
    """Raises IndexNotFound, CollectionNotFound, IndexVersion, IndexDamaged, EncoderMismatch or ModelError."""
    layout = Layout(index)
    if not layout.collections():
        raise IndexNotFound(path=index)
    if collection not in layout.collections():
        raise CollectionNotFound(collection=collection, existing=", ".join(layout.collections()))
    place = layout.collection(collection)
    store = Store(place.store)
    return place, store, encoder_of(layout, store.config, encoder)


def open_searcher(index: Path, collection: str = "default", encoder: str | None = None) -> Searcher:
    """A searcher on the current state. Rebuilds missing or damaged derived indexes. Raises as `open_collection`."""
    return Searcher.of(*open_collection(index, collection, encoder))
