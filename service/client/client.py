"""The client of a running service: asks questions, and reads and writes documents.

Requests are retried for `patience` seconds if the service is busy or unreachable, following Retry-After. Methods raise
the errors of `service.client.errors`: Refused, with the facts of the problem; Unreachable; NotPincite.

`aio/client.py` is the asyncio client; `python -m service.client.generate` generates the synchronous `client.py` from
it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Self, TypeVar, Unpack

import httpx

from service import schema
from service.client import requests
from service.client.errors import Unreachable
from service.client.requests import (
    ENCODING,
    HERE,
    PAGE,
    PATIENCE_S,
    TIMEOUT_S,
    AskOptions,
    Attempts,
    Batch,
    BatchAnswer,
    Call,
    Part,
    headers,
    limits,
    request_for,
)

T = TypeVar("T")


class Pincite:
    """A thread-safe client. `key` is sent as a bearer token; `collection` is used by all calls."""

    def __init__(
        self,
        url: str = HERE,
        *,
        key: str | None = None,
        collection: str = "default",
        timeout: float = TIMEOUT_S,
        patience: float = PATIENCE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.collection = collection
        self._patience = patience
        self._http = httpx.Client(base_url=self.url, headers=headers(key), timeout=limits(timeout), transport=transport)

    def ask(self, question: str | schema.AskRequest, **options: Unpack[AskOptions]) -> schema.AskResponse:
        return self._run(requests.asking(question, options, self.collection))

    def ask_batch(self, questions: Sequence[str], **options: Unpack[AskOptions]) -> Iterator[BatchAnswer]:
        """The answers in order, each as soon as it arrives. A rejected question yields its error."""
        response = self._send(requests.asking_batch(questions, options, self.collection), stream=True)
        batch = Batch(questions, response)
        try:
            for part in response.iter_bytes():
                for answer in batch.add(part):
                    yield answer
        except httpx.TransportError as error:
            raise Unreachable(url=self.url, reason=str(error) or type(error).__name__) from error
        finally:
            response.close()
        batch.end()

    def search(self, query: str, top_k: int = 10, sources: list[str] | None = None) -> schema.SearchResponse:
        return self._run(requests.searching(query, top_k, sources, self.collection))

    def context(
        self, question: str, max_tokens: int, encoding: str = ENCODING, sources: list[str] | None = None
    ) -> schema.ContextResponse:
        """Passages for your own model, and the citations of their marks."""
        return self._run(requests.packing(question, max_tokens, encoding, sources, self.collection))

    def documents(self) -> Iterator[schema.DocumentRecord]:
        """All documents, ordered by source, fetched page by page."""
        cursor = None
        while True:
            page = self._run(requests.listing(self.collection, cursor, PAGE))
            for document in page.documents:
                yield document
            if (cursor := page.next) is None:
                return

    def document(self, source: str) -> schema.DocumentRecord:
        return self._run(requests.recording(source, self.collection))

    def put(
        self,
        source: str,
        file: bytes,
        *,
        media_type: str | None = None,
        title: str | None = None,
        url: str | None = None,
        date: str | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> schema.DocumentRecord:
        """Add or replace a document. On return, it is durable and visible to the next question."""
        metadata = {"collection": self.collection, "title": title, "url": url, "date": date}
        guards = {"If-Match": if_match, "If-None-Match": if_none_match}
        return self._run(requests.putting(source, file, media_type, guards, metadata))

    def delete(self, source: str, *, if_match: str | None = None) -> None:
        self._run(requests.deleting(source, self.collection, if_match))

    def file(self, source: str, *, sha256: str | None = None, part: Part = None) -> bytes:
        """The original file as indexed; with `sha256`, also a version replaced less than ten minutes ago."""
        return self._run(requests.fetching(source, self.collection, sha256, part))

    def text(self, source: str) -> schema.TextView:
        return self._run(requests.viewing(source, self.collection))

    def collections(self) -> list[schema.CollectionInfo]:
        return (self._run(requests.listing_collections())).collections

    def make_collection(self, name: str, encoder: str | None = None) -> schema.CollectionInfo:
        return self._run(requests.making_collection(name, encoder))

    def drop_collection(self, name: str) -> None:
        self._run(requests.dropping_collection(name))

    def ready(self) -> schema.Ready:
        return self._run(requests.looking())

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        return call.decode(self._send(call))

    def _send(self, call: Call[T], *, stream: bool = False) -> httpx.Response:
        attempts = Attempts(self.url, call, self._patience)
        while True:
            try:
                response = self._http.send(request_for(self._http, call), stream=stream)
                if response.is_success:
                    return response
                response.read()
                response.close()
                pause = attempts.after_answer(response)
            except httpx.TransportError as error:
                pause = attempts.after_error(error)
            time.sleep(pause)
