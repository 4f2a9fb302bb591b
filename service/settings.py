"""How the service runs: the command line first, then the environment, then what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from index.processors import cpus
from service.errors import BadSetting


class Settings(Struct, frozen=True, kw_only=True):
    """`threads` read at the same time; `waiting` questions may queue while as many as can be are being answered."""

    allow_anonymous: bool = False
    otlp: str | None = None  # the collector that traces are sent to
    threads: int
    waiting: int
    cache_bytes: int  # of answers given of late; 0 keeps none
    max_body_bytes: int  # enough for a batch of 1,000 questions of 2,000 characters of four bytes

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        *,
        allow_anonymous: bool = False,
        processes: int = 1,
        otlp: str | None = None,
    ) -> Settings:
        """Read the variables that `pincite serve --help` lists. Raises BadSetting.

        `processes` share the CPUs.

        >>> Settings.from_env({"PINCITE_THREADS": "4"}).threads
        4
        """
        return cls(
            allow_anonymous=allow_anonymous,
            otlp=None if otlp is None else _collector(otlp),
            threads=_number(environ, "PINCITE_THREADS", max(1, cpus() // processes)),
            waiting=_number(environ, "PINCITE_WAITING", 256),
            cache_bytes=_number(environ, "PINCITE_CACHE_BYTES", 32_000_000, least=0),
            max_body_bytes=_number(environ, "PINCITE_MAX_BODY_BYTES", 9_000_000),
        )


def _collector(url: str) -> str:
    try:
        address = urlsplit(url)
        known = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        known = False
    if not known:
        raise BadSetting(variable="--otlp", value=url, expected="the address of a collector: http://127.0.0.1:4318")
    return url


def _number(environ: Mapping[str, str], variable: str, usual: int, least: int = 1) -> int:
    value = environ.get(variable, "").strip() or str(usual)
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise BadSetting(variable=variable, value=value, expected=f"a whole number from {least} up")
    return int(value)
