"""From an address to a running server: binding, announcing, draining."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from litestar.types import ASGIApp

from service.errors import CannotListen, OpenToOthers
from service.http.security import is_loopback
from service.limits import ConnectionLimits
from service.server.connections import Config

DRAIN_S = 30  # questions in flight may take so long to end after SIGTERM


def check_address(host: str, *, allow_anonymous: bool) -> None:
    """Raise OpenToOthers where anyone could ask, and nobody said that anyone may."""
    if not allow_anonymous and not is_loopback(host):
        raise OpenToOthers(host=host)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet; port 0 takes a free one. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise CannotListen(host=host, port=port, reason=os.strerror(error.errno or 0).lower()) from error
    return bound


def address_of(bound: socket.socket) -> str:
    """`http://127.0.0.1:8000`."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Calls `announce` once it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.announce()


def serve_on(bound: socket.socket, app: ASGIApp, limits: ConnectionLimits, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight.

    The server raises the signal again when it is done: SIGTERM ends as `exit_on_sigterm` says, SIGINT as
    KeyboardInterrupt.
    """
    config = Config(
        app,
        limits,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # anyone can make up X-Forwarded-For, and rates are counted by address
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=DRAIN_S,
    )
    Server(config, announce).run(sockets=[bound])


def exit_on_sigterm() -> None:
    """SIGTERM ends the process in order, with status 0, whatever it is doing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
