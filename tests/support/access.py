"""Services with given rights, callers at an address, and the headers of a key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as Connection

from service.answering.answering import Answering
from service.http.app import create_app
from service.settings import Settings

PAST = datetime.now(UTC) - timedelta(seconds=1)
SOON = datetime.now(UTC) + timedelta(hours=1)
PAGE = "https://page.example"
JSON = {"Content-Type": "application/json"}
LOCAL = {"Host": "localhost"}


def opened(index: Path, **options: Unpack[Options]) -> TestClient[Any]:
    return TestClient(create_app(Answering.open(index), Settings.from_env({}, **options)))


class Options(TypedDict, total=False):
    allow_anonymous: bool
    allow_anonymous_writes: bool
    cors_origins: Sequence[str]
    rate_limit: str
    address_limit: str


def seen_from(app: ASGIApp, address: str) -> ASGIApp:
    """The app as seen from a client address."""

    async def asked(scope: Connection, receive: Receive, send: Send) -> None:
        scope["client"] = (address, 5000)
        await app(scope, receive, send)

    return asked


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
