"""Deadlines of questions, and estimates of how long their stages take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from service.errors import HungUp

LEARNING = 0.1  # weight of the latest duration in the estimate
DEVIATIONS = 4
HALF_LIFE_S = 30  # half-life of a measurement, so that something that seemed too slow is tried again
RESERVE_S = 0.005  # share of a deadline reserved for composing the answer
RESERVE_SHARE = 0.1  # and its upper limit
SENDING_SHARE = 0.5  # upper limit of the share reserved for sending it


Clock = Callable[[], float]  # seconds, from any start


class Deadline:
    """The time since a question arrived and until its answer must be sent. Thread-safe."""

    def __init__(
        self,
        deadline_ms: int | None = None,
        started: float | None = None,
        sending: float = 0.0,
        clock: Clock = time.monotonic,
    ) -> None:
        """Without a `deadline_ms` there is none, and the client may still hang up.

        `started`: when the question arrived, by the clock; by default, now. `sending`: seconds that sending the
        answer takes.
        """
        self._clock = clock
        self._started = clock() if started is None else started
        seconds = math.inf if deadline_ms is None else deadline_ms / 1000
        reserve = min(RESERVE_S, RESERVE_SHARE * seconds) + min(sending, SENDING_SHARE * seconds)
        self._expires = self._started + seconds - reserve
        self._hung_up = False

    def elapsed_ms(self) -> float:
        """Milliseconds since the question arrived."""
        return round((self._clock() - self._started) * 1000, 3)

    def remaining(self) -> float:
        """Seconds left for further work; infinite without a deadline."""
        return self._expires - self._clock()

    def hang_up(self) -> None:
        self._hung_up = True

    @property
    def hung_up(self) -> bool:
        """Whether the client disconnected, so that no further work is needed."""
        return self._hung_up

    def raise_if_hung_up(self) -> None:
        """Raises HungUp."""
        if self._hung_up:
            raise HungUp


class DurationEstimate:
    """Estimates the duration of an operation from past ones: exponentially weighted mean and deviation."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._mean = 0.0
        self._deviation = 0.0
        self._recorded: float | None = None  # when the latest time was

    @property
    def mean(self) -> float:
        """The mean in seconds."""
        return self._mean * self._decay()

    @property
    def upper_bound(self) -> float:
        """An upper bound in seconds: the mean plus four mean deviations, as for timeouts in RFC 6298."""
        return (self._mean + DEVIATIONS * self._deviation) * self._decay()

    def record(self, seconds: float) -> None:
        if self._recorded is not None:
            self._deviation += LEARNING * (abs(seconds - self._mean) - self._deviation)
            self._mean += LEARNING * (seconds - self._mean)
        else:
            self._mean = seconds
        self._recorded = self._clock()

    def _decay(self) -> float:
        age = 0.0 if self._recorded is None else self._clock() - self._recorded
        return float(0.5 ** (age / HALF_LIFE_S))
