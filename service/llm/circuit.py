"""Leaving alone what fails: an endpoint that is down must not cost every question its time-out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 3  # in a row, after which it is left alone
REST_S = 30.0  # for so long; then one question tries it


class Circuit:
    """Safe in many threads at once."""

    def __init__(
        self, failures: int = FAILURES, rest_s: float = REST_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether it is left alone."""
        return self._failures >= self._most

    def may_try(self) -> bool:
        """Whether to ask now. After a rest, one may; the others wait for what comes of it."""
        with self._lock:
            if not self.open:
                return True
            if self._clock() < self._until:
                return False
            self._until = self._clock() + self._rest_s
            return True

    def answered(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._until = self._clock() + self._rest_s
