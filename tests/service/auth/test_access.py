"""What a caller may do: with and without keys, by scope, origin and rate."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from litestar import get
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from index.storage.layout import Layout
from service.answering.answering import Answering
from service.auth.callers import scope_of
from service.auth.keys import READ_ONLY, SCOPES, Keyring, Scope
from service.errors import BadSetting
from service.http.access_log import Access
from service.http.app import create_app
from service.limits import Rate
from service.origins import origin_of
from service.settings import Settings
from tests.support.access import LOCAL, PAGE, SOON, bearer, opened, seen_from
from tests.support.commands import pincite, serving


def test_the_first_key_closes_the_service_and_nothing_opens_it_again(
    client: TestClient[Any], index: Path, ring: Keyring
) -> None:
    assert client.get("/v1/documents", headers=LOCAL).status_code == 200
    text, key = ring.make(["read"])
    assert client.get("/v1/documents", headers=LOCAL).status_code == 401
    elsewhere = {"Host": "pincite.example"}  # a key may come from anywhere
    assert client.get("/v1/documents", headers=bearer(text) | elsewhere).status_code == 200
    ring.revoke(key.id)
    assert client.get("/v1/documents", headers=bearer(text)).status_code == 401
    assert client.get("/v1/documents", headers=LOCAL).status_code == 401
    Layout(index).keys.unlink()
    assert client.get("/v1/documents", headers=LOCAL).status_code == 401


def test_without_keys_only_this_machine_is_answered_whatever_its_headers_say(index: Path) -> None:
    app = create_app(Answering.open(index), Settings.from_env({}))
    for address, status in (("192.0.2.7", 403), ("2001:db8::7", 403), ("127.0.0.1", 200), ("::1", 200)):
        result = TestClient(seen_from(app, address)).get("/health", headers=LOCAL)
        assert result.status_code == status
        if status == 403:
            assert result.json()["type"] == "urn:pincite:problem:foreign-address"


def test_without_keys_and_with_allow_anonymous_all_may_ask_and_read_and_nobody_writes(
    index: Path, ring: Keyring
) -> None:
    writes = [
        ("PUT", "/v1/documents/new.txt"),
        ("DELETE", "/v1/documents/metals.md"),
        ("PUT", "/v1/collections/new"),
        ("DELETE", "/v1/collections/new"),
    ]
    with opened(index, allow_anonymous=True) as client:
        assert client.post("/v1/ask", json={"question": "When does the ferry leave?"}).status_code == 200
        assert client.get("/v1/files/metals.md").status_code == 200
        for headers in ({}, LOCAL, bearer("x")):
            for method, path in writes:
                response = client.request(method, path, headers=headers)
                assert (response.status_code, response.json()["type"]) == (403, "urn:pincite:problem:scope-missing")
        text, _ = ring.make(["write"])
        assert client.put("/v1/documents/new.txt", content=b"New.", headers=bearer(text)).status_code == 201
        assert client.put("/v1/documents/new.txt", content=b"Newer.").status_code == 403


def test_anonymous_callers_write_only_where_that_is_said_explicitly(index: Path, ring: Keyring) -> None:
    with opened(index, allow_anonymous_writes=True) as client:
        assert client.put("/v1/documents/new.txt", content=b"New.").status_code == 201
        ring.make(["ask"])
        assert client.delete("/v1/documents/new.txt").status_code == 204
        assert client.put("/v1/documents/new.txt", content=b"New.", headers=bearer("x")).status_code == 401


def test_after_the_last_key_is_revoked_the_commands_name_the_way_back_and_it_works(
    client: TestClient[Any], index: Path, ring: Keyring
) -> None:
    _, key = ring.make(["admin"])
    revoked = pincite("keys", "revoke", key.id, "--index", index)
    assert (revoked.returncode, revoked.stdout) == (0, f"Revoked: {key.id}\n")
    command = "pincite keys make --scope admin"
    assert command in revoked.stderr
    assert command in pincite("keys", "--help").stdout
    with serving("--index", index) as (process, _):
        assert process.stdout
        assert command in process.stdout.readline()
    assert client.get("/v1/documents", headers=LOCAL).status_code == 401
    made = pincite(*command.split()[1:], "--index", index)
    assert client.put("/v1/documents/new.txt", content=b"New.", headers=bearer(made.stdout.strip())).status_code == 201


def test_with_keys_and_allow_anonymous_all_may_ask_and_read_and_only_keys_write(index: Path, ring: Keyring) -> None:
    text, _ = ring.make(["write"])
    with opened(index, allow_anonymous=True) as client:
        assert client.post("/v1/ask", json={"question": "When does the ferry leave?"}).status_code == 200
        assert client.get("/v1/files/metals.md").status_code == 200
        for headers, status in (({}, 403), (bearer("x"), 401), (bearer(text), 201)):
            assert client.put("/v1/documents/new.txt", content=b"New.", headers=headers).status_code == status
        assert client.get("/v1/files/metals.md", headers=bearer("x")).status_code == 401
        assert client.put("/v1/collections/new").status_code == 403


# A request of each kind on a collection, and the scope that it requires.
CALLS: list[tuple[Scope, str, str, dict[str, object] | None]] = [
    ("ask", "POST", "/v1/ask", {"question": "When does the ferry leave?"}),
    ("ask", "POST", "/v1/ask/batch", {"questions": ["When does the ferry leave?"]}),
    ("ask", "POST", "/v1/search", {"query": "ferry"}),
    ("ask", "POST", "/v1/context", {"question": "ferry", "max_tokens": 100}),
    ("read", "POST", "/v1/citations/verify", {"citations": []}),
    ("read", "GET", "/v1/documents", None),
    ("read", "GET", "/v1/documents/metals.md", None),
    ("read", "GET", "/v1/files/metals.md", None),
    ("read", "HEAD", "/v1/files/metals.md", None),
    ("read", "GET", "/v1/texts/metals.md", None),
    ("read", "GET", "/v1/collections/NAME", None),
    ("write", "DELETE", "/v1/documents/nothing", None),
    ("admin", "PUT", "/v1/collections/NAME", None),
]
SETS: list[tuple[Scope, ...]] = [
    ("ask",),
    ("read",),
    ("write",),
    ("admin",),
    ("ask", "read"),
    ("read", "write"),
    SCOPES,
]


def test_a_key_opens_what_its_scopes_and_collections_say_and_nothing_else(
    client: TestClient[Any], ring: Keyring
) -> None:
    for scopes, collections in product(SETS, ((), ("default",), ("other",), ("default", "other"))):
        text, _ = ring.make(scopes, collections=collections)
        for (scope, method, path, body), name in product(CALLS, ("default", "other")):
            response = client.request(
                method,
                path.replace("NAME", name),
                json=None if body is None else body | {"collection": name},
                params={} if body is not None or "NAME" in path else {"collection": name},
                headers=bearer(text),
            )
            may = (scope in scopes or "admin" in scopes) and (not collections or name in collections)
            allowed = 404 if method == "DELETE" else 200
            assert response.status_code == (allowed if may else 403), (
                scopes,
                collections,
                scope,
                path,
                name,
                response.text,
            )
            assert (
                may
                or "scope=" in response.headers["www-authenticate"]
                or "collection" in response.text
                or method == "HEAD"
            )


def test_collections_are_listed_to_those_who_may_use_them(client: TestClient[Any], ring: Keyring) -> None:
    for collections, names in (((), ["default", "other"]), (("other",), ["other"]), (("gone",), [])):
        text, _ = ring.make(["read"], collections=collections)
        body = client.get("/v1/collections", headers=bearer(text)).json()
        assert [each["name"] for each in body["collections"]] == names
        ready = client.get("/ready", headers=bearer(text)).json()
        assert [each["name"] for each in ready["collections"]] == names
    assert client.get("/ready").json()["collections"] == []
    text, _ = ring.make(["read"], collections=["gone"])
    body = client.get("/v1/documents?collection=gone", headers=bearer(text))
    assert body.status_code == 404
    assert "other" not in body.text


def test_every_route_names_its_scope_and_one_that_does_not_is_for_admins(index: Path) -> None:
    app = create_app(Answering.open(index), Settings.from_env({}))
    assert isinstance(app, Access)
    open_to_all = set()
    for route in app.routes.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if handler.http_methods == {"OPTIONS"}:
                continue
            scope = scope_of(handler, route.path)
            if scope is None:
                open_to_all.add(route.path.split("/")[1])
            else:
                assert handler.opt["scope"] == scope, route.path
    assert open_to_all == {"", "embed", "embed.js", "examples", "health", "page", "ready", "schema"}
    assert scope_of(get("/v1/new", sync_to_thread=False)(lambda: None), "/v1/new") == "admin"


def test_pages_of_listed_origins_and_of_live_tokens_may_ask_and_no_others(index: Path, ring: Keyring) -> None:
    listed, registered = "https://listed.example", "https://registered.example"
    ring.make(["ask"])
    _, token = ring.make(READ_ONLY, origin=registered, expires=SOON)
    ring.make(READ_ONLY, origin=PAGE, expires=SOON)
    with opened(index, cors_origins=[listed]) as client:
        for origin in (listed, PAGE, registered):
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-new"}
            response = client.options("/v1/ask", headers={"Origin": origin, **asked})
            assert response.status_code == 204
            assert response.headers["access-control-allow-origin"] == origin
            assert "authorization" in response.headers["access-control-allow-headers"].lower()
            assert "POST" in response.headers["access-control-allow-methods"]
            response = client.get("/v1/documents", headers={"Origin": origin})  # the page may read the reason
            assert response.status_code == 401
            assert response.headers["access-control-allow-origin"] == origin
            exposed = response.headers["access-control-expose-headers"]
            assert {"ETag", "Content-Range", "Retry-After", "X-Request-Id", "X-Page-Size", "X-Page-Count"} == set(
                exposed.split(", ")
            )
            assert "access-control-allow-credentials" not in response.headers
        ring.revoke(token.id)
        for origin in (registered, "https://evil.example", "null"):
            response = client.options("/v1/ask", headers={"Origin": origin, **asked})
            assert (response.status_code, response.json()["type"]) == (403, "urn:pincite:problem:origin-not-listed")
            assert "access-control-allow-origin" not in client.get("/health", headers={"Origin": origin}).headers
        for path in ("/health", "/v1/documents", "/nowhere", "/schema"):
            assert client.get(path).headers["vary"] == "Origin"


def test_a_listed_page_may_ask_a_service_without_keys(index: Path) -> None:
    with opened(index, cors_origins=["https://listed.example"]) as client:
        for origin, status in (("https://listed.example", 200), ("https://other.example", 403)):
            assert client.get("/v1/documents", headers=LOCAL | {"Origin": origin}).status_code == status


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Example.com/", "https://example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://a.b:443", "https://a.b"),
        ("http://a.b:443", "http://a.b:443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(text: str, origin: str) -> None:
    assert origin_of(text, "--origin") == origin == origin_of(origin, "--origin")


@pytest.mark.parametrize(
    "text",
    ["*", "https://*", "https://*.a.b", "null", "", "a.b", "https://", "ftp://a.b", "https://a.b/c", "https://a@b.c",
     "https://a.b:0", "https://a.b:65536", "https://a.b?c", "https://a.b https://c.d", "https://ä.b", "https://a..b",
     "https://a.b\n"],
)  # fmt: skip
def test_what_is_not_one_origin_is_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        origin_of(text, "--origin")


def test_requests_of_a_key_are_limited_wherever_they_come_from(index: Path, ring: Keyring) -> None:
    (first, _), (second, _) = ring.make(["read"]), ring.make(["read"])
    with opened(index, rate_limit="3/hour") as client:
        for key in (first, second):
            for _ in range(3):
                assert client.get("/v1/documents", headers=bearer(key)).status_code == 200
            response = client.get("/v1/documents", headers=bearer(key) | {"X-Forwarded-For": "192.0.2.1"})
            assert (response.status_code, response.json()["type"]) == (429, "urn:pincite:problem:too-many-requests")
            assert 3500 < int(response.headers["retry-after"]) <= 3600
            assert response.json()["retry_after"] == int(response.headers["retry-after"])
        assert client.get("/health").status_code == 200
        for _ in range(5):
            assert client.get("/v1/documents").status_code == 401


def test_requests_without_a_key_of_their_own_are_limited_by_address(index: Path, ring: Keyring) -> None:
    key, _ = ring.make(["read"])
    token, _ = ring.make(READ_ONLY, origin=PAGE)
    app = create_app(Answering.open(index), Settings.from_env({}, address_limit="3/hour"))
    page = bearer(token) | {"Origin": PAGE}

    def answers(address: str, *sent: dict[str, str]) -> list[int]:
        client = TestClient(seen_from(app, address))
        return [client.get("/v1/documents", headers=headers).status_code for headers in sent]

    with TestClient(app):
        assert answers("192.0.2.1", {}, bearer("x"), bearer(key[:-1]), bearer(key[:-2])) == [401, 401, 401, 429]
        assert answers("192.0.2.1", {"X-Forwarded-For": "192.0.2.9"}, page, bearer(key)) == [429, 429, 200]
        assert answers("192.0.2.2", page, page, page, page) == [200, 200, 200, 429]
        assert answers("2001:db8:0:1::1", {}, {}) == [401, 401]
        assert answers("2001:db8:0:1:ffff::2", {}, {}) == [401, 429]  # of one subscriber
        assert answers("2001:db8:0:2::1", {}) == [401]
        assert answers("::ffff:192.0.2.2", {}) == [429]


def test_a_rate_is_a_number_in_a_unit() -> None:
    assert Rate.read("60/minute", "--rate-limit") == Rate(60, "minute")
    for text in ("", "60", "0/minute", "-1/minute", "60/fortnight", "1.5/hour", "60 / minute", "60/minute\n", "٣/hour"):
        with pytest.raises(BadSetting):
            Rate.read(text, "--rate-limit")


def test_the_document_says_that_keys_are_bearer_tokens(client: TestClient[Any]) -> None:
    description = client.get("/schema/openapi.json", headers=LOCAL).json()
    assert description["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    assert {"401", "403", "429", "503"} <= description["paths"]["/v1/ask"]["post"]["responses"].keys()
    assert "401" not in description["paths"]["/health"]["get"]["responses"]
