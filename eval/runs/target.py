"""The system under evaluation: an index opened in this process, or a running service over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import httpx

from eval.errors import ServiceRefused
from eval.metrics.scoring import ServedDocument
from index.collections.addresses import Address
from index.errors import DocumentNotFound
from service import schema
from service.answering.answering import Answering
from service.client import errors
from service.client.client import Pincite
from service.client.errors import NotFound, NotPincite, Refused
from service.client.requests import BUSY, PATIENCE_S


class Target(Protocol):
    """Answers questions and serves the cited documents. Thread-safe."""

    @property
    def name(self) -> str: ...

    def ready(self) -> schema.Ready: ...

    def ask(self, request: schema.AskRequest) -> schema.AskResponse: ...

    def source(self, name: str) -> ServedDocument | None:
        """The served document; None if it does not exist."""

    def close(self) -> None: ...


class InProcess:
    """An index opened in this process."""

    def __init__(self, answering: Answering, index: Path | Address, collection: str) -> None:
        self.name = str(index)
        self.answering = answering
        self._searcher = answering.searcher(collection)

    @classmethod
    def open(
        cls,
        index: Path,
        collection: str = "default",
        encoder: str | None = None,
        reader: str | None = None,
        store: Address | None = None,
    ) -> InProcess:
        """Raises what `Answering.open` raises, and CollectionNotFound."""
        answering = Answering.open(index, store=store, encoder=encoder, reader=reader, collection=collection)
        return cls(answering, store or index, collection)

    def ready(self) -> schema.Ready:
        return self.answering.ready()

    def ask(self, request: schema.AskRequest) -> schema.AskResponse:
        return self.answering.ask(request, request_id="")

    def source(self, name: str) -> ServedDocument | None:
        try:
            content = self._searcher.content(self._searcher.document(name).number)
        except DocumentNotFound:
            return None
        return ServedDocument(content.file, content.text, [(span.start, span.end) for span in content.sentences])

    def close(self) -> None:
        self.answering.close()


class Unreachable(Exception):
    """The service was away for longer than `patience`; `reason` says why."""


class OverHttp:
    """A running service. Retries for up to `patience` seconds per call if it is busy or away."""

    def __init__(
        self,
        url: str,
        collection: str = "default",
        key: str | None = None,
        patience: float = PATIENCE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._client = Pincite(url, key=key, collection=collection, patience=patience, transport=transport)
        self.name = self._client.url
        self.source = lru_cache(maxsize=None)(self._source)

    def ready(self) -> schema.Ready:
        with self._in_our_words("/ready"):
            return self._client.ready()

    def ask(self, request: schema.AskRequest) -> schema.AskResponse:
        with self._in_our_words("/v1/ask"):
            return self._client.ask(request)

    def close(self) -> None:
        self._client.close()

    def _source(self, name: str) -> ServedDocument | None:
        with self._in_our_words(name):
            try:
                file, view = self._client.file(name), self._client.text(name)
            except NotFound:
                return None
            return ServedDocument(file, view.text, [sentence.codepoint for sentence in view.sentences])

    @contextmanager
    def _in_our_words(self, what: str) -> Iterator[None]:
        """Raises Unreachable, or ServiceRefused if a retry cannot help."""
        try:
            yield
        except errors.Unreachable as error:
            raise Unreachable(error.facts["reason"]) from error
        except NotPincite as error:
            detail = f"not Pincite: {error.facts['reason']}"
            raise ServiceRefused(url=self.name, status=error.facts["status"], what=what, detail=detail) from error
        except Refused as error:
            status = error.facts["status"]
            if status in BUSY:
                raise Unreachable(f"status {status}") from error
            raise ServiceRefused(url=self.name, status=status, what=what, detail=error.facts["detail"]) from error
