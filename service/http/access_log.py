"""The outermost layer: a request gets its id, and is counted, timed and logged, whether it is answered or refused.

It goes by the template of its path, `/v1/documents/{source}`: neither logs nor metrics hold what a caller wrote.
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
HUNG_UP = 499  # what others log as well where the client went away before there was a response


class Access:
    """Wraps everything. `routes` is the application whose routes tell the template of a path."""

    def __init__(self, app: ASGIApp, routes: Litestar) -> None:
        self._app: ASGIApp = Requests(app, PrometheusConfig(prefix="pincite", buckets=list(SECONDS)))
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id, came = str(uuid4()), time.monotonic()
        seen = cast(Scope, {**scope, "state": {**scope.get("state", {}), "request_id": request_id, "came": came}})
        seen["path_template"] = template_of(self.routes, scope)
        status = HUNG_UP

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)["X-Request-Id"] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(seen, receive, sending)
            except Exception:
                status = 500
                raise
            finally:
                facts = {"method": method_of(scope), "route": seen["path_template"], "status": status}
                took = round((time.monotonic() - came) * 1000, 1)
                logger.info("request", extra={**facts, "ms": took})


class Requests(PrometheusMiddleware):
    """Litestar's own metrics. They are taken out here, where requests that find no route are seen as well."""

    def _get_default_labels(self, request: Request[Any, Any, Any]) -> dict[str, str | int | float]:
        scope = request.scope
        return {"method": method_of(scope), "path": scope["path_template"], "status_code": 200}


def template_of(app: Litestar, scope: HTTPScope) -> str:
    """`/v1/documents/{source}`, or "unmatched" where nothing takes the path and the method."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    try:
        return app.asgi_router.handle_routing(path=normalize_path(scope["path"]), method=method)[-1]
    except HTTPException:
        return UNMATCHED


def method_of(scope: HTTPScope) -> str:
    """A caller may make methods up."""
    return scope["method"] if scope["method"] in METHODS else "other"
