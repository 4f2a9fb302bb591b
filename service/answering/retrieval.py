"""Runs searches within the limit on concurrency and the deadline of the question."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from msgspec import Struct

from index.collections.protocols import Searcher
from index.types import Hit
from service.scheduling.deadline import Deadline, DurationEstimate
from service.telemetry.instrumentation import stage


class Retrieved(Struct, frozen=True):
    """The best passages, and the question as it was searched for: with misspelt words corrected."""

    question: str
    hits: list[Hit]
    skipped: bool = False  # because it would have exceeded the deadline


class Retrieval:
    """Thread-safe. `limit`: the number of concurrent searches."""

    def __init__(self, limit: int) -> None:
        self._slots = threading.Semaphore(limit)
        self._duration = DurationEstimate()

    def search(
        self, searcher: Searcher, text: str, depth: int, sources: Sequence[str] | None, deadline: Deadline
    ) -> Retrieved:
        """The `depth` best passages. Raises BadPattern or HungUp."""
        deadline.raise_if_hung_up()
        spare = min(deadline.remaining() - self._duration.upper_bound, threading.TIMEOUT_MAX)
        if spare <= 0 or not self._slots.acquire(timeout=spare):
            return Retrieved(text, [], skipped=True)
        begun = time.monotonic()
        try:
            deadline.raise_if_hung_up()  # a client that disconnected while waiting costs no search
            with stage("retrieve"):
                question = searcher.corrected(text)
                hits = searcher.search(question, depth, sources)
        finally:
            self._slots.release()
        self._duration.record(time.monotonic() - begun)
        return Retrieved(question, hits)
