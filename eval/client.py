"""What is evaluated: an index opened in process, or any running service over HTTP."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from eval.errors import ServiceRefused
from index.errors import DocumentNotFound
from service import schema
from service.answering import Answering

PATIENCE = 60.0  # seconds that a service may be away or busy
TIMEOUT = 120.0  # seconds for one answer
BUSY = (429, 502, 503, 504)
T = TypeVar("T")


class Source(Struct, frozen=True):
    """A document as it is served: the file, and the spans of its sentences in code points."""

    file: bytes
    text: str
    sentences: list[schema.Pair]


class Target(Protocol):
    """Answers questions and hands out the documents that it cites. Safe in many threads at once."""

    @property
    def name(self) -> str: ...

    def ready(self) -> schema.Ready: ...

    def ask(self, request: schema.AskRequest) -> schema.AskResponse: ...

    def source(self, name: str) -> Source | None:
        """None where there is no such document."""

    def close(self) -> None: ...


class InProcess:
    """An index on this machine."""

    def __init__(self, answering: Answering, index: Path, collection: str) -> None:
        self.name = str(index)
        self.answering = answering
        self._searcher = answering.searcher(collection)

    @classmethod
    def open(
        cls, index: Path, collection: str = "default", encoder: str | None = None, reader: str | None = None
    ) -> InProcess:
        """Raises what `Answering.open` raises, and CollectionNotFound."""
        return cls(Answering.open(index, encoder=encoder, reader=reader, collection=collection), index, collection)

    def ready(self) -> schema.Ready:
        return self.answering.ready()

    def ask(self, request: schema.AskRequest) -> schema.AskResponse:
        return self.answering.ask(request, request_id="")

    def source(self, name: str) -> Source | None:
        try:
            content = self._searcher.content(self._searcher.document(name).number)
        except DocumentNotFound:
            return None
        return Source(content.file, content.text, [(span.start, span.end) for span in content.sentences])

    def close(self) -> None:
        self.answering.close()


class Unreachable(Exception):
    """The service stayed away for longer than it may; `reason` says how."""


class OverHttp:
    """A running service. Waits and tries again where it is busy or away, up to `patience` seconds each time."""

    def __init__(
        self,
        url: str,
        collection: str = "default",
        key: str | None = None,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = url.rstrip("/")
        self._collection = collection
        self._patience = patience
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.name, headers=headers, timeout=TIMEOUT, transport=transport)
        self.source = lru_cache(maxsize=None)(self._source)

    def ready(self) -> schema.Ready:
        return self._decoded(self._send("GET", "/ready"), schema.Ready)

    def ask(self, request: schema.AskRequest) -> schema.AskResponse:
        return self._decoded(self._send("POST", "/v1/ask", msgspec.json.encode(request)), schema.AskResponse)

    def close(self) -> None:
        self._http.close()

    def _source(self, name: str) -> Source | None:
        path = f"{quote(name)}?collection={quote(self._collection)}"
        file = self._send("GET", f"/v1/files/{path}", missing=True)
        if file.status_code == 404:
            return None
        view = self._decoded(self._send("GET", f"/v1/texts/{path}"), schema.TextView)
        return Source(file.content, view.text, [sentence.codepoint for sentence in view.sentences])

    def _send(self, method: str, path: str, body: bytes | None = None, *, missing: bool = False) -> httpx.Response:
        """Raises Unreachable, or ServiceRefused where waiting does not help. With `missing`, 404 is an answer."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        until = time.monotonic() + self._patience
        pause = 0.25
        while True:
            wait = pause = min(2 * pause, 10.0)
            try:
                response = self._http.request(method, path, content=body, headers=headers)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                if response.is_success or (missing and response.status_code == 404):
                    return response
                if response.status_code not in BUSY:
                    raise ServiceRefused(
                        url=self.name, status=response.status_code, what=path, detail=response.text[:500]
                    )
                reason = f"status {response.status_code}"
                wait = max(wait, _seconds(response.headers.get("retry-after")))
            if time.monotonic() + wait > until:
                raise Unreachable(reason)
            time.sleep(wait)

    def _decoded(self, response: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServiceRefused(
                url=self.name, status=response.status_code, what=response.url.path, detail=f"not Pincite: {error}"
            ) from error


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
