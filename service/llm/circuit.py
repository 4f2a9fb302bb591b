"""A circuit breaker: an endpoint that is down must not cost every question its timeout."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 3  # in a row, before the circuit opens
REST_S = 30.0  # open for so long; then one question tries again


class Circuit:
    """A thread-safe circuit breaker."""

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
        """Whether calls are blocked."""
        return self._failures >= self._most

    def may_try(self) -> bool:
        """Whether to call now. After a pause one caller may; the others wait for its result."""
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
