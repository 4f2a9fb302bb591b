"""The outermost middleware: gives each request an id, and counts, times and logs it, whatever the response.

It uses the route template, `/v1/documents/{source}`, so neither logs nor metrics contain a caller's text.
"""

from __future__ import annotations

import logging
import time
from typing import Any, cast
from uuid import uuid4

from litestar import Litestar, Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.plugins.prometheus import PrometheusConfig, PrometheusMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.utils.path import normalize_path

from service.http.problems import METHODS
from service.telemetry.logs import bound_contextvars
from service.telemetry.metrics import SECONDS

logger = logging.getLogger("pincite.access")

UNMATCHED = "unmatched"
HUNG_UP = 499  # nginx's status for a client that disconnected before the response


class Access:
    """Wraps the whole application. `routes`: the Litestar app whose routes give the path templates."""

    def __init__(self, app: ASGIApp, routes: Litestar) -> None:
        self._app: ASGIApp = Requests(app, PrometheusConfig(prefix="pincite", buckets=list(SECONDS)))
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id, received = str(uuid4()), time.monotonic()
        logged = cast(
            Scope, {**scope, "state": {**scope.get("state", {}), "request_id": request_id, "received": received}}
        )
        logged["path_template"] = template_of(self.routes, scope)
        status = HUNG_UP

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)["X-Request-Id"] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(logged, receive, sending)
            except Exception:
                status = 500
                raise
            finally:
                facts = {"method": method_of(scope), "route": logged["path_template"], "status": status}
                took = round((time.monotonic() - received) * 1000, 1)
                logger.info("request", extra={**facts, "ms": took})


class Requests(PrometheusMiddleware):
    """Litestar's own request metrics, moved out here so that they also count requests without a route."""

    def _get_default_labels(self, request: Request[Any, Any, Any]) -> dict[str, str | int | float]:
        scope = request.scope
        return {"method": method_of(scope), "path": scope["path_template"], "status_code": 200}


def template_of(app: Litestar, scope: HTTPScope) -> str:
    """The route template, such as `/v1/documents/{source}`, or "unmatched" if no route takes the path and method."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    try:
        return app.asgi_router.handle_routing(path=normalize_path(scope["path"]), method=method)[-1]
    except HTTPException:
        return UNMATCHED


def method_of(scope: HTTPScope) -> str:
    """The method, or "other": clients can invent methods."""
    return scope["method"] if scope["method"] in METHODS else "other"
