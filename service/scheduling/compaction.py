"""Compaction: periodically erases deleted documents, in a background thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

logger = logging.getLogger("pincite")

REST = 9  # pauses last at least this many times the last run, so compaction uses at most a tenth of a core


class Compaction:
    """Calls `compact` every `seconds` until stopped.

    A run that fails, for example on a full disk or a locked database, is retried after the next pause. The log reports
    an error when it first occurs and when it is over, not every time.
    """

    def __init__(self, compact: Callable[[], object], seconds: float) -> None:
        self._compact = compact
        self._seconds = seconds
        self._stopping = asyncio.Event()
        self._failure: str | None = None  # of the last run

    async def run(self) -> None:
        pause = self._seconds
        while not await self._stopped_within(pause):
            begun = time.monotonic()
            await asyncio.to_thread(self._attempt)
            pause = max(self._seconds, REST * (time.monotonic() - begun))

    def stop(self) -> None:
        """Start no further run. Wait for `run` to return before closing stores: it may still be in a run."""
        self._stopping.set()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _attempt(self) -> None:
        try:
            self._compact()
        except Exception as error:  # noqa: BLE001  # whatever fails now, deleted bytes must leave the disk later
            failure = f"{type(error).__name__}: {error}"
            if failure != self._failure:
                logger.warning("compaction failed; retrying every %s s: %s", self._seconds, failure)
            self._failure = failure
        else:
            if self._failure is not None:
                logger.info("compaction works again")
            self._failure = None
