"""What the HTTP server refuses before the application sees it, and the bare answer to it.

llhttp refuses by itself what is ambiguous about where a message ends: both framings at once, lengths that repeat,
folded headers, line ends without a carriage return. The rest is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from service.limits import ConnectionLimits

Headers = Sequence[tuple[bytes, bytes]]  # names in lower case


class Refused(Exception):
    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def malformed() -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "This is not a well-formed HTTP/1.1 request.")


def too_slow(what: str) -> Refused:
    return Refused(HTTPStatus.REQUEST_TIMEOUT, f"The {what} came too slowly.")


def too_many_connections() -> Refused:
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections. Try again in 1 s.")


def head_too_large(limits: ConnectionLimits) -> Refused:
    reason = f"The request line and the headers may have {limits.header_bytes} bytes, in {limits.headers} headers."
    return Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)


def check_head(version: str, target: bytes, headers: Headers, limits: ConnectionLimits) -> None:
    """Raise Refused where the head is too large, or where another server could read it differently."""
    size = len(target) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
    if size > limits.header_bytes or len(headers) > limits.headers:
        raise head_too_large(limits)
    hosts = len(values_of(headers, b"host"))
    codings = [coding.lower() for coding in values_of(headers, b"transfer-encoding")]
    known = {"1.0": hosts <= 1 and not codings, "1.1": hosts == 1 and codings in ([], [b"chunked"])}
    if not known.get(version, False) or b"#" in target:
        raise malformed()


def with_authority(target: bytes, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers with the host that the target names, if it names one: that one counts (RFC 9112, 3.2.2).

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
    """Bare: a status, a line of text, and no more requests on this connection."""
    text = f"{refusal.reason}\n"
    retry = "retry-after: 1\r\n" if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\n"
        f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n{retry}connection: close\r\n\r\n"
    )
    return (head + text).encode("ascii")
