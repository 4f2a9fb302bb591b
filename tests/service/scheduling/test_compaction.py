"""Compaction continues after a failure, and shutdown waits for it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from service.answering.answering import Answering
from service.http.app import create_app
from service.scheduling.compaction import Compaction
from service.settings import Settings

WAIT_S = 30  # timeout for events that take milliseconds


def test_compaction_goes_on_after_a_database_error_which_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pincite")

    async def runs() -> int:
        enough = threading.Event()
        count = 0

        def compact() -> None:
            nonlocal count
            count += 1
            if count <= 3:
                raise sqlite3.OperationalError("database is locked")
            if count == 5:
                enough.set()

        compaction = Compaction(compact, 0)
        running = asyncio.create_task(compaction.run())
        assert await asyncio.to_thread(enough.wait, WAIT_S)
        compaction.stop()
        await asyncio.wait_for(running, WAIT_S)
        return count

    assert asyncio.run(runs()) >= 5
    assert [record.getMessage() for record in caplog.records] == [
        "compaction failed; retrying every 0 s: OperationalError: database is locked",
        "compaction works again",
    ]


class SlowToCompact(Answering):
    """Compacts only once permitted, on the store's own connections."""

    begun: threading.Event
    may_end: threading.Event
    outcomes: list[Exception | None]

    def compact(self) -> None:
        self.begun.set()
        assert self.may_end.wait(WAIT_S)
        try:
            super().compact()
        except Exception as error:
            self.outcomes.append(error)
            raise
        self.outcomes.append(None)


def test_shutdown_waits_for_compaction_before_it_closes_the_stores(index_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(index_folder, folder, symlinks=True)
    answering = SlowToCompact.open(folder)
    answering.begun, answering.may_end, answering.outcomes = threading.Event(), threading.Event(), []
    app = create_app(answering, replace(Settings.from_env({}), compact_s=0))

    async def start_and_stop() -> list[str]:
        incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        sent: asyncio.Queue[str] = asyncio.Queue()

        async def send(message: Any) -> None:  # noqa: ANN401  # the framework's own types of messages
            await sent.put(message["type"])

        scope: Any = {"type": "lifespan", "state": {}}
        receive: Any = incoming.get
        living = asyncio.ensure_future(app(scope, receive, send))
        await incoming.put({"type": "lifespan.startup"})
        assert await asyncio.wait_for(sent.get(), WAIT_S) == "lifespan.startup.complete"
        assert await asyncio.to_thread(answering.begun.wait, WAIT_S)
        await incoming.put({"type": "lifespan.shutdown"})
        done, _ = await asyncio.wait({living}, timeout=0.2)
        assert not done, "the stores were closed under a compaction that still runs"
        answering.may_end.set()
        await asyncio.wait_for(living, WAIT_S)
        return [sent.get_nowait() for _ in range(sent.qsize())]

    assert asyncio.run(start_and_stop()) == ["lifespan.shutdown.complete"]
    assert answering.outcomes == [None]
