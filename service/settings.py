"""The settings of the service: command line, then environment variables, then defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from index.cpus import cpus
from index.text.preparation import LARGEST_DOCUMENT
from service.errors import BadSetting
from service.limits import ConnectionLimits, Rate
from service.origins import origin_of

LONGEST_QUESTION = 2000  # characters; also the limit in the HTTP contract
LONGEST_BATCH = 1000  # questions; also the limit in the HTTP contract
AT_ONCE = 16  # questions that may wait for the language model; others are answered without it


class ChooserSettings(Struct, frozen=True, kw_only=True):
    """The language model that may choose sentences. Its key is kept elsewhere, so that it is never printed."""

    url: str
    model: str
    timeout_s: int
    tokens: int  # of the sentences in the prompt
    sentences: int  # per answer, including the reader's own
    floor: float  # minimum reader confidence of a sentence

    @classmethod
    def from_env(cls, environ: Mapping[str, str], url: str, model: str) -> ChooserSettings:
        """Raises BadSetting."""
        return cls(
            url=_endpoint(url),
            model=model,
            timeout_s=_number(environ, "PINCITE_CHOOSER_TIMEOUT", 10, most=600),
            tokens=_number(environ, "PINCITE_CHOOSER_TOKENS", 2000, most=100_000),
            sentences=_number(environ, "PINCITE_CHOOSER_SENTENCES", 3, most=20),
            floor=_share(environ, "PINCITE_CHOOSER_FLOOR", 0.01),
        )


class Settings(Struct, frozen=True, kw_only=True):
    """`threads`: passages read at the same time. `waiting`: questions that may queue.

    Compaction runs every `compact_s` seconds; the second run after a deletion erases the document.
    """

    allow_anonymous: bool = False  # to ask and read
    allow_anonymous_writes: bool = False  # and to do everything else
    cors_origins: tuple[str, ...] = ()  # of pages that may use the service, besides those that tokens are for
    rate_limit: Rate | None = None  # for each key
    address_limit: Rate | None = None  # for each address that comes without a key of its own
    otlp: str | None = None  # the collector that traces are sent to
    chooser: ChooserSettings | None = None
    threads: int
    waiting: int
    cache_bytes: int  # size of the answer cache; 0 disables it
    max_body_bytes: int  # enough for a batch of 1,000 questions of 2,000 characters of four bytes
    max_document_bytes: int
    max_question: int  # characters
    max_batch: int  # questions
    max_uploads: int  # at the same time
    connection: ConnectionLimits
    compact_s: int  # longer than any question takes

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        *,
        allow_anonymous: bool = False,
        allow_anonymous_writes: bool = False,
        processes: int = 1,
        cors_origins: Sequence[str] = (),
        rate_limit: str | None = None,
        address_limit: str | None = None,
        otlp: str | None = None,
        chooser: str | None = None,
        chooser_model: str | None = None,
    ) -> Settings:
        """Read the variables listed by `pincite serve --help`. Raises BadSetting.

        `processes` share the CPUs.

        >>> Settings.from_env({"PINCITE_THREADS": "4"}).threads
        4
        """
        number = partial(_number, environ)
        return cls(
            allow_anonymous=allow_anonymous or allow_anonymous_writes,
            allow_anonymous_writes=allow_anonymous_writes,
            otlp=None if otlp is None else _collector(otlp),
            chooser=chooser_settings(environ, chooser, chooser_model),
            cors_origins=tuple(origin_of(origin, "--cors-origin") for origin in cors_origins),
            rate_limit=Rate.read(rate_limit, "--rate-limit") if rate_limit else None,
            address_limit=Rate.read(address_limit, "--address-limit") if address_limit else None,
            threads=number("PINCITE_THREADS", max(1, cpus() // processes)),
            waiting=number("PINCITE_WAITING", 256),
            cache_bytes=number("PINCITE_CACHE_BYTES", 32_000_000, least=0),
            max_body_bytes=number("PINCITE_MAX_BODY_BYTES", 9_000_000),
            max_document_bytes=number("PINCITE_MAX_DOCUMENT_BYTES", LARGEST_DOCUMENT, most=LARGEST_DOCUMENT),
            max_question=number("PINCITE_MAX_QUESTION", LONGEST_QUESTION, most=LONGEST_QUESTION),
            max_batch=number("PINCITE_MAX_BATCH", LONGEST_BATCH, most=LONGEST_BATCH),
            max_uploads=number("PINCITE_MAX_UPLOADS", 16),
            connection=ConnectionLimits(
                connections=number("PINCITE_MAX_CONNECTIONS", 500),
                header_bytes=number("PINCITE_MAX_HEADER_BYTES", 16_384),
                headers=number("PINCITE_MAX_HEADERS", 100),
                header_s=number("PINCITE_HEADER_TIMEOUT", 10),
                body_s=number("PINCITE_BODY_TIMEOUT", 20),
                idle_s=number("PINCITE_IDLE_TIMEOUT", 10),
            ),
            compact_s=number("PINCITE_COMPACT_S", 60),
        )


def chooser_settings(environ: Mapping[str, str], url: str | None, model: str | None) -> ChooserSettings | None:
    """None without --chooser. Raises BadSetting, also if only one of its two options is set."""
    if url and model:
        return ChooserSettings.from_env(environ, url, model)
    if url:
        raise BadSetting(variable="--chooser-model", value="", expected="the name of a model at the --chooser")
    if model:
        raise BadSetting(variable="--chooser", value="", expected="the endpoint of the --chooser-model")
    return None


def chooser_key(environ: Mapping[str, str]) -> str | None:
    """The key of the language model's endpoint. Raises BadSetting, which does not contain the key."""
    key = environ.get("PINCITE_CHOOSER_KEY", "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise BadSetting(variable="PINCITE_CHOOSER_KEY", value="…", expected="printable ASCII without spaces")
    return key or None


def _collector(url: str) -> str:
    if _web_address(url) is None:
        raise BadSetting(variable="--otlp", value=url, expected="the address of a collector: http://127.0.0.1:4318")
    return url


def _endpoint(url: str) -> str:
    address = _web_address(url)
    if address is None or address.fragment:
        expected = "the address of an OpenAI-compatible endpoint: http://127.0.0.1:8080/v1"
        raise BadSetting(variable="--chooser", value=url, expected=expected)
    if "@" in address.netloc:
        shown_address = address._replace(netloc=f"…@{address.hostname}").geturl()
        raise BadSetting(
            variable="--chooser", value=shown_address, expected="without a password: PINCITE_CHOOSER_KEY holds a key"
        )
    return url


def _web_address(url: str) -> SplitResult | None:
    """The parts of an http or https URL, or None."""
    try:
        address = urlsplit(url)
        is_web = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return None
    return address if is_web else None


def _share(environ: Mapping[str, str], variable: str, usual: float) -> float:
    value = environ.get(variable, "").strip() or str(usual)
    if not re.fullmatch(r"0|1|0?\.[0-9]{1,15}|1\.0{1,15}|0\.0{1,15}", value):
        raise BadSetting(variable=variable, value=value, expected="a number from 0 to 1, such as 0.01")
    return float(value)


def _number(environ: Mapping[str, str], variable: str, usual: int, *, least: int = 1, most: int = 10**15) -> int:
    value = environ.get(variable, "").strip() or str(usual)
    if not re.fullmatch("[0-9]{1,16}", value) or not least <= int(value) <= most:
        limits = f"from {least} to {most}" if most < 10**15 else f"from {least} up"
        raise BadSetting(variable=variable, value=value, expected=f"a whole number {limits}")
    return int(value)
