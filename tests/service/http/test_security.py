"""Without keys, the service answers requests from its own machine only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.errors import OpenToOthers
from service.http.app import create_app
from service.http.security import foreign, is_loopback
from service.server.serving import check_address
from service.settings import Settings


@pytest.fixture(scope="module")
def client(index_folder: Path) -> Iterator[TestClient[Any]]:
    with TestClient(create_app(Answering.open(index_folder), Settings.from_env({}))) as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:65535"])
def test_this_machine_may_ask(client: TestClient[Any], host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200
    assert client.get("/health", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "127.0.0.1@example.com",
        "192.168.1.2",
        "0.0.0.0",  # noqa: S104
        "[::]",
        "",
        "2130706433",
    ],
)
@pytest.mark.parametrize("path", ["/health", "/v1/documents", "/schema", "/nowhere"])
def test_a_foreign_host_is_refused_everywhere(client: TestClient[Any], host: str, path: str) -> None:
    response = client.get(path, headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["type"] == "urn:pincite:problem:foreign-host"
    assert response.headers["x-request-id"] in response.json()["instance"]


@pytest.mark.parametrize(
    "origin", ["https://example.com", "null", "http://localhost.example.com", "file://", "localhost"]
)
def test_a_page_of_another_site_is_refused(client: TestClient[Any], origin: str) -> None:
    headers = {"Host": "localhost:8000", "Origin": origin}
    response = client.post("/v1/ask", json={"question": "Who?"}, headers=headers)
    assert response.status_code == 403
    assert response.json()["type"] == "urn:pincite:problem:foreign-origin"


def test_two_hosts_or_none_are_refused() -> None:
    assert foreign(["localhost", "localhost"], [])
    assert foreign([], [])
    assert foreign(["localhost"], []) is None


def test_with_allow_anonymous_any_host_may_ask(index_folder: Path) -> None:
    with TestClient(create_app(Answering.open(index_folder), Settings.from_env({}, allow_anonymous=True))) as client:
        headers = {"Host": "pincite.example.com", "Origin": "https://example.com"}
        assert client.get("/health", headers=headers).status_code == 200


def test_only_loopback_is_served_without_allow_anonymous() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.com", ""):  # noqa: S104
        with pytest.raises(OpenToOthers):
            check_address(host, allow_anonymous=False)
        check_address(host, allow_anonymous=True)
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert is_loopback(host)
        check_address(host, allow_anonymous=False)


@pytest.mark.parametrize("path", ["/health", "/schema", "/nowhere", "/schema/page/start.js", "/v1/files/metals.md"])
def test_every_response_carries_the_security_headers(client: TestClient[Any], path: str) -> None:
    headers = client.get(path, headers={"Host": "localhost"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_a_request_id_from_outside_is_not_used(client: TestClient[Any]) -> None:
    given = "11111111-1111-4111-8111-111111111111"
    headers = {"Host": "localhost", "X-Request-Id": given}
    seen = {client.get("/health", headers=headers).headers["x-request-id"] for _ in range(3)}
    assert len(seen) == 3
    assert given not in seen
