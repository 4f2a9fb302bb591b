"""How the service runs: the command line first, then the environment, then what is usual."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

from service.errors import BadSetting


class Settings(Struct, frozen=True, kw_only=True):
    """`threads` compute at the same time; `waiting` more questions may queue for them.

    Every `compact_s` seconds, what was deleted leaves the disk: at the second time after it was.
    """

    allow_anonymous: bool = False
    threads: int
    waiting: int
    max_body_bytes: int  # enough for a batch of 1,000 questions of 2,000 characters of four bytes
    compact_s: int  # longer than any question takes

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, allow_anonymous: bool = False) -> Settings:
        """Read `PINCITE_THREADS`, `PINCITE_WAITING`, `PINCITE_MAX_BODY_BYTES`, `PINCITE_COMPACT_S`. Raises BadSetting.

        >>> Settings.from_env({"PINCITE_THREADS": "4"}).threads
        4
        """
        return cls(
            allow_anonymous=allow_anonymous,
            threads=_number(environ, "PINCITE_THREADS", os.cpu_count() or 1),
            waiting=_number(environ, "PINCITE_WAITING", 256),
            max_body_bytes=_number(environ, "PINCITE_MAX_BODY_BYTES", 9_000_000),
            compact_s=_number(environ, "PINCITE_COMPACT_S", 60),
        )


def _number(environ: Mapping[str, str], variable: str, usual: int) -> int:
    value = environ.get(variable, "").strip() or str(usual)
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise BadSetting(variable=variable, value=value, expected="a whole number from 1 up")
    return int(value)
