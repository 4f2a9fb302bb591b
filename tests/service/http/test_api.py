"""Successful responses of the HTTP interface."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.errors import BadCursor, RangeNotSatisfiable
from service.http.app import create_app
from service.http.ranges import part_of
from service.http.routes.documents import cursor_at, place_of
from service.scheduling.deadline import Deadline
from service.scheduling.workers import Workers
from service.schema import AskRequest, AskResponse
from service.settings import Settings

ODD = "odd name, 100% + ä?#.txt"
SOURCES = ["harbour/ferry.txt", "harbour/pilots.txt", "metals.md", ODD, "wide.txt"]


@pytest.fixture(scope="module")
def client(index_folder: Path) -> Iterator[TestClient[Any]]:
    settings = Settings.from_env({}, allow_anonymous=True)
    with TestClient(create_app(Answering.open(index_folder), settings)) as client:
        yield client


@pytest.mark.parametrize(
    ("question", "source", "found"),
    [
        ("When does the ferry leave Aldhaven?", "harbour/ferry.txt", "7:40"),
        ("At how many degrees does copper melt?", "metals.md", "1,085"),
        ("Who sold the yellow bicycle to Ingrid?", ODD, "Zoë"),
        ("What is the lighthouse keeper called?", "wide.txt", "Ørjan"),
    ],
)
def test_an_answer_is_cut_out_of_the_file_it_cites(
    client: TestClient[Any], documents: Path, question: str, source: str, found: str
) -> None:
    response = client.post("/v1/ask", json={"question": question, "min_confidence": 0, "max_answers": 1})
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body["status"] == "answered"
    assert body["request_id"] == response.headers["x-request-id"]
    (answer,) = body["answers"]
    citation = answer["citations"][0]
    assert citation["source"] == source
    assert found in answer["text"]
    start, end = citation["range"]["byte"]
    file = (documents / source).read_bytes()
    assert file[start:end].decode(citation["encoding"]) == citation["quote"]["exact"]
    assert citation["sha256"] == sha256(file).hexdigest()
    part = client.get(f"/v1/files/{quote(source)}", headers={"Range": f"bytes={start}-{end - 1}"})
    assert part.status_code == 206
    assert part.content == file[start:end]
    text = client.get(f"/v1/texts/{quote(source)}").json()["text"]
    start, end = citation["range"]["codepoint"]
    assert text[start:end] == citation["quote"]["exact"]


def test_equal_questions_get_equal_answers(client: TestClient[Any]) -> None:
    def ask() -> dict[str, Any]:
        body: dict[str, Any] = client.post("/v1/ask", json={"question": "Do dogs pay?", "passages": 5}).json()
        return {name: value for name, value in body.items() if name not in ("request_id", "timings_ms")}

    assert ask() == ask()


def test_sources_and_max_answers_are_respected(client: TestClient[Any]) -> None:
    wanted = {"question": "When does the ferry leave?", "min_confidence": 0, "sources": ["*.md"], "max_answers": 2}
    answers = client.post("/v1/ask", json=wanted).json()["answers"]
    assert 1 <= len(answers) <= 2
    assert {citation["source"] for answer in answers for citation in answer["citations"]} == {"metals.md"}


def test_search_gives_the_passages_best_first(client: TestClient[Any]) -> None:
    body = client.post("/v1/search", json={"query": "pilot station", "top_k": 3}).json()
    assert body["passages"][0]["source"] == "harbour/pilots.txt"
    scores = [passage["score"] for passage in body["passages"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert body["index"]["documents"] == len(SOURCES)


def test_a_batch_answers_line_by_line_in_order(client: TestClient[Any]) -> None:
    questions = ["When does the ferry leave?", " ", 3, "a\0b", "x" * 2001, "What melts at 1,085 degrees?", ["a"]]
    response = client.post("/v1/ask/batch", json={"questions": questions, "min_confidence": 0})
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["cache-control"] == "no-store"
    assert response.text.endswith("\n")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line.get("type", "").rpartition(":")[2] or line["status"] for line in lines] == [
        "answered",
        "blank",
        "bad-field",
        "nul-character",
        "bad-length",
        "answered",
        "bad-field",
    ]
    assert lines[2]["field"] == "questions[2]"
    single = client.post("/v1/ask", json={"question": questions[0], "min_confidence": 0}).json()
    assert lines[0]["answers"] == single["answers"]


def test_a_batch_has_1_to_1000_questions(client: TestClient[Any]) -> None:
    for number in (0, 1001):
        response = client.post("/v1/ask/batch", json={"questions": ["a"] * number})
        assert response.status_code == 422
        assert response.json()["length"] == number
    assert client.post("/v1/ask/batch", json={"questions": ["a"], "collection": "x"}).status_code == 404


class Counting(Answering):
    asked = 0

    def ask(self, request: AskRequest, request_id: str, deadline: Deadline | None = None) -> AskResponse:
        self.asked += 1
        return super().ask(request, request_id, deadline)


def test_a_batch_stops_when_the_client_hangs_up(index_folder: Path) -> None:
    answering = Counting.open(index_folder)
    assert isinstance(answering, Counting)
    settings = Settings.from_env({"PINCITE_THREADS": "2"}, allow_anonymous=True)
    body = json.dumps({"questions": ["When does the ferry leave?"] * 1000}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/ask/batch",
        "raw_path": b"/v1/ask/batch",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"localhost")],
    }

    async def hang_up_after_three_lines() -> None:
        result = asyncio.Event()
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        lines = 0

        async def receive() -> dict[str, object]:
            if messages:
                return messages.pop()
            await result.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            nonlocal lines
            lines += message["type"] == "http.response.body" and message["body"].count(b"\n")
            if lines >= 3:
                result.set()

        await create_app(answering, settings)(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(hang_up_after_three_lines(), 60))
    asked = answering.asked
    assert 3 <= asked < 100


def test_workers_refuse_what_they_have_no_room_for() -> None:
    async def fill() -> list[str | BaseException]:
        started, release = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait() -> str:
            loop.call_soon_threadsafe(started.set)
            return asyncio.run_coroutine_threadsafe(release.wait(), loop).result() and "done"

        workers = Workers(threads=1, waiting=1)
        calls = [asyncio.create_task(workers.run(wait)) for _ in range(3)]
        await started.wait()
        await asyncio.sleep(0)
        release.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        workers.close()
        return results

    first, second, third = asyncio.run(fill())
    assert (first, second) == ("done", "done")
    assert getattr(third, "facts", None) == {"retry_after": 1}


def test_all_documents_are_listed_page_by_page(client: TestClient[Any]) -> None:
    for limit in (1, 2, 5, 1000):
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = client.get("/v1/documents", params=cursor | {"limit": limit}).json()
            assert len(page["documents"]) <= limit
            seen += [record["source"] for record in page["documents"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen == sorted(SOURCES)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_cursor_keeps_any_source_and_no_changed_cursor_passes(source: str) -> None:
    cursor = cursor_at(source)
    assert re.fullmatch(r"[\w-]+", cursor)
    assert place_of(cursor) == source
    with pytest.raises(BadCursor):
        place_of(("B" if cursor[0] != "B" else "C") + cursor[1:])


def test_a_record_tells_about_the_file(client: TestClient[Any], documents: Path) -> None:
    for source in SOURCES:
        record = client.get(f"/v1/documents/{quote(source)}").json()
        file = (documents / source).read_bytes()
        assert record["source"] == source
        assert record["bytes"] == len(file)
        assert record["sha256"] == sha256(file).hexdigest()
    assert client.get("/v1/documents/metals.md").json()["title"] == "Metals"
    assert client.get("/v1/documents/harbour%2Fferry.txt").json()["source"] == "harbour/ferry.txt"


def test_files_come_as_they_were_indexed(client: TestClient[Any], documents: Path) -> None:
    for source in SOURCES:
        response = client.get(f"/v1/files/{quote(source)}")
        assert response.content == (documents / source).read_bytes()
        assert response.headers["etag"] == f'"{sha256(response.content).hexdigest()}"'
        assert response.headers["cache-control"] == "no-cache"
        head = client.head(f"/v1/files/{quote(source)}", headers={"Range": "bytes=0-1"})
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == str(len(response.content))
    assert client.get("/v1/files/wide.txt").headers["content-type"] == "text/plain; charset=utf-16le"


def test_a_file_is_sent_again_only_if_it_changed(client: TestClient[Any]) -> None:
    for noun in ("files", "texts"):
        etag = client.get(f"/v1/{noun}/metals.md").headers["etag"]
        for header in (etag, f'W/{etag}, "x"', "*"):
            response = client.get(f"/v1/{noun}/metals.md", headers={"If-None-Match": header})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["etag"] == etag
        assert client.get(f"/v1/{noun}/metals.md", headers={"If-None-Match": '"x"'}).status_code == 200


def test_parts_of_a_file(client: TestClient[Any], documents: Path) -> None:
    file = (documents / "metals.md").read_bytes()
    etag = f'"{sha256(file).hexdigest()}"'
    for asked, part in (("0-4", file[:5]), ("5-", file[5:]), ("-3", file[-3:]), (f"2-{10**15}", file[2:])):
        response = client.get("/v1/files/metals.md", headers={"Range": f"bytes={asked}", "If-Range": etag})
        assert (response.status_code, response.content) == (206, part)
        assert response.headers["content-range"].endswith(f"/{len(file)}")
    for headers in ({"Range": "bytes=0-1,3-4"}, {"Range": "bytes=4-2"}, {"Range": "lines=1-2"}, {"Range": "bytes=a-b"}):
        assert client.get("/v1/files/metals.md", headers=headers).content == file
    assert client.get("/v1/files/metals.md", headers={"Range": "bytes=0-1", "If-Range": '"x"'}).content == file
    response = client.get("/v1/files/metals.md", headers={"Range": f"bytes={len(file)}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(file)}"
    assert response.json()["bytes"] == len(file)


@given(st.integers(0, 20), st.integers(0, 25), st.integers(0, 25))
def test_ranges_agree_with_slices(size: int, first: int, last: int) -> None:
    data = bytes(range(size))
    for asked, expected in ((f"bytes={first}-{last}", data[first : last + 1]), (f"bytes={first}-", data[first:])):
        if asked.endswith(str(last)) and last < first:
            assert part_of(size, asked, None, "") is None
        elif first >= size:
            with pytest.raises(RangeNotSatisfiable):
                part_of(size, asked, None, "")
        else:
            part = part_of(size, asked, None, "")
            assert part is not None
            assert data[part[0] : part[1]] == expected


def test_a_version_is_fetched_by_its_hash(client: TestClient[Any], documents: Path) -> None:
    present = sha256((documents / "metals.md").read_bytes()).hexdigest()
    assert client.get("/v1/files/metals.md", params={"sha256": present}).status_code == 200
    response = client.get("/v1/files/metals.md", params={"sha256": "0" * 64})
    assert response.status_code == 410
    assert response.json()["present"] == present


def test_sentences_of_a_text_lie_where_they_are_said_to(client: TestClient[Any], documents: Path) -> None:
    for source in SOURCES:
        view = client.get(f"/v1/texts/{quote(source)}").json()
        file, utf16 = (documents / source).read_bytes(), view["text"].encode("utf-16-le")
        assert view["sentences"]
        for place in view["sentences"]:
            sentence = view["text"][slice(*place["codepoint"])]
            assert sentence.strip() == sentence != ""
            assert file[slice(*place["byte"])].decode(view["encoding"]) == sentence
            assert utf16[slice(*(2 * unit for unit in place["utf16"]))].decode("utf-16-le") == sentence


def test_health_readiness_and_collections(client: TestClient[Any]) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    ready = client.get("/ready").json()
    assert ready["status"] == "ready"
    assert {model["role"] for model in ready["models"]} == {"encoder", "reader"}
    assert all(re.fullmatch("[0-9a-f]{64}", model["sha256"]) for model in ready["models"])
    (collection,) = client.get("/v1/collections").json()["collections"]
    assert (collection["name"], collection["documents"]) == ("default", len(SOURCES))


def test_the_description_is_complete(client: TestClient[Any]) -> None:
    description = client.get("/schema/openapi.json").json()
    for path, item in description["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert {"400", "403", "500"} < operation["responses"].keys()
            for status, response in operation["responses"].items():
                if status >= "400":
                    content = response["content"]["application/problem+json"]
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert content["examples"]
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description)))
    assert referred <= description["components"]["schemas"].keys()
    ask = description["components"]["schemas"]["AskRequest"]
    assert ask["required"] == ["question"]
    assert ask["additionalProperties"] is False
    assert ask["properties"]["question"]["maxLength"] == 2000


def test_the_documentation_page_loads_nothing_from_elsewhere(client: TestClient[Any]) -> None:
    page = client.get("/schema")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(loaded) == 5
    for address in loaded:
        assert address.startswith(("/schema/", "data:,"))
        if address.startswith("/"):
            assert client.get(address).status_code == 200
    styles = client.get("/schema/assets/stylesheets/swagger-ui.css").text
    assert not re.search(r"@import|url\((?!['\"]?data:)", styles)
