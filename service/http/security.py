"""Who may ask at all, and the headers that every response carries."""

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
    """Wraps the application, so that what it does holds for unknown paths and failures as well.

    Where no key was ever made, and nobody said that anyone may ask, this machine alone is answered. Then Host and
    Origin must be its own too, as a page of another site may send requests by way of its browser (DNS rebinding).
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
        seen = as_get(scope) if scope["method"] == "HEAD" else scope
        app = self.app
        if error := self.refused(scope):
            app = refusal(error, scope["state"]["request_id"])
        await app(seen, receive, _with_headers(send, headers_for(scope["path"])))

    def refused(self, scope: HTTPScope) -> RequestError | None:
        """Why nothing of a request is looked at, if so."""
        unlisted = [origin for origin in headers_in(scope, b"origin") if not self.pages.is_origin_allowed(origin)]
        if not self.keys.configured and not self.allow_anonymous:
            if is_elsewhere(scope["client"]):
                return ForeignRequest()
            if error := foreign(headers_in(scope, b"host"), unlisted):
                return error
        if unlisted and scope["method"] == "OPTIONS":  # the browser asks whether the page may ask
            return OriginNotListed()
        return None


def as_get(scope: Scope) -> Scope:
    """HEAD as the GET that it asks about; the server leaves the body out. Ranges are for GET alone (RFC 9110, 14.2)."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    return cast(Scope, {**scope, "method": "GET", "headers": headers})


def headers_for(path: str) -> dict[str, str]:
    """A page may load its own scripts and styles; nothing else may load anything."""
    return HEADERS | {"Content-Security-Policy": PAGE if path in PAGES else NOTHING}


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Add `headers` to the response, where it does not have them already."""

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
    """What is foreign about a request, judged by its Host and Origin headers.

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
    """Whether an address can be reached from this machine only: `localhost`, `127.0.0.1`, `::1`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_elsewhere(client: tuple[str, int] | None) -> bool:
    """Whether a request came over the network; one through a socket of this machine has no such address."""
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
