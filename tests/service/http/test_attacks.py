"""Callers read and write only what they may: all attacks of tests/support/attacks.py on a running service."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from index.storage.layout import Layout
from pincite import run
from service.auth.keys import READ_ONLY, Keyring
from tests.support.attacks import (
    ATTACKS,
    BARE,
    CANARY,
    LISTED,
    NONE,
    PAGE,
    SECRET,
    SECURITY,
    TEXT,
    Attack,
    table,
    written,
)
from tests.support.commands import serving

PAST = datetime.now(UTC) - timedelta(seconds=1)


class World(NamedTuple):
    """Two services on copies of one index, one with keys and one without, and the values used in requests."""

    keyed: str
    unkeyed: str
    keys: dict[str, str]
    folder: Path
    owner: httpx.Client


@pytest.fixture(scope="module")
def world(index_folder: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("attacked")
    for name in ("keyed", "unkeyed"):
        shutil.copytree(index_folder, folder / name, symlinks=True)
    (folder / SECRET).write_text(TEXT)
    index = folder / "keyed"
    assert run(["build", str(documents), "--index", str(index), "--collection", "mine"]) == 0
    assert run(["build", str(folder / SECRET), "--index", str(index), "--collection", "theirs"]) == 0
    keys = keys_of(index, folder / "foreign")
    listed = ("--cors-origin", LISTED)
    with (
        serving("--index", index, *listed) as (_, keyed),
        serving("--index", folder / "unkeyed") as (_, unkeyed),
        httpx.Client(headers={"Authorization": f"Bearer {keys['owner']}"}, timeout=60) as owner,
    ):
        yield World(keyed, unkeyed, keys | {"secret_hash": sha256(TEXT.encode()).hexdigest()}, folder / "keyed", owner)


def keys_of(index: Path, other: Path) -> dict[str, str]:
    """The keys of the attacks, whole and in parts."""
    ring, foreign = Keyring(Layout(index).keys), Keyring(Layout(other).keys)
    mine = ["mine"]
    made = {
        "owner": ring.make(["admin"]),
        "asker": ring.make(["ask"], collections=mine),
        "reader": ring.make(["read"], collections=mine),
        "writer": ring.make(["write"], collections=mine),
        "keeper": ring.make(["admin"], collections=mine),
        "revoked": ring.make(["read"], collections=mine),
        "page": ring.make(READ_ONLY, collections=mine, origin=PAGE),
        "page_revoked": ring.make(READ_ONLY, collections=mine, origin=PAGE),
        "gone": ring.make(READ_ONLY, origin="https://gone.example"),
        "foreign": foreign.make(["admin"]),
        "page_foreign": foreign.make(READ_ONLY, origin=PAGE),
        "expired": ring.make(["read"], collections=mine, expires=PAST),
    }
    for name in ("revoked", "page_revoked", "gone"):
        ring.revoke(made[name][1].id)
    made["over"] = ring.make(READ_ONLY, origin="https://over.example", expires=PAST)
    made["page_expired"] = ring.make(READ_ONLY, collections=mine, origin=PAGE, expires=PAST)
    return {part: text for name, (key, kept) in made.items() for part, text in parts(name, key, kept.hash)}


def parts(name: str, key: str, kept: str) -> Iterator[tuple[str, str]]:
    yield name, key
    yield f"{name}.id", key[8:24]
    yield f"{name}.secret", key[25:]
    yield f"{name}.hash", kept
    yield f"{name}.cut", key[:-1]
    yield f"{name}.changed", key[:-1] + ("A" if key[-1] != "A" else "B")
    yield f"{name}.capitals", key.upper()
    yield f"{name}.basic", base64.b64encode(f":{key}".encode()).decode()


class Answer(NamedTuple):
    status: int
    problem: str
    headers: dict[str, str]
    body: bytes


def sent(attack: Attack, world: World) -> Answer:
    """The raw request as in the table; a client library would normalise it."""
    address = httpx.URL(world.keyed if attack.keyed else world.unkeyed)
    known = world.keys | {"port": str(address.port)}

    def filled(text: str) -> str:
        for name, value in known.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    lines = [f"{attack.method} {filled(attack.path)} HTTP/1.1", "Connection: close"]
    lines += [f"{name}: {filled(value)}" for name, value in attack.headers]
    if attack.body:
        lines.append(f"Content-Length: {len(attack.body)}")
    with socket.create_connection((address.host, address.port or 80), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + attack.body)
        response = HTTPResponse(connection, method=attack.method)
        response.begin()
        body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, problem_of(headers, body), headers, body)


def problem_of(headers: dict[str, str], body: bytes) -> str:
    """The problem type of a response, also of the only line of a batch."""
    media_type = headers.get("content-type", "")
    if body and media_type in ("application/problem+json", "application/x-ndjson"):
        return str(json.loads(body).get("type", NONE)).rpartition(":")[2]
    return NONE


def everything(world: World) -> list[object]:
    """The contents of both services, as seen by an authorised caller."""
    collections = world.owner.get(f"{world.keyed}/v1/collections").json()["collections"]
    pages = [f"{world.keyed}/v1/documents?collection={each['name']}" for each in collections]
    documents = [world.owner.get(page).json() for page in [*pages, f"{world.unkeyed}/v1/documents"]]
    return [collections, documents, Layout(world.folder).keys.read_bytes()]


@pytest.mark.parametrize(
    "attack", ATTACKS, ids=lambda attack: f"{attack.area}: {attack.what}".encode("ascii", "replace").decode()
)
def test_an_attack_is_answered_as_documented_and_gets_at_nothing(world: World, attack: Attack) -> None:
    before = everything(world)
    answer = sent(attack, world)
    assert documented(answer, attack), answer
    assert CANARY.encode() not in answer.body
    assert b'"name":"theirs"' not in answer.body
    page = answer.headers.get("access-control-allow-origin")
    assert page is None or (page in (PAGE, LISTED) and ("Origin", page) in attack.headers)
    assert everything(world) == before


def documented(answer: Answer, attack: Attack) -> bool:
    problem = answer.headers.get("content-type") in ("application/problem+json", "application/x-ndjson")
    if attack.method == "HEAD" and problem:  # it has no body
        return answer.status in (status for status, _ in attack.answers)
    return (answer.status, answer.problem) in attack.answers or (
        not problem and (answer.status, BARE) in attack.answers
    )


def test_the_owner_can_do_what_others_cannot(world: World) -> None:
    """Otherwise attacks might fail for the wrong reason."""
    asked = {"question": "What is the password of the lighthouse?", "collection": "theirs", "min_confidence": 0}
    assert CANARY in world.owner.post(f"{world.keyed}/v1/ask", json=asked).text
    assert CANARY in world.owner.get(f"{world.keyed}/v1/files/{SECRET}?collection=theirs").text
    assert '"name":"theirs"' in world.owner.get(f"{world.keyed}/ready").text


def test_every_call_that_touches_a_collection_is_tried_on_another(world: World) -> None:
    tried = {
        f"{attack.method} {attack.path.partition('?')[0]}"
        for attack in ATTACKS
        if attack.answers == ((403, "collection-forbidden"),)
    }
    for path, operations in world.owner.get(f"{world.keyed}/schema/openapi.json").json()["paths"].items():
        for method in operations:
            call = re.compile(f"{method.upper()} {re.sub('{.*?}', '.+', path)}")
            needed = path.startswith("/v1/") and path != "/v1/collections"  # which lists one's own
            assert not needed or any(map(call.fullmatch, tried)), (method, path)


def test_the_table_in_the_document_is_that_of_the_tests() -> None:
    assert len({(attack.area, attack.what) for attack in ATTACKS}) == len(ATTACKS)
    document = SECURITY.read_text("utf-8")
    assert table() in document
    assert written(document) == document, "write it anew: python -m tests.support.attacks"
