"""OpenTelemetry traces, if enabled. Otherwise nothing of it is imported, and spans cost nothing.

A span has a request's method, route template and status; never its query, a source or a question.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from service.version import VERSION

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

EXPORT_S = 5  # timeout of the collector; also the longest delay of a shutdown
UNTRACED = ["^/health$", "^/ready$", "^/metrics$"]  # requested by probes and scrapers all the time
OFF: AbstractContextManager[None] = nullcontext()


class Tracing:
    """The tracing of this process."""

    tracer: Tracer | None = None

    @classmethod
    def start(cls, url: str) -> Tracing:
        """Send spans to `/v1/traces` of the OTLP/HTTP collector at `url`."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": "pincite", "service.version": VERSION})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=url.rstrip("/") + "/v1/traces", timeout=EXPORT_S)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        cls.tracer = provider.get_tracer("pincite")
        return cls(provider)

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application with a span for each request, by Litestar's plugin.

        The plugin sees the route template as the path and no query, because it records both.
        """
        from litestar.enums import ScopeType
        from litestar.plugins.opentelemetry import OpenTelemetryConfig

        async def restored(scope: Scope, receive: Receive, send: Send) -> None:
            await app(cast(dict[str, Any], scope).get("pincite", scope), receive, send)

        config = OpenTelemetryConfig(
            tracer_provider=self._provider,
            scope_span_details_extractor=details,
            exclude=UNTRACED,
            exclude_spans=["receive", "send"],
        )
        traced = config.middleware(restored)

        async def with_template(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP:
                template = scope["path_template"]
                changed = {"path": template if template.startswith("/") else "/", "query_string": b"", "pincite": scope}
                scope = cast("Scope", {**scope, **changed})
            await traced(scope, receive, send)

        return with_template

    def stop(self) -> None:
        """Flush what has not been sent."""
        type(self).tracer = None
        self._provider.shutdown()


def details(scope: Scope) -> tuple[str, dict[str, Any]]:
    """The name and the attributes of a request's span."""
    route = scope["path_template"]
    return f"{scope.get('method')} {route}", {"http.route": route}


def span(name: str) -> AbstractContextManager[Span | None]:
    """A child of the current span, if tracing is enabled."""
    return OFF if Tracing.tracer is None else _span(Tracing.tracer, name)


@contextmanager
def _span(tracer: Tracer, name: str) -> Iterator[Span]:
    """Record an error by its class alone: its message may quote the question."""
    from opentelemetry.trace import Status, StatusCode

    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as begun:
        try:
            yield begun
        except BaseException as error:
            begun.set_status(Status(StatusCode.ERROR))
            begun.set_attribute("error.type", type(error).__name__)
            raise
