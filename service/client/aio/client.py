"""The client of a running service: asks questions, and reads and writes documents.

Requests are retried for `patience` seconds if the service is busy or unreachable, following Retry-After. Methods raise
the errors of `service.client.errors`: Refused, with the facts of the problem; Unreachable; NotPincite.

`aio/client.py` is the asyncio client; `python -m service.client.generate` generates the synchronous `client.py` from
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
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


class AsyncPincite:
    """A thread-safe client. `key` is sent as a bearer token; `collection` is used by all calls."""

    def __init__(
        self,
        url: str = HERE,
        *,
        key: str | None = None,
        collection: str = "default",
        timeout: float = TIMEOUT_S,
        patience: float = PATIENCE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.collection = collection
        self._patience = patience
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=headers(key), timeout=limits(timeout), transport=transport
        )

    async def ask(self, question: str | schema.AskRequest, **options: Unpack[AskOptions]) -> schema.AskResponse:
        return await self._run(requests.asking(question, options, self.collection))

    async def ask_batch(self, questions: Sequence[str], **options: Unpack[AskOptions]) -> AsyncIterator[BatchAnswer]:
        """The answers in order, each as soon as it arrives. A rejected question yields its error."""
        response = await self._send(requests.asking_batch(questions, options, self.collection), stream=True)
        batch = Batch(questions, response)
        try:
            async for part in response.aiter_bytes():
                for answer in batch.add(part):
                    yield answer
        except httpx.TransportError as error:
            raise Unreachable(url=self.url, reason=str(error) or type(error).__name__) from error
        finally:
            await response.aclose()
        batch.end()

    async def search(self, query: str, top_k: int = 10, sources: list[str] | None = None) -> schema.SearchResponse:
        return await self._run(requests.searching(query, top_k, sources, self.collection))

    async def context(
        self, question: str, max_tokens: int, encoding: str = ENCODING, sources: list[str] | None = None
    ) -> schema.ContextResponse:
        """Passages for your own model, and the citations of their marks."""
        return await self._run(requests.packing(question, max_tokens, encoding, sources, self.collection))

    async def documents(self) -> AsyncIterator[schema.DocumentRecord]:
        """All documents, ordered by source, fetched page by page."""
        cursor = None
        while True:
            page = await self._run(requests.listing(self.collection, cursor, PAGE))
            for document in page.documents:
                yield document
            if (cursor := page.next) is None:
                return

    async def document(self, source: str) -> schema.DocumentRecord:
        return await self._run(requests.recording(source, self.collection))

    async def put(
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
        return await self._run(requests.putting(source, file, media_type, guards, metadata))

    async def delete(self, source: str, *, if_match: str | None = None) -> None:
        await self._run(requests.deleting(source, self.collection, if_match))

    async def file(self, source: str, *, sha256: str | None = None, part: Part = None) -> bytes:
        """The original file as indexed; with `sha256`, also a version replaced less than ten minutes ago."""
        return await self._run(requests.fetching(source, self.collection, sha256, part))

    async def text(self, source: str) -> schema.TextView:
        return await self._run(requests.viewing(source, self.collection))

    async def collections(self) -> list[schema.CollectionInfo]:
        return (await self._run(requests.listing_collections())).collections

    async def make_collection(self, name: str, encoder: str | None = None) -> schema.CollectionInfo:
        return await self._run(requests.making_collection(name, encoder))

    async def drop_collection(self, name: str) -> None:
        await self._run(requests.dropping_collection(name))

    async def ready(self) -> schema.Ready:
        return await self._run(requests.looking())

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, call: Call[T]) -> T:
        return call.decode(await self._send(call))

    async def _send(self, call: Call[T], *, stream: bool = False) -> httpx.Response:
        attempts = Attempts(self.url, call, self._patience)
        while True:
            try:
                response = await self._http.send(request_for(self._http, call), stream=stream)
                if response.is_success:
                    return response
                await response.aread()
                await response.aclose()
                pause = attempts.after_answer(response)
            except httpx.TransportError as error:
                pause = attempts.after_error(error)
            await asyncio.sleep(pause)
