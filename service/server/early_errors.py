"""Errors that the HTTP server reports before the application sees a request, and their bare responses.

llhttp itself rejects requests whose end is ambiguous: both framings at once, repeated lengths, folded headers, line
ends without a carriage return. The rest is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from service.limits import ConnectionLimits

Headers = Sequence[tuple[bytes, bytes]]  # lower-case names


class Refused(Exception):
    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def malformed() -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "This is not a well-formed HTTP/1.1 request.")


def too_slow(what: str) -> Refused:
    return Refused(HTTPStatus.REQUEST_TIMEOUT, f"The {what} arrived too slowly.")


def too_many_connections() -> Refused:
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections. Retry after 1 s.")


def head_too_large(limits: ConnectionLimits) -> Refused:
    reason = f"The request line and headers are limited to {limits.header_bytes} bytes and {limits.headers} headers."
    return Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)


def check_head(version: str, target: bytes, headers: Headers, limits: ConnectionLimits) -> None:
    """Raise Refused if the headers are too large, or if another server could read them differently."""
    size = len(target) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
    if size > limits.header_bytes or len(headers) > limits.headers:
        raise head_too_large(limits)
    hosts = len(values_of(headers, b"host"))
    codings = [coding.lower() for coding in values_of(headers, b"transfer-encoding")]
    allowed = {"1.0": hosts <= 1 and not codings, "1.1": hosts == 1 and codings in ([], [b"chunked"])}
    if not allowed.get(version, False) or b"#" in target:
        raise malformed()


def with_authority(target: bytes, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers with the host of an absolute request target, which takes precedence (RFC 9112, 3.2.2).

    >>> with_authority(b"http://localhost:8000/health", [(b"host", b"example.com")])
    [(b'host', b'localhost:8000')]
    """
    if target.startswith(b"/") or target == b"*":
        return list(headers)
    scheme, _, rest = target.partition(b"://")
    authority, slash, _ = rest.partition(b"/")
    if scheme.lower() not in (b"http", b"https") or not slash or b"@" in authority or b"?" in authority:
        raise malformed()
    return [(b"host", authority), *((name, value) for name, value in headers if name != b"host")]


def values_of(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def answer_to(refusal: Refused) -> bytes:
    """A bare response: a status and a line of text; the connection is closed."""
    text = f"{refusal.reason}\n"
    retry = "retry-after: 1\r\n" if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\n"
        f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n{retry}connection: close\r\n\r\n"
    )
    return (head + text).encode("ascii")
