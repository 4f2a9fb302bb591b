"""Deadlines and cancellation: how long a client waits for an answer."""

from __future__ import annotations

import math
import time

from service.errors import HungUp

LEARNING = 0.1  # weight of the latest duration in the estimate
DEVIATIONS = 4
HALF_LIFE_S = 30  # half-life of a measurement, so that something that seemed too slow is tried again
RESERVE_S = 0.005  # part of a deadline reserved for composing the answer
RESERVE_SHARE = 0.1  # and its upper limit
SENDING_SHARE = 0.5  # upper limit of the part reserved for sending it


class Patience:
    """The deadline of a request, and whether its client has disconnected. Thread-safe."""

    def __init__(self, deadline_ms: int | None = None, came: float | None = None, sending: float = 0.0) -> None:
        """Without `deadline_ms`, the request is cancelled only when the client disconnects.

        `came`: start time (`time.monotonic`); by default, now. `sending`: seconds reserved for sending the answer.
        """
        self._came = time.monotonic() if came is None else came
        seconds = math.inf if deadline_ms is None else deadline_ms / 1000
        reserve = min(RESERVE_S, RESERVE_SHARE * seconds) + min(sending, SENDING_SHARE * seconds)
        self._until = self._came + seconds - reserve
        self._gone = False

    def milliseconds(self) -> float:
        """Milliseconds since the request arrived."""
        return round((time.monotonic() - self._came) * 1000, 3)

    def left(self) -> float:
        """Seconds left for the remaining work; infinite without a deadline."""
        return self._until - time.monotonic()

    def hang_up(self) -> None:
        self._gone = True

    @property
    def gone(self) -> bool:
        """Whether the client disconnected, so that no work is needed."""
        return self._gone

    def require_listener(self) -> None:
        """Raise HungUp if the client disconnected."""
        if self._gone:
            raise HungUp


class Pace:
    """Estimates a duration from past ones: exponentially weighted mean and deviation."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._deviation = 0.0
        self._latest = 0.0

    @property
    def seconds(self) -> float:
        """The mean."""
        return self._mean * self._worth()

    @property
    def most(self) -> float:
        """An upper bound: the mean plus four mean deviations, as for timeouts in RFC 6298."""
        return (self._mean + DEVIATIONS * self._deviation) * self._worth()

    def took(self, seconds: float) -> None:
        if self._latest:
            self._deviation += LEARNING * (abs(seconds - self._mean) - self._deviation)
            self._mean += LEARNING * (seconds - self._mean)
        else:
            self._mean = seconds
        self._latest = time.monotonic()

    def _worth(self) -> float:
        age = time.monotonic() - self._latest
        return float(0.5 ** (age / HALF_LIFE_S))
