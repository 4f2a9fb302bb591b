"""Wires the application together from settings and an open index."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.stores.memory import MemoryStore
from litestar.types import ASGIApp

from index.storage.layout import Layout
from service.answering.answering import Answering
from service.auth.callers import EVERYTHING, READER, Authentication, Caller, allowed, scope_of
from service.auth.cors import Pages
from service.auth.keys import Keyring
from service.auth.rates import STORE, limits
from service.http.access_log import Access
from service.http.openapi import asset_routers, openapi_config
from service.http.pages import get_page
from service.http.problems import AppRequest, handle, tell_methods
from service.http.routes.citations import verify_citations
from service.http.routes.collections import delete_collection, get_collection, list_collections, put_collection
from service.http.routes.documents import get_document, get_file, get_text, list_documents, source_of
from service.http.routes.pages import get_page_picture
from service.http.routes.questions import ask, ask_batch, context, search
from service.http.routes.state import Metrics, health, ready
from service.http.routes.writing import delete_document, put_document
from service.http.security import Perimeter
from service.import_guards import hidden
from service.scheduling.compaction import Compaction
from service.scheduling.workers import ChangeWorkers, UploadLimit, Workers
from service.settings import AT_ONCE, Settings
from service.telemetry.tracing import Tracing

logger = logging.getLogger("pincite")

IN_FLIGHT = 4  # questions per reading thread: while some are read for, others search and compose
LOOKING = 4  # other calls, which need little CPU
FORGET_S = 60  # seconds between removals of expired rate-limit counters

HANDLERS = (
    ask,
    ask_batch,
    search,
    context,
    verify_citations,
    list_documents,
    get_file,
    get_text,
    get_page_picture,
    list_collections,
    get_collection,
    put_collection,
    delete_collection,
    health,
    ready,
    Metrics,
    get_page,
)

ON_A_DOCUMENT = (get_document, put_document, delete_document)


async def forget_counts(counts: MemoryStore) -> None:
    """Remove expired counters of the rate limits, forever."""
    while True:
        await asyncio.sleep(FORGET_S)
        await counts.delete_expired()


def anonymous(settings: Settings) -> Caller | None:
    """What callers without a key may do on any machine; None: nothing."""
    if settings.allow_anonymous_writes:
        return EVERYTHING
    return READER if settings.allow_anonymous else None


def always(value: object) -> Provide:
    """A dependency with the same value for every request."""
    return Provide(lambda: value, sync_to_thread=False)


def create_app(answering: Answering, settings: Settings) -> ASGIApp:
    """The service as an ASGI application. It closes `answering` on shutdown.

    Keys are read from the index; changes to them take effect while it runs.
    """
    keys = Keyring(answering.index and Layout(answering.index).keys)
    counts = MemoryStore()
    pages = Pages(settings.cors_origins, keys)
    elsewhere = AT_ONCE if settings.chooser else 0  # waiting for a language model must not block other questions
    lanes = {
        "questions": Workers(IN_FLIGHT * settings.threads + elsewhere, settings.waiting),
        "workers": Workers(LOOKING, settings.waiting),
    }
    changes = ChangeWorkers(settings.waiting)
    tracing = Tracing.start(settings.otlp) if settings.otlp else None

    @asynccontextmanager
    async def open_for_work(_: Litestar) -> AsyncIterator[None]:
        compaction = Compaction(answering.compact, settings.compact_s)
        compacting = asyncio.create_task(compaction.run())
        forgetting = asyncio.create_task(forget_counts(counts))
        yield
        forgetting.cancel()
        compaction.stop()
        await compacting  # its thread uses connections that are closed below
        for workers in lanes.values():
            workers.close()
        changes.close()
        answering.close()
        if tracing:
            tracing.stop()
        logger.info("stopped")

    documents = Router("/", route_handlers=[*ON_A_DOCUMENT], request_max_body_size=settings.max_document_bytes)

    def answering_for(request: AppRequest) -> Answering:
        closed = scope_of(request.route_handler, request.scope["path_template"]) is not None
        return answering.limited_to(request.user.collections) if closed else answering

    without_plugin = hidden("litestar.plugins.opentelemetry")  # `tracing` loads it on request instead
    app = without_plugin(Litestar)(
        route_handlers=[*HANDLERS, documents, *asset_routers()],
        dependencies={
            "answering": Provide(answering_for, sync_to_thread=False),
            "settings": always(settings),
            "uploads": always(UploadLimit(settings.max_uploads)),
            "changes": always(changes),
            "name": Provide(source_of, sync_to_thread=False),
            **{name: always(workers) for name, workers in lanes.items()},
        },
        middleware=[
            DefineMiddleware(Authentication, keys=keys, anonymous=anonymous(settings)),
            *limits(settings.rate_limit, settings.address_limit),
        ],
        guards=[allowed],
        cors_config=pages,
        stores={STORE: counts},
        exception_handlers={Exception: handle},
        before_send=[tell_methods],
        lifespan=[open_for_work],
        openapi_config=openapi_config(),
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    guarded = Perimeter(app, keys, pages, allow_anonymous=settings.allow_anonymous)
    return Access(tracing.around(guarded) if tracing else guarded, routes=app)
