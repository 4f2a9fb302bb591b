"""How the service runs: the command line first, then the environment, then what is usual."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from msgspec import Struct

from service.errors import BadSetting
from service.origins import origin_of
from service.rates import Rate


class Settings(Struct, frozen=True, kw_only=True):
    """`threads` compute at the same time; `waiting` more questions may queue for them."""

    allow_anonymous: bool = False
    cors_origins: tuple[str, ...] = ()  # of pages that may use the service, besides those that tokens are for
    rate_limit: Rate | None = None  # for each key
    address_limit: Rate | None = None  # for each address that comes without a key of its own
    threads: int
    waiting: int
    max_body_bytes: int  # enough for a batch of 1,000 questions of 2,000 characters of four bytes

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        *,
        allow_anonymous: bool = False,
        cors_origins: Sequence[str] = (),
        rate_limit: str | None = None,
        address_limit: str | None = None,
    ) -> Settings:
        """Read `PINCITE_THREADS`, `PINCITE_WAITING` and `PINCITE_MAX_BODY_BYTES`. Raises BadSetting.

        >>> Settings.from_env({"PINCITE_THREADS": "4"}).threads
        4
        """
        return cls(
            allow_anonymous=allow_anonymous,
            cors_origins=tuple(origin_of(origin, "--cors-origin") for origin in cors_origins),
            rate_limit=Rate.read(rate_limit, "--rate-limit") if rate_limit else None,
            address_limit=Rate.read(address_limit, "--address-limit") if address_limit else None,
            threads=_number(environ, "PINCITE_THREADS", os.cpu_count() or 1),
            waiting=_number(environ, "PINCITE_WAITING", 256),
            max_body_bytes=_number(environ, "PINCITE_MAX_BODY_BYTES", 9_000_000),
        )


def _number(environ: Mapping[str, str], variable: str, usual: int) -> int:
    value = environ.get(variable, "").strip() or str(usual)
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise BadSetting(variable=variable, value=value, expected="a whole number from 1 up")
    return int(value)
