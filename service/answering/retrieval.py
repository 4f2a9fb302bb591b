"""Runs searches within the limit on concurrency and the deadline of the question."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from index.collections.protocols import Searcher
from index.types import Hit
from service.scheduling.deadline import Deadline, DurationEstimate
from service.telemetry.instrumentation import stage


class Retrieval:
    """Thread-safe. `limit`: the number of concurrent searches."""

    def __init__(self, limit: int) -> None:
        self._slots = threading.Semaphore(limit)
        self._duration = DurationEstimate()

    def search(
        self, searcher: Searcher, text: str, depth: int, sources: Sequence[str] | None, deadline: Deadline
    ) -> list[Hit] | None:
        """The `depth` best passages; None if a search would exceed the deadline. Raises BadPattern or HungUp."""
        deadline.raise_if_hung_up()
        spare = min(deadline.remaining() - self._duration.upper_bound, threading.TIMEOUT_MAX)
        if spare <= 0 or not self._slots.acquire(timeout=spare):
            return None
        begun = time.monotonic()
        try:
            deadline.raise_if_hung_up()  # a client that disconnected while waiting costs no search
            with stage("retrieve"):
                hits = searcher.search(text, depth, sources)
        finally:
            self._slots.release()
        self._duration.record(time.monotonic() - begun)
        return hits
