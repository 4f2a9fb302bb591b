"""Citations verified over HTTP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.http.app import create_app
from service.settings import Settings
from tests.support.commands import serving

VERIFY = "/v1/citations/verify"
QUESTION = {"question": "When does the ferry leave Aldhaven?", "min_confidence": 0, "max_answers": 1}
MINIMAL = {"source": "a.txt", "sha256": "0" * 64, "range": {"codepoint": [0, 3]}, "quote": {"exact": "Yes"}}


@pytest.fixture(scope="module")
def client(index_folder: Path) -> Iterator[TestClient[Any]]:
    with TestClient(
        create_app(Answering.open(index_folder), Settings.from_env({}, allow_anonymous_writes=True))
    ) as client:
        yield client


def verified(client: httpx.Client, *citations: object) -> list[dict[str, Any]]:
    response = client.post(VERIFY, json={"citations": citations})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    body: list[dict[str, Any]] = response.json()["citations"]
    return body


def test_a_citation_is_followed_through_the_changes_of_its_document(index_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(index_folder, folder, symlinks=True)
    with serving("--index", folder) as (_, address), httpx.Client(base_url=address, timeout=60) as client:
        path = "/v1/documents/harbour/ferry.txt"
        text = client.get("/v1/texts/harbour/ferry.txt").json()["text"]
        sent = client.post("/v1/ask", json=QUESTION).json()["answers"][0]["citations"][0]
        assert sent["source"] == "harbour/ferry.txt"
        assert verified(client, sent) == [{"status": "valid", "citation": sent}]
        changed = f"Timetable 🙂.\r\n\r\n{text}"
        client.put(path, content=changed.encode("utf-16")).raise_for_status()
        (result,) = verified(client, sent)
        now = result["citation"]
        assert result["status"] == "moved"
        assert now["quote"]["exact"] == sent["quote"]["exact"]
        file = client.get(f"/v1/files/harbour/ferry.txt?sha256={now['sha256']}").content
        assert file[slice(*now["range"]["byte"])].decode(now["encoding"]) == sent["quote"]["exact"]
        assert changed[slice(*now["range"]["codepoint"])] == sent["quote"]["exact"]
        assert verified(client, now)[0]["status"] == "valid"
        client.put(path, content=changed.replace("7:40", "8:15").encode()).raise_for_status()
        assert verified(client, sent, now) == [{"status": "changed", "citation": None}] * 2
        client.put("/v1/documents/old/ferry.txt", content=text.encode()).raise_for_status()
        client.delete(path).raise_for_status()
        assert verified(client, sent)[0]["citation"]["source"] == "old/ferry.txt"
        assert verified(client, now) == [{"status": "deleted", "citation": None}]
        client.delete("/v1/documents/old/ferry.txt").raise_for_status()
        assert verified(client, sent) == [{"status": "deleted", "citation": None}]


def test_a_citation_of_another_version_of_the_service_is_taken(client: TestClient[Any]) -> None:
    sent = client.post("/v1/ask", json=QUESTION).json()["answers"][0]["citations"][0]
    newer = sent | {"colour": "red", "quote": sent["quote"] | {"language": "en"}, "title": {"en": "Ferry"}}
    quote, where = {"exact": sent["quote"]["exact"]}, {"codepoint": sent["range"]["codepoint"]}
    older = {"source": sent["source"], "sha256": sent["sha256"].upper(), "range": where, "quote": quote}
    unknown = MINIMAL | {"range": {"codepoint": [-1, 10**30]}}
    result = verified(client, newer, older, unknown)
    assert result[:2] == [{"status": "valid", "citation": sent}] * 2
    assert result[2] == {"status": "deleted", "citation": None}


def test_as_many_citations_as_the_contract_allows_are_taken(client: TestClient[Any]) -> None:
    sent = client.post("/v1/ask", json=QUESTION).json()["answers"][0]["citations"][0]
    assert verified(client, *[sent] * 1000) == [{"status": "valid", "citation": sent}] * 1000
    assert client.post(VERIFY, json={"citations": []}).json()["citations"] == []
    response = client.post(VERIFY, json={"citations": [sent] * 1001})
    assert response.status_code == 422
    assert response.json()["field"] == "citations"
    assert (response.json()["length"], response.json()["maximum"]) == (1001, 1000)
    response = client.post(VERIFY, json={"citations": [MINIMAL | {"also": [MINIMAL] * 10_000}]})
    assert (response.status_code, response.json()["length"], response.json()["maximum"]) == (422, 10_001, 10_000)


@pytest.mark.parametrize(
    ("body", "status", "name", "field"),
    [
        ({}, 400, "bad-field", "citations"),
        ({"citations": MINIMAL}, 400, "bad-field", "citations"),
        ({"citations": [MINIMAL], "strict": True}, 400, "bad-field", "strict"),
        ({"citations": [MINIMAL, "a.txt"]}, 400, "bad-field", "citations[1]"),
        ({"citations": [{**MINIMAL, "quote": None}]}, 400, "bad-field", "citations[0].quote"),
        ({"citations": [MINIMAL, {"source": "a.txt"}]}, 400, "bad-field", "citations[1].sha256"),
        ({"citations": [{**MINIMAL, "range": {}}]}, 400, "bad-field", "citations[0].range.codepoint"),
        ({"citations": [{**MINIMAL, "range": {"codepoint": [0]}}]}, 400, "bad-field", "citations[0].range.codepoint"),
        (
            {"citations": [{**MINIMAL, "range": {"codepoint": [0, 1.5]}}]},
            400,
            "bad-field",
            "citations[0].range.codepoint[1]",
        ),
        ({"citations": [{**MINIMAL, "source": 3}]}, 400, "bad-field", "citations[0].source"),
        ({"citations": [{**MINIMAL, "sentences": [1, 2]}]}, 400, "bad-field", "citations[0].sentences"),
        ({"citations": [MINIMAL], "collection": "x"}, 404, "unknown-collection", None),
    ],
)
def test_a_body_that_does_not_fit_is_refused(
    client: TestClient[Any], body: object, status: int, name: str, field: str | None
) -> None:
    response = client.post(VERIFY, json=body)
    result = response.json()
    assert (response.status_code, result["type"]) == (status, f"urn:pincite:problem:{name}")
    assert result.get("field") == field


def test_what_is_nested_without_end_or_given_twice_is_refused(client: TestClient[Any]) -> None:
    headers = {"Content-Type": "application/json"}
    start = json.dumps(MINIMAL)[:-1]
    nested = '{"citations": [' + f'{start}, "also": [' * 50_000
    twice = '{"citations": [' + start + ', "source": "b.txt"}]}'
    for body, name in ((nested, "malformed-json"), (twice, "repeated-field")):
        response = client.post(VERIFY, content=body, headers=headers)
        assert (response.status_code, response.json()["type"]) == (400, f"urn:pincite:problem:{name}")
