"""Every invalid request gets a problem that says what is wrong, without details of the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.http.app import create_app
from service.http.problems import INTERNAL, KINDS
from service.scheduling.deadline import Deadline
from service.schema import AskRequest, AskResponse
from service.settings import Settings

MEMBERS = {"type", "title", "status", "detail", "instance"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(index_folder: Path) -> Iterator[TestClient[Any]]:
    settings = Settings.from_env({"PINCITE_MAX_BODY_BYTES": "100000"}, allow_anonymous=True)
    with TestClient(create_app(Answering.open(index_folder), settings)) as client:
        yield client


def problem(response: Response, status: int, name: str) -> dict[str, Any]:
    """The problem, after checks that apply to all problems."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    result: dict[str, Any] = response.json()
    assert result.keys() >= MEMBERS
    assert result["type"] == f"urn:pincite:problem:{name}"
    assert result["status"] == status
    assert result["instance"] == f"urn:uuid:{UUID(response.headers['x-request-id'])}"
    assert "/tmp" not in response.text  # noqa: S108
    assert "Traceback" not in response.text
    return result


def facts(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in MEMBERS}


def body(**fields: object) -> bytes:
    return json.dumps({"question": "When does the ferry leave?"} | fields).encode()


def limits(field: str, **others: int) -> dict[str, object]:
    return {"field": field, **others}


DEEP = 100_000

# Each body, with the status, type and further members of the response.
BODIES: dict[str, tuple[bytes, int, str, dict[str, object]]] = {
    "empty": (b"", 400, "malformed-json", {}),
    "broken": (b'{"question": "Who', 400, "malformed-json", {}),
    "two values": (b'{"question": "Who?"} {}', 400, "malformed-json", {}),
    "not a number": (b'{"question": "Who?", "min_confidence": NaN}', 400, "malformed-json", {}),
    "latin-1": ('{"question": "Où?"}'.encode("latin-1"), 400, "malformed-json", {}),
    "utf-16": ('{"question": "Who?"}'.encode("utf-16"), 400, "malformed-json", {}),
    "byte-order mark": (b'\xef\xbb\xbf{"question": "Who?"}', 400, "malformed-json", {}),
    "lone surrogate": (rb'{"question": "a\ud800b"}', 400, "malformed-json", {}),
    "bare surrogate": (b'{"question": "\xed\xa0\x80"}', 400, "malformed-json", {}),
    "line feed in a string": (b'{"question": "a\nb"}', 400, "malformed-json", {}),
    "array": (b'["Who?"]', 400, "bad-field", {}),
    "null": (b"null", 400, "bad-field", {}),
    "deep array": (b"[" * DEEP, 400, "bad-field", {}),
    "no question": (b"{}", 400, "bad-field", {"field": "question"}),
    "unknown field": (body(top_k=3), 400, "bad-field", {"field": "top_k"}),
    "deep unknown field": (b'{"x":' * 10_000, 400, "bad-field", {"field": "x"}),
    "question is a number": (body(question=3), 400, "bad-field", {"field": "question"}),
    "question is null": (body(question=None), 400, "bad-field", {"field": "question"}),
    "number in a string": (body(max_answers="3"), 400, "bad-field", {"field": "max_answers"}),
    "number is true": (body(max_answers=True), 400, "bad-field", {"field": "max_answers"}),
    "number is a fraction": (body(max_answers=1.5), 400, "bad-field", {"field": "max_answers"}),
    "number beyond all": (body()[:-1] + b', "min_confidence": 1e999}', 400, "bad-field", {"field": "min_confidence"}),
    "sources is a text": (body(sources="a"), 400, "bad-field", {"field": "sources"}),
    "repeated field": (body()[:-1] + b', "question": "Who?"}', 400, "repeated-field", {"field": "question"}),
    "empty question": (body(question=""), 422, "bad-length", limits("question", length=0, minimum=1, maximum=2000)),
    "long question": (
        body(question="é" * 3000),
        422,
        "bad-length",
        {"field": "question", "length": 3000, "minimum": 1, "maximum": 2000},
    ),
    "blank question": (body(question=" \t\u00a0\n"), 422, "blank", {"field": "question"}),
    "nul": (body(question="a\0b"), 422, "nul-character", {"field": "question"}),
    "nul in a pattern": (body(sources=["a", "\0"]), 422, "nul-character", {"field": "sources[1]"}),
    "no answers": (body(max_answers=0), 422, "out-of-range", limits("max_answers", value=0, minimum=1, maximum=20)),
    "many answers": (
        body(max_answers=21),
        422,
        "out-of-range",
        {"field": "max_answers", "value": 21, "minimum": 1, "maximum": 20},
    ),
    "confidence": (
        body(min_confidence=1.01),
        422,
        "out-of-range",
        {"field": "min_confidence", "value": 1.01, "minimum": 0, "maximum": 1},
    ),
    "passages": (body(passages=-1), 422, "out-of-range", limits("passages", value=-1, minimum=0, maximum=50)),
    "unknown collection": (body(collection="x"), 404, "unknown-collection", {"collection": "x"}),
    "path as collection": (body(collection="../.."), 404, "unknown-collection", {"collection": "../.."}),
    "too large": (body(question="a" * 100_000), 413, "too-large", {"limit": 100_000}),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_answered_with_what_is_wrong(client: TestClient[Any], case: str) -> None:
    content, status, name, expected = BODIES[case]
    assert facts(problem(client.post("/v1/ask", content=content, headers=JSON), status, name)) == expected


def test_a_huge_number_is_a_clean_error(client: TestClient[Any]) -> None:
    for digits in (20, 400, 5000):
        response = client.post(
            "/v1/ask", content=body()[:-1] + b', "deadline_ms": 1' + b"0" * digits + b"}", headers=JSON
        )
        assert response.status_code in (400, 422)
        assert response.json()["field"] == "deadline_ms"


def test_null_stands_for_the_usual_value(client: TestClient[Any]) -> None:
    response = client.post("/v1/ask", json={"question": "Who?", "min_confidence": None, "deadline_ms": None})
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/ask/batch", "/v1/search", "/v1/context"])
def test_only_json_in_utf8_is_taken(client: TestClient[Any], path: str) -> None:
    for given in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"):
        response = problem(client.post(path, content=body(), headers={"Content-Type": given}), 415, "unsupported-media")
        assert facts(response) == {"given": given, "expected": "application/json"}
    problem(client.post(path, content=body()), 415, "unsupported-media")
    problem(client.post(path, content=body(), headers=JSON | {"Content-Encoding": "gzip"}), 415, "unsupported-media")


@pytest.mark.parametrize(
    ("path", "produced"), [("/v1/ask", "application/json"), ("/v1/ask/batch", "application/x-ndjson")]
)
def test_an_accept_header_that_leaves_the_format_out_is_refused(
    client: TestClient[Any], path: str, produced: str
) -> None:
    response = client.post(path, content=body(), headers=JSON | {"Accept": "text/html, image/*;q=0.5"})
    assert facts(problem(response, 406, "not-acceptable")) == {"produced": produced}


def test_unknown_paths_and_methods_are_problems(client: TestClient[Any]) -> None:
    problem(client.get("/v2/ask"), 404, "unknown-path")
    response = problem(client.get("/v1/ask"), 405, "wrong-method")
    assert facts(response) == {"allowed": "POST, OPTIONS"}
    assert client.get("/v1/ask").headers["allow"] == "POST, OPTIONS"
    assert client.post("/health").headers["allow"] == "GET, HEAD, OPTIONS"
    problem(client.delete("/v1/files/metals.md"), 405, "wrong-method")


def test_bad_parameters_are_problems(client: TestClient[Any]) -> None:
    assert facts(problem(client.get("/v1/documents?limit=ten"), 400, "bad-parameter")) == {"parameter": "limit"}
    assert facts(problem(client.get("/v1/documents?limt=10"), 400, "bad-parameter")) == {"parameter": "limt"}
    problem(client.get("/v1/documents?limit=1&limit=2"), 400, "bad-parameter")
    response = problem(client.get("/v1/documents?limit=0"), 422, "out-of-range")
    assert facts(response) == {"field": "limit", "value": 0, "minimum": 1, "maximum": 1000}
    problem(client.get("/v1/documents?collection=x"), 404, "unknown-collection")
    for cursor in ("", "abc", "!!!!", "AAAAAAAA", "é"):
        problem(client.get("/v1/documents", params={"cursor": cursor}), 400, "bad-cursor")


@pytest.mark.parametrize("noun", ["documents", "files", "texts"])
def test_unknown_documents_are_problems(client: TestClient[Any], noun: str) -> None:
    response = problem(client.get(f"/v1/{noun}/no%20such.txt"), 404, "unknown-document")
    assert response["source"] == "no such.txt"
    for path in ("metals.md/", "/metals.md", "./metals.md", "Metals.md", "metals%2Emd%00", "..%2f..%2fetc%2fpasswd"):
        if path != "./metals.md":  # clients resolve this one themselves
            problem(client.get(f"/v1/{noun}/{path}"), 404, "unknown-document")
    problem(client.get(f"/v1/{noun}/%ff.txt"), 400, "bad-path")


class Failing(Answering):
    def ask(self, request: AskRequest, request_id: str, deadline: Deadline | None = None) -> AskResponse:  # noqa: ARG002
        raise RuntimeError(f"cannot parse {request.question} in /srv/secret")


def test_a_failure_inside_tells_nothing_and_is_logged_without_the_question(
    index_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(create_app(Failing.open(index_folder), Settings.from_env({}, allow_anonymous=True))) as client:
        response = client.post("/v1/ask", json={"question": "private matters"})
        batch = client.post("/v1/ask/batch", json={"questions": ["private matters"]})
    assert facts(problem(response, 500, "internal")) == {}
    assert batch.json()["type"] == "urn:pincite:problem:internal"
    assert "secret" not in response.text + batch.text
    assert response.headers["x-request-id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "private" not in caplog.text


def test_every_type_of_problem_is_in_the_documentation(client: TestClient[Any]) -> None:
    description = client.get("/schema/openapi.json").json()["info"]["description"]
    names = [kind.name for kind in (*KINDS.values(), INTERNAL)]
    assert len(set(names)) == len(names)
    for name in names:
        assert f"`urn:pincite:problem:{name}`" in description
