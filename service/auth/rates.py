"""Rate limits per key, and per address for requests without a key."""

from __future__ import annotations

import ipaddress
from typing import Any

from litestar import Request
from litestar.middleware import DefineMiddleware
from litestar.middleware.rate_limit import RateLimitConfig

from service.auth.callers import Caller, scope_of
from service.limits import Rate

STORE = "rates"
HOME = 64  # network prefix of one IPv6 subscriber

AnyRequest = Request[Any, Any, Any]


def limits(keys: Rate | None, addresses: Rate | None) -> list[DefineMiddleware]:
    """Litestar's rate limits, counted per process. Routes that are open to all are not limited.

    Page tokens are shared by many people, so they are counted by address, as are rejected requests.
    """
    middleware = []
    if keys is not None:
        middleware.append(_limit(keys, by_key=True))
    if addresses is not None:
        middleware.append(_limit(addresses, by_key=False))
    return middleware


def _limit(rate: Rate, *, by_key: bool) -> DefineMiddleware:
    def counted(request: AnyRequest) -> bool:
        closed = scope_of(request.route_handler, request.scope["path_template"]) is not None
        return closed and request.method != "OPTIONS" and has_own_key(request.user) == by_key

    def counted_as(request: AnyRequest) -> str:
        return f"key {request.user.key}" if by_key else f"address {address_of(request)}"

    config = RateLimitConfig(
        (rate.unit, rate.requests), identifier_for_request=counted_as, check_throttle_handler=counted, store=STORE
    )
    return config.middleware


def has_own_key(caller: Caller) -> bool:
    return caller.key is not None and not caller.page


def address_of(request: AnyRequest) -> str:
    """The client's network address. Headers such as X-Forwarded-For can be forged and are ignored.

    IPv6 addresses are reduced to a subscriber's prefix: 2001:db8::1 -> 2001:db8::/64
    """
    if request.client is None:
        return "this machine"
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return request.client.host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, HOME), strict=False))
