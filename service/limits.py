"""What one client may take up: connections, time to send a request, and requests in a while."""

from __future__ import annotations

import re
from typing import Literal, get_args

from msgspec import Struct

from service.errors import BadSetting

Unit = Literal["second", "minute", "hour", "day"]
UNITS: tuple[Unit, ...] = get_args(Unit)
RATE = re.compile(rf"([1-9][0-9]{{0,8}})/({'|'.join(UNITS)})")


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    connections: int = 500
    header_bytes: int = 16_384  # the request line and all headers
    headers: int = 100
    header_s: float = 10
    body_s: float = 20  # and as much longer as the body takes at `connections.LEAST_RATE`
    idle_s: float = 10  # between two requests of a connection


class Rate(Struct, frozen=True):
    """At most `requests` in each `unit`."""

    requests: int
    unit: Unit

    @classmethod
    def read(cls, text: str, setting: str) -> Rate:
        """`60/minute`. Raises BadSetting, naming the setting."""
        matched = RATE.fullmatch(text)
        if not matched:
            raise BadSetting(variable=setting, value=text, expected=f"a rate like 60/minute; units: {', '.join(UNITS)}")
        unit = next(unit for unit in UNITS if unit == matched[2])
        return cls(int(matched[1]), unit)
