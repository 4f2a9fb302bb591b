"""Authentication and authorization: from a request's headers to the caller's scopes and collections."""

from __future__ import annotations

import re
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp
from msgspec import Struct

from service.auth.keys import READ_ONLY, SCOPES, Keyring, Scope
from service.errors import (
    AccessDenied,
    KeyMissing,
    KeysUnusable,
    KeyUnknown,
    OriginForbidden,
    ScopeMissing,
)

Connection = ASGIConnection[Any, Any, Any, Any]

AccessProblem = AccessDenied | KeysUnusable

BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Caller(Struct, frozen=True):
    """`collections`: None for all. `key`: its id. `page`: whether the key is a page token, shared by many people."""

    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None
    key: str | None = None
    page: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope. An admin has all."""
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, collection: str) -> bool:
        return self.collections is None or collection in self.collections


NOBODY = Caller(frozenset(), frozenset())
EVERYTHING = Caller(frozenset(SCOPES))
READER = Caller(frozenset(READ_ONLY))


class Authentication(AbstractAuthenticationMiddleware):
    """Puts a Caller into Litestar's `user`, or the problem with the key into `auth`.

    It rejects nothing itself, because rejected requests count towards rate limits, and some routes are open to all.
    """

    def __init__(self, app: ASGIApp, keys: Keyring, anonymous: Caller | None) -> None:
        """`anonymous`: who comes without a key. None: this machine may do everything until there is a key."""
        super().__init__(app)
        self._keys = keys
        self._anonymous = anonymous

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        try:
            return AuthenticationResult(self.caller(connection), None)
        except (AccessDenied, KeysUnusable) as error:
            return AuthenticationResult(NOBODY, error)

    def caller(self, connection: Connection) -> Caller:
        """The caller of a request. Raises KeyMissing, KeyUnknown, KeyExpired, OriginForbidden or KeysUnusable."""
        if not self._keys.configured:
            return self._anonymous or EVERYTHING
        self._keys.present()  # while the key file is unreadable, anonymous callers are rejected too
        headers = connection.headers.getall("authorization", [])
        if not headers and self._anonymous is not None:
            return self._anonymous
        if not headers:
            raise KeyMissing
        matched = BEARER.fullmatch(headers[0])
        if len(headers) > 1 or not matched:
            raise KeyUnknown
        key = self._keys.find(matched[1])
        if key.origin is not None and connection.headers.getall("origin", []) != [key.origin]:
            raise OriginForbidden
        collections = None if key.collections is None else frozenset(key.collections)
        return Caller(frozenset(key.scopes), collections, key.id, page=key.origin is not None)


def scope_of(handler: BaseRouteHandler, path: str) -> Scope | None:
    """The scope in a route's `opt`; None if the route is open to all.

    Routes without a scope need `admin`, except the documentation, whose routes are Litestar's own.
    """
    named: Scope | None = handler.opt.get("scope", None if path.startswith("/schema") else "admin")
    return named


async def allowed(connection: Connection, handler: BaseRouteHandler) -> None:
    """The guard of every route. Raises the problem with the key, or ScopeMissing.

    It does not check collections: a route gets an Answering limited to the caller's collections. (It is async, because
    Litestar would run a plain function in a thread.)
    """
    scope = scope_of(handler, connection.scope["path_template"])
    if scope is None or method_of(connection) == "OPTIONS":  # which only lists methods
        return
    if connection.auth is not None:
        raise connection.auth
    if not connection.user.may(scope):
        raise ScopeMissing(scope=scope)


def method_of(connection: Connection) -> str:
    scope = connection.scope
    return scope["method"] if scope["type"] == ScopeType.HTTP else ""
