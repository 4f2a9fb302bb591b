"""Access without keys, and the security headers of every response."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from service.auth.cors import Pages
from service.auth.keys import Keyring
from service.errors import (
    ForeignHost,
    ForeignOrigin,
    ForeignRequest,
    OriginNotListed,
    RequestError,
)
from service.http import problems

NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGES = ("/schema", "/schema/")
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Origin",
}


class Perimeter:
    """Outer middleware, so that its checks and headers also cover unknown paths and failures.

    Until the first key is created, and unless anonymous access is allowed, only this machine gets answers. Host and
    Origin must then name this machine too, because a web page can send requests through its visitor's browser (DNS
    rebinding).
    """

    def __init__(self, app: ASGIApp, keys: Keyring, pages: Pages, *, allow_anonymous: bool) -> None:
        self.app = app
        self.keys = keys
        self.pages = pages
        self.allow_anonymous = allow_anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        inner_scope = as_get(scope) if scope["method"] == "HEAD" else scope
        app = self.app
        if error := self.refused(scope):
            app = refusal(error, scope["state"]["request_id"])
        await app(inner_scope, receive, _with_headers(send, headers_for(scope["path"])))

    def refused(self, scope: HTTPScope) -> RequestError | None:
        """The error that rejects a request before it is routed, or None."""
        unlisted = [origin for origin in headers_in(scope, b"origin") if not self.pages.is_origin_allowed(origin)]
        if not self.keys.configured and not self.allow_anonymous:
            if is_elsewhere(scope["client"]):
                return ForeignRequest()
            if error := foreign(headers_in(scope, b"host"), unlisted):
                return error
        if unlisted and scope["method"] == "OPTIONS":  # a CORS preflight request
            return OriginNotListed()
        return None


def as_get(scope: Scope) -> Scope:
    """Treat HEAD as GET; the server drops the body. Range applies to GET only (RFC 9110, 14.2)."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    return cast(Scope, {**scope, "method": "GET", "headers": headers})


def headers_for(path: str) -> dict[str, str]:
    """Security headers. Pages may load their own scripts and styles; other responses may load nothing."""
    return HEADERS | {"Content-Security-Policy": PAGE if path in PAGES else NOTHING}


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Add `headers` to the response, unless it already sets them."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = MutableScopeHeaders.from_message(message)
            for name, value in headers.items():
                present.setdefault(name, value)
        await send(message)

    return sending


def headers_in(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def foreign(hosts: list[str], origins: list[str]) -> ForeignRequest | None:
    """The error for a foreign Host or Origin header, or None.

    >>> foreign(["localhost:8000"], [])
    >>> foreign(["evil.example"], [])
    ForeignHost()
    """
    if len(hosts) != 1 or not is_this_machine(hosts[0]):
        return ForeignHost()
    if any(not is_own_origin(origin) for origin in origins):
        return ForeignOrigin()
    return None


def is_own_origin(origin: str) -> bool:
    scheme, separator, host = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and is_this_machine(host)


def is_this_machine(host: str) -> bool:
    """Whether a Host header names this machine: `localhost`, `127.0.0.1:8000`, `[::1]:8000`."""
    if not re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?", host):
        return False
    return is_loopback(urlsplit(f"//{host}").hostname or "")


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only: `localhost`, `127.0.0.1`, `::1`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_elsewhere(client: tuple[str, int] | None) -> bool:
    """Whether a request came over the network. Requests through a Unix socket have no client address."""
    try:
        return client is not None and not ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def refusal(error: RequestError, request_id: str) -> ASGIApp:
    return ASGIResponse(
        body=problems.encode_problem(error, request_id),
        status_code=problems.kind_of(error).status,
        media_type=problems.MEDIA_TYPE,
        headers=problems.headers_of(error),
    )
