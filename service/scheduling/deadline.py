"""How long an asker waits: up to a deadline, or until it hangs up."""

from __future__ import annotations

import math
import time

from service.errors import HungUp

LEARNING = 0.1  # how much the latest time counts in what the next is expected to be
DEVIATIONS = 4
HALF_LIFE_S = 30  # what was measured so long ago counts for half: what seemed too slow is tried again some time
RESERVE_S = 0.005  # of a deadline, kept for composing the answer
RESERVE_SHARE = 0.1  # and never more of it than this
SENDING_SHARE = 0.5  # nor more than this for sending it


class Patience:
    """The time since a question came, and until its answer must be sent. Safe in many threads at once."""

    def __init__(self, deadline_ms: int | None = None, came: float | None = None, sending: float = 0.0) -> None:
        """Without a `deadline_ms`, the asker waits until it hangs up.

        `came`: when, of `time.monotonic`; by default, now. `sending`: seconds that an answer takes to get out.
        """
        self._came = time.monotonic() if came is None else came
        seconds = math.inf if deadline_ms is None else deadline_ms / 1000
        reserve = min(RESERVE_S, RESERVE_SHARE * seconds) + min(sending, SENDING_SHARE * seconds)
        self._until = self._came + seconds - reserve
        self._gone = False

    def milliseconds(self) -> float:
        """Since the question came."""
        return round((time.monotonic() - self._came) * 1000, 3)

    def left(self) -> float:
        """Seconds for what is still to be done; infinite without a deadline."""
        return self._until - time.monotonic()

    def hang_up(self) -> None:
        self._gone = True

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more, so that nothing need be done."""
        return self._gone

    def require_listener(self) -> None:
        """Raise HungUp if nobody waits any more."""
        if self._gone:
            raise HungUp


class Pace:
    """What something takes, as far as is known from the times that it took, of which the latest count most."""

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
        """What it hardly ever takes longer than: the mean and four mean deviations, as the time-outs of RFC 6298."""
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
