"""Waiting for what must happen: how long it takes says more of the machine than of the code."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60
POLL_S = 0.01


def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds. Raises AssertionError where it never does."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(POLL_S)


class ManualClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
