"""Several collections in one index, created and dropped while in use."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from index.collections.collections import drop, sweep
from index.embedding.onnx_encoder import OnnxEncoder
from index.errors import CollectionNotFound
from index.text.preparation import NO_METADATA
from pincite import PROGRAM
from service.answering.answering import Answering
from service.http.app import create_app
from service.settings import Settings
from tests.support.damage import TEXTS, found, made


@pytest.fixture
def client(index_folder: Path, tmp_path: Path) -> Iterator[TestClient[Any]]:
    folder = tmp_path / "index"
    shutil.copytree(index_folder, folder, symlinks=True)
    answering = Answering.open(folder, program=PROGRAM)
    with TestClient(create_app(answering, Settings.from_env({}, allow_anonymous_writes=True))) as client:
        yield client


def test_a_collection_is_made_filled_and_dropped_over_http(client: TestClient[Any]) -> None:
    path = "/v1/collections/birds"
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404
    made = client.put(path)
    assert made.status_code == 201, made.text
    record = {"name": "birds", "documents": 0, "passages": 0, "encoder": "all-MiniLM-L6-v2"}
    assert made.json() == client.get(path).json() == record
    assert client.put(path, json={"encoder": "all-MiniLM-L6-v2"}).status_code == 200
    document = "/v1/documents/metals.md?collection=birds"
    assert client.put(document, content=b"The heron nests in the old quarry.").status_code == 201
    assert client.get(path).json()["documents"] == 1
    assert [each["name"] for each in client.get("/v1/collections").json()["collections"]] == ["birds", "default"]
    asked = {"query": "heron", "collection": "birds"}
    assert len(client.post("/v1/search", json=asked).json()["passages"]) == 1
    before = client.get("/v1/documents").json()
    assert client.delete(path).status_code == 204
    for refused in (client.get(document), client.post("/v1/search", json=asked), client.put(document, content=b"x")):
        assert (refused.status_code, refused.json()["type"]) == (404, "urn:pincite:problem:unknown-collection")
    assert client.get("/v1/documents").json() == before
    assert client.put(path).status_code == 201
    assert client.get(path).json()["documents"] == 0


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("PUT", "/v1/collections/Birds", b"", 422),
        ("PUT", "/v1/collections/" + "a" * 65, b"", 422),
        ("PUT", "/v1/collections/..", b"", 404),
        ("PUT", "/v1/collections/%2e%2e%2fx", b"", 404),
        ("GET", "/v1/collections/Birds", None, 404),
        ("DELETE", "/v1/collections/default", None, 409),
        ("PUT", "/v1/collections/birds", b'{"encoder": 3}', 400),
        ("PUT", "/v1/collections/birds", b'{"model": "x"}', 400),
        ("PUT", "/v1/collections/birds", b"{", 400),
        ("PUT", "/v1/collections/birds?x=1", b"", 400),
    ],
)
def test_what_cannot_be_done_is_refused(
    client: TestClient[Any], method: str, path: str, content: bytes | None, status: int
) -> None:
    response = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert [each["name"] for each in client.get("/v1/collections").json()["collections"]] == ["default"]


def test_another_encoder_for_a_collection_that_is_there_is_a_conflict(client: TestClient[Any], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_bytes(b"other weights")
    response = client.put("/v1/collections/default", json={"encoder": str(tmp_path / "model")})
    assert (response.status_code, response.json()["collection"]) == (409, "default")
    (tmp_path / "empty").mkdir()
    response = client.put("/v1/collections/birds", json={"encoder": str(tmp_path / "empty")})
    assert response.status_code == 422


def test_a_writer_of_a_dropped_collection_touches_nothing(tmp_path: Path) -> None:
    old, other = made(tmp_path, "birds"), made(tmp_path, "other")
    with old.writer.changing():
        waiting = []

        def put() -> None:
            try:
                old.writer.put("new.txt", b"Late.", NO_METADATA, lambda _: None)
            except CollectionNotFound as error:
                waiting.append(error)

        writing = threading.Thread(target=put)
        writing.start()
        (tmp_path / "collections/birds").rename(tmp_path / ".dropped-1")
        with ThreadPoolExecutor(1) as another:  # this thread already holds the lock of that path
            new = another.submit(made, tmp_path, "birds").result()
    writing.join()
    assert len(waiting) == 1
    assert not old.current
    with pytest.raises(CollectionNotFound):
        old.writer.delete(["cat.txt"])
    for collection in (new, other):
        assert len(found(collection, "cat dog owl late")) == len(TEXTS) - 1
    assert len(found(old, "cat dog owl late")) == len(TEXTS) - 1  # questions in flight finish on their own version
    sweep(tmp_path)
    drop(tmp_path, "birds")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collections"]
    assert len(found(other, "cat dog owl")) == len(TEXTS) - 1


def test_collections_with_the_same_encoder_share_one_session(index_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(index_folder, folder, symlinks=True)
    answering = Answering.open(folder, program=PROGRAM)
    assert answering.make_collection("birds", None)
    first, second = (answering.searcher(name).encoder for name in ("default", "birds"))
    assert isinstance(first, OnnxEncoder)
    assert isinstance(second, OnnxEncoder)
    assert first.session is second.session
    with ThreadPoolExecutor(2) as pool:
        vectors = list(pool.map(lambda encoder: encoder.encode(["Owls hunt at night."]), [first, second] * 4))
    assert all((each == vectors[0]).all() for each in vectors)
    answering.close()
