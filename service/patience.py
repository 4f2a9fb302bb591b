"""How long an asker waits: up to a deadline, or until it hangs up."""

from __future__ import annotations

import math
import time

from service.errors import HungUp

RESERVE_S = 0.005  # of a deadline, kept for composing and sending the answer
RESERVE_SHARE = 0.1  # and never more of it than this


class Patience:
    """The time since a question came, and until its answer must be sent. Safe in many threads at once."""

    def __init__(self, deadline_ms: int | None = None) -> None:
        """`deadline_ms`: counted from now; without it, the asker waits until it hangs up."""
        self._came = time.monotonic()
        seconds = math.inf if deadline_ms is None else deadline_ms / 1000
        self._until = self._came + seconds - min(RESERVE_S, RESERVE_SHARE * seconds)
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
