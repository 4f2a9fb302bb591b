"""Both kinds of store, each with a running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from litestar.testing import TestClient

from index.backends import open_backend
from index.collections.addresses import Address
from index.collections.build import build
from index.collections.protocols import Backend
from index.embedding import models
from index.storage.layout import Layout
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.http.app import create_app
from service.reader.selection import open_reader
from service.settings import Settings

SEEDS = Path(__file__).parents[2] / "seeds"


class Served(NamedTuple):
    backend: Backend
    answering: Answering
    client: TestClient[Any]


@contextmanager
def served(folder: Path, exported: Path, store: Address | None) -> Iterator[Served]:
    """A service over a folder or a store, with seeds/ in its default collection."""
    encoder = Layout(folder).encoder(models.DEFAULT_SHA256)
    encoder.parent.mkdir(parents=True)
    encoder.symlink_to(exported)
    backend = open_backend(folder, store)
    with backend.build_writer() as writer:
        build(writer, [SEEDS])
    answering = Answering(Catalogue({"default": backend.open("default")}, backend), open_reader(None, folder))
    settings = Settings.from_env({"PINCITE_COMPACT_S": "3600"}, allow_anonymous_writes=True)
    with TestClient(create_app(answering, settings)) as client:
        yield Served(backend, answering, client)
