"""The only wiring: settings and an opened index in, an application out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar
from litestar.di import Provide
from litestar.types import ASGIApp

from index.errors import IndexProblem
from service.access import Access
from service.answering import Answering
from service.documentation import asset_routers, openapi_config
from service.imports import hidden
from service.problems import handle
from service.routes_collections import delete_collection, get_collection, list_collections, put_collection
from service.routes_documents import get_document, get_file, get_text, list_documents, source_of
from service.routes_questions import ask, ask_batch, search
from service.routes_state import Metrics, health, ready
from service.routes_writing import delete_document, put_document
from service.scheduling import Workers
from service.security import Perimeter
from service.settings import Settings
from service.tracing import Tracing

logger = logging.getLogger("pincite")

COMPACT_S = 60  # longer than any question takes
IN_FLIGHT = 4  # questions for each thread that reads: while some are read for, others search and compose
CHANGING = 2  # documents that are prepared at a time, so that questions keep their share of the machine
LOOKING = 4  # other calls: next to no computing

HANDLERS = (
    ask,
    ask_batch,
    search,
    list_documents,
    get_document,
    get_file,
    get_text,
    put_document,
    delete_document,
    list_collections,
    get_collection,
    put_collection,
    delete_collection,
    health,
    ready,
    Metrics,
)


async def compact_now_and_then(answering: Answering) -> None:
    """In a thread of its own, beside the questions."""
    while True:
        await asyncio.sleep(COMPACT_S)
        with suppress(IndexProblem):  # a full disk now may have room the next time
            await asyncio.to_thread(answering.compact)


def always(value: object) -> Provide:
    """A dependency that is one and the same for every request."""
    return Provide(lambda: value, sync_to_thread=False)


def create_app(answering: Answering, settings: Settings) -> ASGIApp:
    """The service as an ASGI application. It closes `answering` when it shuts down."""
    lanes = {
        "questions": Workers(IN_FLIGHT * settings.threads, settings.waiting),
        "changes": Workers(CHANGING, settings.waiting),
        "workers": Workers(LOOKING, settings.waiting),
    }

    tracing = Tracing.start(settings.otlp) if settings.otlp else None

    @asynccontextmanager
    async def open_for_work(_: Litestar) -> AsyncIterator[None]:
        compacting = asyncio.create_task(compact_now_and_then(answering))
        yield
        compacting.cancel()
        for workers in lanes.values():
            workers.close()
        answering.close()
        if tracing:
            tracing.stop()
        logger.info("stopped")

    without_plugin = hidden("litestar.plugins.opentelemetry")  # Litestar would load it; `tracing` does, if asked for
    app = without_plugin(Litestar)(
        route_handlers=[*HANDLERS, *asset_routers()],
        dependencies={
            "answering": always(answering),
            "name": Provide(source_of, sync_to_thread=False),
            **{name: always(workers) for name, workers in lanes.items()},
        },
        exception_handlers={Exception: handle},
        lifespan=[open_for_work],
        openapi_config=openapi_config(),
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    guarded = Perimeter(app, local_only=not settings.allow_anonymous)
    return Access(tracing.around(guarded) if tracing else guarded, routes=app)
