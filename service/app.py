"""The only wiring: settings and an opened index in, an application out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.di import Provide
from litestar.types import ASGIApp

from index.errors import PinciteError
from service.answering import Answering
from service.documentation import asset_routers, openapi_config
from service.problems import handle
from service.routes_citations import verify_citations
from service.routes_collections import delete_collection, get_collection, list_collections, put_collection
from service.routes_documents import get_document, get_file, get_text, list_documents, source_of
from service.routes_questions import ask, ask_batch, search
from service.routes_state import health, ready
from service.routes_writing import delete_document, put_document
from service.scheduling import Changers, Workers
from service.security import Perimeter
from service.settings import Settings

logger = logging.getLogger("pincite")

REST = 9  # times as long as compacting took, it rests at least

HANDLERS = (
    ask,
    ask_batch,
    search,
    verify_citations,
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
)


async def compact_now_and_then(answering: Answering, seconds: float) -> None:
    """In a thread of its own, beside the questions. What fails now, as on a full disk, is done the next time."""
    took = 0.0
    while True:
        await asyncio.sleep(max(seconds, REST * took))
        started = time.monotonic()
        try:
            await asyncio.to_thread(answering.compact)
        except (PinciteError, OSError, ValueError) as error:
            logger.warning("compaction failed, and is tried again in %s s: %s", seconds, error)
        took = time.monotonic() - started


def create_app(answering: Answering, settings: Settings) -> ASGIApp:
    """The service as an ASGI application. It closes `answering` when it shuts down."""
    workers = Workers(settings.threads, settings.waiting)
    changers = Changers(settings.waiting)

    @asynccontextmanager
    async def open_for_work(_: Litestar) -> AsyncIterator[None]:
        compacting = asyncio.create_task(compact_now_and_then(answering, settings.compact_s))
        yield
        compacting.cancel()
        workers.close()
        changers.close()
        answering.close()

    app = Litestar(
        route_handlers=[*HANDLERS, *asset_routers()],
        dependencies={
            "answering": Provide(lambda: answering, sync_to_thread=False),
            "workers": Provide(lambda: workers, sync_to_thread=False),
            "changers": Provide(lambda: changers, sync_to_thread=False),
            "name": Provide(source_of, sync_to_thread=False),
        },
        exception_handlers={Exception: handle},
        lifespan=[open_for_work],
        openapi_config=openapi_config(),
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    return Perimeter(app, local_only=not settings.allow_anonymous)
