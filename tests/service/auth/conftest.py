"""An index with two collections, its keys, and a client of its service."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from index.storage.layout import Layout
from pincite import run
from service.answering.answering import Answering
from service.auth.keys import Keyring
from service.http.app import create_app
from service.settings import Settings


@pytest.fixture(scope="module")
def whole(index_folder: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index with two collections of the same documents."""
    folder = tmp_path_factory.mktemp("keys") / "index"
    shutil.copytree(index_folder, folder, symlinks=True)
    assert run(["build", str(documents), "--index", str(folder), "--collection", "other"]) == 0
    return folder


@pytest.fixture
def index(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "index", symlinks=True))


@pytest.fixture
def ring(index: Path) -> Keyring:
    return Keyring(Layout(index).keys)


@pytest.fixture
def client(index: Path) -> Iterator[TestClient[Any]]:
    with TestClient(create_app(Answering.open(index), Settings.from_env({}))) as client:
        yield client
