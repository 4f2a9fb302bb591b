"""Putting and deleting documents over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.http.app import create_app
from service.settings import Settings


@pytest.fixture(scope="module")
def client(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Any]]:
    folder = tmp_path_factory.mktemp("written") / "index"
    shutil.copytree(index_folder, folder, symlinks=True)
    with TestClient(create_app(Answering.open(folder), Settings.from_env({}, allow_anonymous_writes=True))) as client:
        yield client


def sources_found(client: TestClient[Any], query: str) -> list[str]:
    passages = client.post("/v1/search", json={"query": query, "top_k": 3}).json()["passages"]
    return [passage["source"] for passage in passages]


def test_a_document_that_was_put_is_found_and_one_that_was_deleted_is_not(client: TestClient[Any]) -> None:
    body = b"The heron nests in the old quarry."
    added = client.put("/v1/documents/birds/heron.txt?title=Herons&url=http://a.example/&date=2026-01-01", content=body)
    assert added.status_code == 201
    record = added.json()
    assert (record["title"], record["url"], record["date"]) == ("Herons", "http://a.example/", "2026-01-01")
    assert added.headers["etag"] == f'"{sha256(body).hexdigest()}"'
    assert client.get("/v1/documents/birds/heron.txt").json() == record
    assert sources_found(client, "Where does the heron nest?")[0] == "birds/heron.txt"
    replaced = client.put("/v1/documents/birds/heron.txt", content=b"The heron moved to the mill pond.")
    assert replaced.status_code == 200
    old = client.get(f"/v1/files/birds/heron.txt?sha256={record['sha256']}")
    assert (old.status_code, old.content) == (200, body)
    assert client.delete("/v1/documents/birds/heron.txt").status_code == 204
    assert "birds/heron.txt" not in sources_found(client, "Where does the heron nest?")
    assert client.get(f"/v1/files/birds/heron.txt?sha256={record['sha256']}").status_code == 410
    assert client.get("/v1/files/birds/heron.txt").status_code == 404
    assert client.delete("/v1/documents/birds/heron.txt").status_code == 404


def test_a_document_is_changed_only_as_expected(client: TestClient[Any]) -> None:
    path = "/v1/documents/guarded.txt"
    assert client.put(path, content=b"One.", headers={"If-Match": "*"}).status_code == 412
    etag = client.put(path, content=b"One.", headers={"If-None-Match": "*"}).headers["etag"]
    refused = client.put(path, content=b"Two.", headers={"If-None-Match": "*"})
    assert (refused.status_code, refused.json()["present"]) == (412, etag.strip('"'))
    assert client.put(path, content=b"Two.", headers={"If-Match": '"other"'}).status_code == 412
    assert client.put(path, content=b"Two.", headers={"If-Match": etag}).status_code == 200
    assert client.delete(path, headers={"If-Match": etag}).status_code == 412
    assert client.delete(path).status_code == 204


def test_a_guessed_encoding_is_in_the_record_and_in_citations_until_it_is_given(client: TestClient[Any]) -> None:
    text = "Zażółć gęślą jaźń, powiedział stary żółw. Źródło bije pod dębem, a ścieżka prowadzi w górę. " * 4
    path, file = "/v1/documents/old.txt", text.encode("cp1250")
    assert client.put(path, content=file).json()["encoding_guessed"]
    assert client.get(path).json()["encoding_guessed"]
    question = {"question": "Gdzie bije źródło?", "sources": ["old.txt"], "min_confidence": 0}
    assert client.post("/v1/ask", json=question).json()["answers"][0]["citations"][0]["encoding_guessed"]
    assert not client.put(path, content=file, params={"encoding": "cp1250"}).json()["encoding_guessed"]
    assert not client.post("/v1/ask", json=question).json()["answers"][0]["citations"][0]["encoding_guessed"]
    assert client.delete(path).status_code == 204


def test_a_short_text_in_an_old_encoding_is_refused_with_the_candidates_and_the_way_out(
    client: TestClient[Any],
) -> None:
    path, file = "/v1/documents/short.txt", "Ä Straße".encode("cp1252")
    problem = client.put(path, content=file)
    assert problem.status_code == 422
    assert problem.json()["candidates"]
    assert "?encoding=" in problem.json()["detail"]
    response = client.put(path, content=file, params={"encoding": "windows-1252"})
    assert (response.status_code, response.json()["encoding"]) == (201, "cp1252")
    assert client.delete(path).status_code == 204


def test_the_charset_of_the_header_wins(client: TestClient[Any]) -> None:
    text = "Zoë lives in Łódź."
    headers = {"Content-Type": "text/plain; charset=iso-8859-2"}
    response = client.put("/v1/documents/latin.txt", content=text.encode("iso-8859-2"), headers=headers)
    assert response.json()["encoding"] == "iso-8859-2"
    assert client.get("/v1/texts/latin.txt").json()["text"] == text


@pytest.mark.parametrize(
    ("path", "content", "headers", "status"),
    [
        ("a.txt", bytes(range(256)), {}, 415),
        ("a.pdf", b"%PDF-1.7", {}, 422),
        ("a.txt", b"x", {"Content-Type": "text/plain; charset=iso-2022-jp"}, 415),
        ("a.txt", b"x", {"Content-Type": "image/png"}, 415),
        ("a.txt", b"x", {"Content-Encoding": "gzip"}, 415),
        ("a.txt", b"\xff\xff", {"Content-Type": "text/plain; charset=utf-8"}, 422),
        ("a/%2e%2e/b.txt", b"x", {}, 422),
        ("a%00.txt", b"x", {}, 422),
        ("x" * 2000, b"x", {}, 422),
        ("a.txt?collection=none", b"x", {}, 404),
        ("a.txt?tilte=x", b"x", {}, 400),
    ],
)
def test_what_cannot_be_taken_is_refused(
    client: TestClient[Any], path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    response = client.put(f"/v1/documents/{path}", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
