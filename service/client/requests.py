"""The client's protocol without I/O: builds requests, decodes responses, decides on retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Generic, TypedDict, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from service import schema
from service.client.errors import NotPincite, Refused, Unreachable, error_of, refusal
from service.version import VERSION

T = TypeVar("T")

BUSY = (429, 502, 503, 504)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0
HERE = "http://127.0.0.1:8000"
TIMEOUT_S = 120.0  # per answer
CONNECT_S = 10.0
PATIENCE_S = 60.0
PAGE = 1000
ENCODING = "cl100k_base"  # that tokens are counted in

Part = tuple[int, int] | None  # bytes, half-open
BatchAnswer = schema.AskResponse | Refused


class AskOptions(TypedDict, total=False):
    """Options of a question; `AskRequest` documents their defaults."""

    max_answers: int
    passages: int
    collection: str
    sources: list[str] | None
    min_confidence: float | None
    nearest: int
    deadline_ms: int | None


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    method: str
    path: str
    decode: Callable[[httpx.Response], T]
    parameters: dict[str, str] = {}
    body: bytes | None = None
    headers: dict[str, str] = {}

    @property
    def reads(self) -> bool:
        """Whether the request is read-only, so that it can be repeated even if a response may be under way."""
        return self.method in ("GET", "POST")


def asking(question: str | schema.AskRequest, options: AskOptions, collection: str) -> Call[schema.AskResponse]:
    if isinstance(question, str):
        question = schema.AskRequest(question=question, **({"collection": collection} | options))
    return posting("/v1/ask", question, decoder(schema.AskResponse))


def asking_batch(questions: Iterable[str], options: AskOptions, collection: str) -> Call[httpx.Response]:
    raw = [msgspec.Raw(msgspec.json.encode(question)) for question in questions]
    request = schema.BatchRequest(questions=raw, **({"collection": collection} | options))
    return posting("/v1/ask/batch", request, lambda response: response)


def searching(query: str, top_k: int, sources: list[str] | None, collection: str) -> Call[schema.SearchResponse]:
    request = schema.SearchRequest(query=query, top_k=top_k, sources=sources, collection=collection)
    return posting("/v1/search", request, decoder(schema.SearchResponse))


def packing(
    question: str, max_tokens: int, encoding: str, sources: list[str] | None, collection: str
) -> Call[schema.ContextResponse]:
    request = schema.ContextRequest(
        question=question, max_tokens=max_tokens, encoding=encoding, sources=sources, collection=collection
    )
    return posting("/v1/context", request, decoder(schema.ContextResponse))


def posting(path: str, request: Struct, decode: Callable[[httpx.Response], T]) -> Call[T]:
    headers = {"Content-Type": "application/json"}
    return Call(method="POST", path=path, body=msgspec.json.encode(request), headers=headers, decode=decode)


def listing(collection: str, cursor: str | None, limit: int) -> Call[schema.DocumentList]:
    parameters = without_none(collection=collection, cursor=cursor, limit=str(limit))
    return Call(method="GET", path="/v1/documents", parameters=parameters, decode=decoder(schema.DocumentList))


def recording(source: str, collection: str) -> Call[schema.DocumentRecord]:
    path, parameters = f"/v1/documents/{escaped(source)}", {"collection": collection}
    return Call(method="GET", path=path, parameters=parameters, decode=decoder(schema.DocumentRecord))


def putting(
    source: str,
    file: bytes,
    media_type: str | None,
    guards: Mapping[str, str | None],
    metadata: Mapping[str, str | None],
) -> Call[schema.DocumentRecord]:
    """`told`: query parameters. `guards`: If-Match and If-None-Match."""
    return Call(
        method="PUT",
        path=f"/v1/documents/{escaped(source)}",
        parameters=without_none(**metadata),
        body=file,
        headers=without_none(**{"Content-Type": media_type}, **guards),
        decode=decoder(schema.DocumentRecord),
    )


def deleting(source: str, collection: str, if_match: str | None) -> Call[None]:
    return Call(
        method="DELETE",
        path=f"/v1/documents/{escaped(source)}",
        parameters={"collection": collection},
        headers=without_none(**{"If-Match": if_match}),
        decode=lambda _: None,
    )


def fetching(source: str, collection: str, sha256: str | None, part: tuple[int, int] | None) -> Call[bytes]:
    """`part`: bytes, half-open, as in a citation's `range.byte`."""
    byte_range = None if part is None else f"bytes={part[0]}-{part[1] - 1}"
    return Call(
        method="GET",
        path=f"/v1/files/{escaped(source)}",
        parameters=without_none(collection=collection, sha256=sha256),
        headers=without_none(Range=byte_range),
        decode=lambda response: response.content,
    )


def viewing(source: str, collection: str) -> Call[schema.TextView]:
    path, parameters = f"/v1/texts/{escaped(source)}", {"collection": collection}
    return Call(method="GET", path=path, parameters=parameters, decode=decoder(schema.TextView))


def listing_collections() -> Call[schema.CollectionList]:
    return Call(method="GET", path="/v1/collections", decode=decoder(schema.CollectionList))


def making_collection(name: str, encoder: str | None) -> Call[schema.CollectionInfo]:
    request = schema.CollectionRequest(encoder=encoder)
    return Call(
        method="PUT",
        path=f"/v1/collections/{escaped(name)}",
        body=msgspec.json.encode(request),
        headers={"Content-Type": "application/json"},
        decode=decoder(schema.CollectionInfo),
    )


def dropping_collection(name: str) -> Call[None]:
    return Call(method="DELETE", path=f"/v1/collections/{escaped(name)}", decode=lambda _: None)


def looking() -> Call[schema.Ready]:
    return Call(method="GET", path="/ready", decode=decoder(schema.Ready))


def without_none(**values: str | None) -> dict[str, str]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def escaped(source: str) -> str:
    """Escape a source for a path. A segment of dots would be normalised away and lead to another route.

    >>> escaped("a/b c.txt"), escaped("../x")
    ('a/b%20c.txt', '%2E%2E/x')
    """
    segments = (quote(segment, safe="") for segment in source.split("/"))
    return "/".join(segment.replace(".", "%2E") if segment in (".", "..") else segment for segment in segments)


def decoder(kind: type[T]) -> Callable[[httpx.Response], T]:
    def decode(response: httpx.Response) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise not_pincite(response, str(error)) from error

    return decode


def not_pincite(response: httpx.Response, reason: str) -> NotPincite:
    url = str(response.url.copy_with(path="/", query=None)).rstrip("/")
    return NotPincite(url=url, status=response.status_code, path=response.url.path, reason=reason)


class Lines:
    r"""Splits a stream into lines; httpx would also split at U+2028.

    >>> lines = Lines(); lines.add(b'{"a": 1}\n{"b"'), lines.add(b": 2}\n")
    ([b'{"a": 1}'], [b'{"b": 2}'])
    """

    def __init__(self) -> None:
        self._rest = b""

    def add(self, part: bytes) -> list[bytes]:
        *whole, self._rest = (self._rest + part).split(b"\n")
        return whole


class Batch:
    """Decodes the answers to a batch from parts of the body."""

    def __init__(self, questions: Sequence[str], response: httpx.Response) -> None:
        self._remaining = len(questions)
        self._response = response
        self._lines = Lines()

    def add(self, part: bytes) -> list[schema.AskResponse | Refused]:
        answers = [self._answer(line) for line in self._lines.add(part)]
        self._remaining -= len(answers)
        return answers

    def end(self) -> None:
        """Raise Unreachable if answers are missing."""
        if self._remaining:
            raise Unreachable(
                url=str(self._response.url), reason=f"it was cut off with {self._remaining} answers missing"
            )

    def _answer(self, line: bytes) -> schema.AskResponse | Refused:
        try:
            return msgspec.json.decode(line, type=schema.AskResponse)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            try:
                return error_of(msgspec.json.decode(line, type=dict[str, object]))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise not_pincite(self._response, str(error)) from error


class Attempts:
    """Decides on retries: growing pauses, for a limited time in all."""

    def __init__(self, url: str, call: Call[T], seconds: float) -> None:
        self._url = url
        self._reads = call.reads
        self._until = time.monotonic() + seconds
        self._pause = FIRST_PAUSE_S

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds to wait before the next try. Raises Unreachable if there is none.

        A request that changes something is repeated only if it never arrived.
        """
        unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        pause = self._next(0.0)
        if pause is None or not (self._reads or unsent):
            raise Unreachable(url=self._url, reason=str(error) or type(error).__name__) from error
        return pause

    def after_answer(self, response: httpx.Response) -> float:
        """Seconds to wait before the next try. Raises the service's error if there is none."""
        pause = self._next(seconds(response.headers.get("retry-after"))) if response.status_code in BUSY else None
        if pause is None:
            raise refusal(response.status_code, response.content)
        return pause

    def _next(self, least: float) -> float | None:
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        pause = max(least, self._pause * random.uniform(0.5, 1))  # noqa: S311  # so that many clients do not come at once
        return pause if time.monotonic() + pause <= self._until else None


def seconds(retry_after: str | None) -> float:
    """The Retry-After header in seconds; it is a number or a date.

    >>> seconds("3"), seconds("soon")
    (3.0, 0.0)
    """
    if not retry_after:
        return 0.0
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


def headers(key: str | None) -> dict[str, str]:
    return {"User-Agent": f"pincite/{VERSION}"} | ({"Authorization": f"Bearer {key}"} if key else {})


def limits(timeout: float) -> httpx.Timeout:
    return httpx.Timeout(timeout, connect=min(timeout, CONNECT_S))


def request_for(http: httpx.Client | httpx.AsyncClient, call: Call[T]) -> httpx.Request:
    parameters = call.parameters or None
    return http.build_request(call.method, call.path, params=parameters, content=call.body, headers=call.headers)
