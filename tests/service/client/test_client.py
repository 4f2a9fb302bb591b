"""The client against a running service, and against a server that is busy, broken or something else."""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import schema
from service.client import AsyncPincite, Pincite
from service.client.errors import (
    BadRequest,
    Busy,
    Conflict,
    Failed,
    NotAllowed,
    NotFound,
    NotPincite,
    Unreachable,
)
from service.client.generate import generated
from service.client.requests import Lines, escaped
from tests.support.commands import ROOT, serving

Client = Any  # Pincite, or AsyncPincite wrapped to look like it


class Awaited:
    """An AsyncPincite whose methods can be called without `await`."""

    def __init__(self, url: str, **options: Client) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncPincite(url, **options)

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            begun = getattr(self._client, name)(*args, **kwargs)
            return self._runner.run(collected(begun) if inspect.isasyncgen(begun) else begun)

        return call


async def collected(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


CLIENTS = pytest.mark.parametrize("kind", [Pincite, Awaited])


@pytest.fixture(scope="module")
def address(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    index = tmp_path_factory.mktemp("served") / "index"
    shutil.copytree(index_folder, index, symlinks=True)
    with serving("--index", index) as (_, address):
        yield address


@CLIENTS
def test_every_call_of_the_client_is_answered(address: str, documents: Path, kind: Callable[..., Client]) -> None:
    client = kind(address)
    assert client.ready().status == "ready"
    response = client.ask("When does the ferry leave Aldhaven?", max_answers=1, min_confidence=0)
    assert isinstance(response, schema.AskResponse)
    (citation,) = response.answers[0].citations
    assert client.file(citation.source, part=citation.range.byte).decode() == citation.quote.exact
    assert client.file(citation.source) == (documents / citation.source).read_bytes()
    view = client.text(citation.source)
    assert view.text[slice(*citation.range.codepoint)] == citation.quote.exact
    assert client.search("pilot station", top_k=1).passages[0].source == "harbour/pilots.txt"
    assert client.search("pilot station", sources=["*.md"]).passages[0].source == "metals.md"
    packed = client.context("pilot station", 60, sources=["harbour/*"])
    assert packed.citations[0].quote.exact in packed.context
    assert packed.tokens <= 60
    listed = [record.source for record in client.documents()]
    assert listed == sorted(path.relative_to(documents).as_posix() for path in documents.rglob("*.*"))
    assert client.document(listed[-1]).source == listed[-1]
    assert [each.name for each in client.collections()] == ["default"]
    client.close()


@CLIENTS
def test_documents_are_put_guarded_and_deleted(address: str, kind: Callable[..., Client]) -> None:
    client = kind(address)
    name = f"birds/{kind.__name__} 100% + ä?#.txt"
    put = client.put(name, b"The heron nests in the old quarry.", title="Herons", if_none_match="*")
    assert (put.source, put.title) == (name, "Herons")
    with pytest.raises(Conflict) as caught:
        client.put(name, b"Another.", if_none_match="*")
    assert caught.value.facts["name"] == "precondition-failed"
    assert caught.value.facts["present"] == put.sha256
    client.put(name, "Ω".encode("utf-16-le"), media_type="text/plain; charset=utf-16-le", if_match=f'"{put.sha256}"')
    assert client.text(name).text == "Ω"
    assert client.file(name, sha256=put.sha256) == b"The heron nests in the old quarry."
    client.delete(name)
    with pytest.raises(NotFound, match="Unknown document"):
        client.document(name)


@CLIENTS
def test_another_collection_is_asked_where_the_client_is_made_for_it(address: str, kind: Callable[..., Client]) -> None:
    name = kind.__name__.lower()
    client = kind(address, collection=name)
    with pytest.raises(NotFound) as caught:
        client.ask("Who nests?")
    assert (caught.value.facts["name"], caught.value.facts["collection"]) == ("unknown-collection", name)
    assert client.make_collection(name).documents == 0
    client.put("a.txt", b"The heron nests in the old quarry.")
    assert [record.source for record in client.documents()] == ["a.txt"]
    assert client.ask("What nests in the quarry?", min_confidence=0).index.documents == 1
    client.drop_collection(name)
    with pytest.raises(NotFound):
        list(client.documents())


@CLIENTS
def test_a_batch_gives_answers_and_refusals_in_order(address: str, kind: Callable[..., Client]) -> None:
    client = kind(address)
    client.put("lines.txt", "The stork\u2028counts \u0085 two lines as one.".encode())
    questions = ["What counts two lines as one?", " ", "When does the ferry leave?"]
    first, blank, last = client.ask_batch(questions, min_confidence=0, max_answers=1)
    assert first.answers[0].citations[0].quote.suffix.startswith("\u2028counts \u0085 two")
    assert isinstance(blank, BadRequest)
    assert blank.facts["name"] == "blank"
    assert "7:40" in last.answers[0].text
    client.delete("lines.txt")
    with pytest.raises(BadRequest) as caught:
        list(client.ask_batch([]))
    assert caught.value.facts["minimum"] == 1


def test_pages_of_documents_follow_on_each_other(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pincite(address) as client:
        whole = list(client.documents())
        monkeypatch.setattr("service.client.client.PAGE", 2)
        monkeypatch.setattr("service.client.aio.client.PAGE", 2)
        assert list(client.documents()) == whole
        awaited: Client = Awaited(address)
        assert list(awaited.documents()) == whole


def test_no_source_leads_to_another_call(address: str) -> None:
    with Pincite(address) as client:
        with pytest.raises(BadRequest) as caught:
            client.put("../collections/evil", b"{}")
        assert caught.value.facts["name"] == "bad-source"
        assert [each.name for each in client.collections()] == ["default"]
        with pytest.raises(NotFound):
            client.document("../../ready")


def test_the_client_without_asyncio_is_made_of_the_one_for_asyncio() -> None:
    made = Path(inspect.getfile(Pincite)).read_text(encoding="utf-8")
    assert made == generated(), "run: python -m service.client.generate"


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Scripted = tuple[int, dict[str, str], bytes] | None  # a response, or the connection is closed without one


@contextmanager
def scripted(*responses: Scripted) -> Iterator[tuple[str, list[Seen]]]:
    """A server that sends these responses in turn, and repeats the last one."""
    seen: list[Seen] = []
    left = list(responses)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen.append(Seen(self.command, self.path, headers, body))
            response = left.pop(0) if len(left) > 1 else left[0]
            self.close_connection = True
            if response is None:
                return
            status, headers, content = response
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


READY = msgspec.json.encode(schema.Ready("ready", "1", [], None, 0.5, []))
OVERLOADED = {"type": "urn:pincite:problem:overloaded", "title": "Full", "status": 503, "detail": "", "retry_after": 1}


@CLIENTS
def test_what_is_busy_or_away_is_asked_again_with_the_key(kind: Callable[..., Client]) -> None:
    soon = {"Retry-After": "0"}
    with scripted((503, soon, b""), (429, soon, b""), None, (200, {}, READY)) as (url, seen):
        assert kind(url, key="secret").ready().index_version == "1"
    assert [each.headers["authorization"] for each in seen] == ["Bearer secret"] * 4


@CLIENTS
def test_retry_after_is_kept_to_and_patience_ends(kind: Callable[..., Client]) -> None:
    later = {"Retry-After": "3600", "Content-Type": "application/problem+json"}
    with scripted((503, later, json.dumps(OVERLOADED).encode())) as (url, seen), pytest.raises(Busy) as caught:
        kind(url, patience=60).ready()
    assert caught.value.facts["retry_after"] == 1
    assert len(seen) == 1
    with scripted((429, {"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}, b"slow down")) as (url, seen):
        with pytest.raises(Busy, match="slow down"):
            kind(url).ready()
        assert len(seen) == 1


@CLIENTS
def test_a_change_that_may_have_arrived_is_not_sent_again(kind: Callable[..., Client]) -> None:
    with scripted(None) as (url, seen):
        with pytest.raises(Unreachable):
            kind(url).put("a.txt", b"A.")
        with pytest.raises(Unreachable):
            kind(url).delete("a.txt")
        assert [each.method for each in seen] == ["PUT", "DELETE"]
    with scripted((503, {"Retry-After": "0"}, b""), (204, {}, b"")) as (url, seen):
        kind(url).delete("a.txt")
        assert len(seen) == 2


@CLIENTS
def test_nobody_at_the_address_is_told_in_one_error(kind: Callable[..., Client]) -> None:
    with scripted((200, {}, READY)) as (url, _):
        pass
    with pytest.raises(Unreachable, match=url):
        kind(url, patience=0).ready()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"no key", NotAllowed),
        (403, b'{"detail": 3}', NotAllowed),
        (400, b"[]", BadRequest),
        (422, b"\xff", BadRequest),
        (500, b"{}", Failed),
        (302, b"", BadRequest),
        (200, b"<html>", NotPincite),
        (200, b'{"status": "alive"}', NotPincite),
    ],
)
@CLIENTS
def test_whatever_answers_is_a_typed_error(
    kind: Callable[..., Client], status: int, body: bytes, error: type[Exception]
) -> None:
    with scripted((status, {}, body)) as (url, _), pytest.raises(error) as caught:
        kind(url, key="secret").ready()
    assert "secret" not in str(caught.value)


@CLIENTS
@pytest.mark.parametrize("body", [b"", b'{"status": ', b'{"type": "urn:pincite:problem:blank", "status": 422}\n'])
def test_a_batch_that_breaks_off_is_an_error(kind: Callable[..., Client], body: bytes) -> None:
    for headers in ({}, {"Content-Length": "1000"}):
        with scripted((200, headers, body)) as (url, _), pytest.raises(Unreachable):
            list(kind(url).ask_batch(["a", "b"]))


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b""))), st.integers(1, 7))
def test_lines_are_put_together_whatever_parts_they_come_in(whole: list[bytes], size: int) -> None:
    sent = b"".join(line + b"\n" for line in whole)
    lines = Lines()
    parts = [sent[start : start + size] for start in range(0, len(sent), size)]
    assert [line for part in parts for line in lines.add(part)] == whole


@given(st.lists(st.sampled_from([".", "..", "a", "%2e", "ä b", "?", "#", "%", ""]), min_size=1).map("/".join))
def test_a_source_in_a_path_is_that_source(source: str) -> None:
    from urllib.parse import unquote

    import httpx

    path = httpx.URL(f"http://x/v1/documents/{escaped(source)}").raw_path.decode()
    assert unquote(path.removeprefix("/v1/documents/")) == source


def test_the_client_is_light_to_import() -> None:
    script = "import sys, service.client.client; print([name for name in sys.modules])"
    names = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for heavy in ("litestar", "numpy", "faiss", "onnxruntime", "prometheus_client", "structlog", "opentelemetry"):
        assert f"'{heavy}'" not in names
