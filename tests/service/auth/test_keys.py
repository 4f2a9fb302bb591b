"""Keys: created, stored, found and revoked; what each permits."""

from __future__ import annotations

import hmac
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, TypedDict, Unpack

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import get
from litestar.routes import HTTPRoute
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as Connection

from eval.errors import ServiceRefused
from eval.runs.target import OverHttp
from index.storage.layout import Layout
from pincite import run
from service.answering.answering import Answering
from service.auth.callers import scope_of
from service.auth.keys import READ_ONLY, SCOPES, Keyring, Scope
from service.cli.keys import ending
from service.errors import BadSetting, KeyExpired, KeyNotFound, KeysUnusable, KeyUnknown
from service.http.access_log import Access
from service.http.app import create_app
from service.limits import Rate
from service.origins import origin_of
from service.schema import AskRequest
from service.settings import Settings
from tests.support.commands import ROOT, pincite, serving
from tests.support.evaluating import evaluate, small_set

PAST = datetime.now(UTC) - timedelta(seconds=1)
SOON = datetime.now(UTC) + timedelta(hours=1)
PAGE = "https://page.example"
JSON = {"Content-Type": "application/json"}
LOCAL = {"Host": "localhost"}


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


def opened(index: Path, **options: Unpack[Options]) -> TestClient[Any]:
    return TestClient(create_app(Answering.open(index), Settings.from_env({}, **options)))


class Options(TypedDict, total=False):
    allow_anonymous: bool
    allow_anonymous_writes: bool
    cors_origins: Sequence[str]
    rate_limit: str
    address_limit: str


def seen_from(app: ASGIApp, address: str) -> ASGIApp:
    """The app as seen from a client address."""

    async def asked(scope: Connection, receive: Receive, send: Send) -> None:
        scope["client"] = (address, 5000)
        await app(scope, receive, send)

    return asked


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_found_by_its_text_and_kept_as_a_hash(ring: Keyring) -> None:
    text, key = ring.make(["write", "ask"], collections=["other", "default", "other"], name="mine", expires=SOON)
    assert ring.find(text) == key
    assert (key.scopes, key.collections, key.name, key.expires) == (
        ("ask", "write"),
        ("default", "other"),
        "mine",
        SOON,
    )
    assert ring.path
    kept = ring.path.read_text()
    assert text not in kept
    assert text.split("_", 2)[2] not in kept
    assert key.hash in kept
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600


def test_no_two_keys_are_alike(ring: Keyring) -> None:
    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(lambda _: ring.make(["ask"])[0], range(40)))
    assert len(set(texts)) == 40
    assert {key.id for key in ring.listed()} == {text[8:24] for text in texts}


@given(st.text() | st.from_regex(r"pincite_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_what_is_no_key_is_never_one(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    ring = Keyring(tmp_path_factory.getbasetemp() / "ring" / "keys.json")
    if not ring.configured:
        ring.make(["admin"])
    with pytest.raises(KeyUnknown):
        ring.find(text)


@given(st.integers(0, 67), st.characters(codec="ascii"))
def test_a_key_with_another_character_is_none(tmp_path_factory: pytest.TempPathFactory, place: int, other: str) -> None:
    ring = Keyring(tmp_path_factory.getbasetemp() / "another" / "keys.json")
    text, key = ring.make(["admin"])
    changed = text[:place] + other + text[place + 1 :]
    if changed == text:
        assert ring.find(changed) == key
    else:
        with pytest.raises(KeyUnknown):
            ring.find(changed)
    ring.revoke(key.id)


def test_secrets_are_compared_in_constant_time(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    text, key = ring.make(["ask"])
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return len(compared) == 1

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert ring.find(text[:-1] + "x") == key  # so that nothing else decides
    with pytest.raises(KeyUnknown):
        ring.find(text)
    assert all(len(one) == len(other) == 64 for one, other in compared)


def test_an_expired_key_is_told_so_and_an_expired_token_is_forgotten(ring: Keyring) -> None:
    text, _ = ring.make(["ask"], expires=PAST)
    token, kept = ring.make(READ_ONLY, origin=PAGE, expires=PAST)
    for each in (text, token):
        with pytest.raises(KeyExpired):
            ring.find(each)
    assert not ring.has_page(PAGE)
    ring.make(["ask"])
    assert kept.id not in [key.id for key in ring.listed()]
    with pytest.raises(KeyExpired):
        ring.find(text)
    with pytest.raises(KeyUnknown):
        ring.find(token)


def test_what_another_process_does_holds_at_once(index: Path, ring: Keyring) -> None:
    made = pincite("keys", "make", "--index", index)
    key = made.stdout.strip()
    assert ring.find(key).scopes == ("ask", "read")
    assert pincite("keys", "revoke", key[8:24], "--index", index).returncode == 0
    with pytest.raises(KeyUnknown):
        ring.find(key)


def test_keys_made_and_revoked_by_many_processes_are_all_there(index: Path, ring: Keyring) -> None:
    script = f"""
from pathlib import Path
from service.auth.keys import Keyring
ring = Keyring(Path({str(Layout(index).keys)!r}))
made = [ring.make(["ask"])[1].id for _ in range(20)]
for number in made[::2]:
    ring.revoke(number)
"""
    command = [sys.executable, "-c", script]
    with ThreadPoolExecutor(4) as threads:
        for result in threads.map(
            lambda _: subprocess.run(command, cwd=ROOT, check=False, capture_output=True), range(4)
        ):
            assert result.returncode == 0, result.stderr
    assert len(ring.listed()) == 40


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":2,"keys":[]}', b'{"format":1,"keys":[{}]}', b"\xff"])
def test_damaged_keys_let_nobody_in_and_are_not_written_over(index: Path, ring: Keyring, content: bytes) -> None:
    text, _ = ring.make(["admin"])
    with opened(index, allow_anonymous=True) as client:
        assert client.get("/v1/documents", headers=bearer(text)).status_code == 200
        Layout(index).keys.write_bytes(content)
        response = client.get("/v1/documents", headers=bearer(text))
        assert (response.status_code, response.json()["type"]) == (503, "urn:pincite:problem:keys-unusable")
        assert str(index) not in response.text
        assert client.get("/v1/documents").status_code == 503
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
    with pytest.raises(KeysUnusable):
        ring.make(["ask"])
    assert Layout(index).keys.read_bytes() == content
    served = pincite("serve", "--index", index, "--port", "0")
    assert (served.returncode, served.stderr.count("\n")) == (1, 1), served.stderr


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


def test_keys_are_made_listed_and_revoked_by_command(index: Path, ring: Keyring) -> None:
    options = ("--scope", "ask", "--scope", "write", "--collection", "other", "--expires", "2h", "--name", "a\x1b[2J")
    made = pincite("keys", "make", *options, "--index", index)
    assert made.returncode == 0
    key = made.stdout.strip()
    assert re.fullmatch(r"pincite_[0-9a-f]{16}_[\w-]{43}", key)
    assert key not in made.stderr
    token = pincite("keys", "embed", "--origin", "https://Page.example/", "--index", index).stdout.strip()
    listed = pincite("keys", "list", "--index", index)
    names, first, second = (line.split("\t") for line in listed.stdout.splitlines())
    assert names == ["id", "name", "scopes", "collections", "origin", "made", "expires"]
    assert first[:5] == [key[8:24], "a�[2J", "ask, write", "other", ""]
    assert second[:5] == [token[8:24], "", "ask, read", "all", PAGE]
    assert key not in listed.stdout
    assert ring.find(token).expires
    assert pincite("keys", "revoke", key[8:24], token[8:24], "--index", index).returncode == 0
    assert ring.listed() == []
    result = pincite("keys", "revoke", key[8:24], "--index", index)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    with pytest.raises(KeyNotFound):
        ring.revoke("x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("make", "--scope", "all"),
        ("make", "--collection", "../other"),
        ("make", "--expires", "soon"),
        ("make", "--expires", "2020-01-01"),
        ("make", "--expires", "0s"),
        ("make", "--expires", "99999999w"),
        ("embed",),
        ("embed", "--origin", "*"),
        ("embed", "--origin", "https://a.b/c"),
        ("embed", "--origin", "https://a.b", "--expires", "8d"),
        ("embed", "--origin", "https://a.b", "--scope", "write"),
    ],
)
def test_a_key_that_cannot_be_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(["keys", *arguments, "--index", str(tmp_path / "index")]) == 2
    assert not (tmp_path / "index").exists()


def test_a_time_to_end_is_read_from_now_or_as_a_date() -> None:
    assert abs(ending("90m") - datetime.now(UTC) - timedelta(minutes=90)) < timedelta(minutes=1)
    assert ending("2100-01-31") == datetime(2100, 1, 31, tzinfo=UTC)
    assert ending("2100-01-31T12:00:00+02:00") == datetime(2100, 1, 31, 10, tzinfo=UTC)


def test_another_address_can_be_served_once_there_is_a_key(index: Path) -> None:
    assert "there are no keys" in pincite("serve", "--index", index, "--host", "0.0.0.0").stderr  # noqa: S104
    key = pincite("keys", "make", "--index", index).stdout.strip()
    with serving("--index", index, "--host", "0.0.0.0") as (process, address):  # noqa: S104
        http = OverHttp(address.replace("0.0.0.0", "127.0.0.1"), key=key)  # noqa: S104
        assert http.ask(AskRequest(question="When does the ferry leave?")).answers
        http.close()
        process.terminate()
        assert process.stdout
        assert process.stdout.read() == "Every call needs a key.\n"


def test_an_evaluation_over_http_takes_a_key(index: Path, documents: Path, tmp_path: Path) -> None:
    dataset = small_set(tmp_path / "small", documents)
    key = pincite("keys", "make", "--index", index).stdout.strip()
    other = pincite("keys", "make", "--index", index, "--collection", "other").stdout.strip()
    with serving("--index", index) as (_, address):
        command = ("eval", tmp_path / "small", "--url", address, "--out", tmp_path / "refused")
        assert "--key" in pincite(*command).stderr
        assert "Existing collections: other." in pincite(*command, env={"PINCITE_KEY": other}).stderr
        target = OverHttp(address, key=key)
        assert evaluate(dataset, target, tmp_path / "run")
        target.close()
        target = OverHttp(address, key=key[:-1])
        with pytest.raises(ServiceRefused):
            target.ask(AskRequest(question="When does the ferry leave?"))
        target.close()
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_logs_hold_no_key_and_nothing_of_a_question(index: Path, tmp_path: Path) -> None:
    """The service answers, rejects and fails; its logs contain nothing of the requests."""
    key = pincite("keys", "make", "--index", index, "--scope", "admin").stdout.strip()
    token = pincite("keys", "embed", "--index", index, "--origin", PAGE).stdout.strip()
    secrets = [key, token, key[25:], token[25:], "ferocious", "whelk", "tangerine"]
    with serving("--index", index, "--rate-limit", "20/minute") as (process, address):
        with httpx.Client(base_url=address, timeout=60) as http:
            asked = {"question": "Why is the ferocious walrus ill?"}
            good, bad = bearer(key), bearer(key[:-1] + "~")
            answers = [
                http.post("/v1/ask", json=asked, headers=good),
                http.post("/v1/ask", json=asked, headers=bearer(token) | {"Origin": PAGE}),
                http.post("/v1/ask", json=asked, headers=bearer(token)),
                http.post("/v1/ask", json=asked, headers=bad),
                http.post("/v1/ask", content=b'{"question": "ferocious whelk', headers=good | JSON),
                http.post("/v1/ask", json=asked | {"ferocious": "whelk"}, headers=good),
                http.post("/v1/ask/batch", json={"questions": ["ferocious?", 3, "whelk?"]}, headers=good),
                http.post("/v1/search", json={"query": "tangerine"}, headers=good),
                http.get(f"/v1/documents?key={key}"),
                http.get(f"/tangerine/{token}"),
            ]
            assert [answer.status_code for answer in answers] == [200, 200, 403, 401, 400, 400, 200, 200, 401, 404]
            (index / "collections/default/store.sqlite").write_bytes(b"whatever")
            failed = http.post("/v1/ask", json=asked, headers=good)
            Layout(index).keys.write_text("damaged")
            assert http.post("/v1/ask", json=asked, headers=good).status_code == 503
        process.terminate()
        said = "".join(process.communicate(timeout=30))
    assert failed.status_code in (200, 500, 503)
    assert "keys.json" in said
    assert [secret for secret in secrets if secret in said] == []
