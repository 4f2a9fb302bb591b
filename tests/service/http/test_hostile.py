"""Every hostile request gets its documented error, and the service answers the next request."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.support.commands import PINCITE, ROOT, ready_line
from tests.support.fuzzing import complaints
from tests.support.hostile import (
    BODY_BYTES,
    DOCUMENT_BYTES,
    GOOD,
    HEADER_BYTES,
    HEADERS,
    NOTHING,
    ROUTES,
    UNUSUAL_SOURCES,
    Case,
    cases,
)

CASES = cases()
PAUSE_S = 0.1  # between the parts of a request
PATIENCE_S = 20  # far more than any timeout of the service
LIMITS = {
    "PINCITE_HEADER_TIMEOUT": "1",
    "PINCITE_BODY_TIMEOUT": "1",
    "PINCITE_IDLE_TIMEOUT": "1",
    "PINCITE_MAX_HEADER_BYTES": str(HEADER_BYTES),
    "PINCITE_MAX_HEADERS": str(HEADERS),
    "PINCITE_MAX_DOCUMENT_BYTES": str(DOCUMENT_BYTES),
    "PINCITE_MAX_BODY_BYTES": str(BODY_BYTES),
    "PINCITE_MAX_UPLOADS": "2",
    "PINCITE_MAX_CONNECTIONS": "40",
}


class Service:
    """A running service under attack."""

    def __init__(self, address: str, index: Path) -> None:
        self.port = int(address.rpartition(":")[2])
        fresh = httpx.Limits(max_keepalive_connections=0)  # the service closes idle ones just when they are used again
        self.client = httpx.Client(base_url=address, timeout=PATIENCE_S, limits=fresh)
        self.index = index
        self.sources = self.listed()

    def listed(self) -> list[str]:
        return [document["source"] for document in self.client.get("/v1/documents").json()["documents"]]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def answers_a_good_question(self) -> bool:
        response = self.client.post("/v1/ask", content=GOOD, headers={"Content-Type": "application/json"})
        return response.status_code == 200 and "7:40" in response.json()["answers"][0]["text"]


@pytest.fixture(scope="module")
def service(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    index = tmp_path_factory.mktemp("attacked") / "index"
    shutil.copytree(index_folder, index, symlinks=True)
    command = [*PINCITE, "serve", "--index", str(index), "--port", "0"]
    log = index.parent.with_suffix(".log")
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | LIMITS | {"PINCITE_LOG_FORMAT": "json"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Service(ready_line(process), index)
        finally:
            process.terminate()
            status = process.wait(timeout=60)
    assert (status, complaints(log)) == (0, [])


def answer(service: Service, parts: tuple[bytes, ...]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the response; NOTHING if the connection is closed without one."""
    with service.connect() as connection:
        for number, part in enumerate(parts):
            if number:
                time.sleep(PAUSE_S)
            try:
                connection.sendall(part)
            except ConnectionError:
                break  # it has already responded
        response = HTTPResponse(connection)
        try:
            response.begin()
        except HTTPException:
            return NOTHING, {}, b""
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_bad_request_gets_its_answer_and_the_service_goes_on(service: Service, case: Case) -> None:
    status, headers, body = answer(service, case.parts)
    assert status == case.status, body[:300]
    if status >= 400 and headers["content-type"] == "application/problem+json":
        problem = json.loads(body)
        assert problem["status"] == status
        assert problem["instance"] == f"urn:uuid:{headers['x-request-id']}"
        assert case.kind is None or problem["type"] == f"urn:pincite:problem:{case.kind}"
        assert str(service.index.parent) not in body.decode()
        assert str(ROOT) not in body.decode()
    elif status >= 400:
        assert case.kind is None
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert headers["connection"] == "close"
    assert "server" not in headers
    assert service.answers_a_good_question()


def test_there_are_many_and_each_is_another() -> None:
    assert len(CASES) >= 500
    assert len({case.name for case in CASES}) == len({case.parts for case in CASES}) == len(CASES)


def test_nothing_was_changed_by_all_that(service: Service) -> None:
    assert service.listed() == service.sources
    assert [found.name for found in service.index.parent.iterdir()] == ["index"]
    assert subprocess.run([*PINCITE, "check", "--index", service.index], cwd=ROOT, check=False).returncode == 0


def test_a_collection_may_look_like_an_option(service: Service) -> None:
    path = "/v1/collections/--help"
    assert service.client.put(path, timeout=120).status_code == 201
    assert service.client.get(path).json()["name"] == "--help"
    assert service.client.delete(path).status_code == 204


def test_options_name_every_method_of_a_path(service: Service) -> None:
    for path, methods in ROUTES.items():
        response = service.client.options(path.decode())
        assert (response.status_code, response.headers["allow"]) == (
            204,
            ", ".join([*methods.decode().split(), "OPTIONS"]),
        )


@pytest.mark.parametrize("source", UNUSUAL_SOURCES.values(), ids=UNUSUAL_SOURCES)
def test_an_unusual_source_names_itself_and_nothing_else(service: Service, source: str) -> None:
    path = f"/v1/documents/{quote(source)}"
    before = service.listed()
    record = service.client.put(path, content=b"Evil is here.").json()
    assert record["source"] == source
    assert service.client.get(f"/v1/files/{quote(source)}").content == b"Evil is here."
    assert set(service.listed()) - set(before) == {source}
    assert service.client.delete(path).status_code == 204
    assert service.listed() == before
    assert [found.name for found in service.index.parent.iterdir()] == ["index"]
