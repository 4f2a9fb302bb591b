"""Runs the server: bind, announce, serve, drain."""

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

DRAIN_S = 30  # time for requests in flight after SIGTERM


def check_address(host: str, *, allow_anonymous: bool) -> None:
    """Raise OpenToOthers if an address would be open to anyone without explicit permission."""
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
    """The URL of a socket, such as `http://127.0.0.1:8000`."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Calls `announce` once it is ready."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.announce()


def serve_on(bound: socket.socket, app: ASGIApp, limits: ConnectionLimits, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight.

    uvicorn raises the signal again afterwards: SIGTERM ends the process as in `exit_on_sigterm`, SIGINT raises
    KeyboardInterrupt.
    """
    config = Config(
        app,
        limits,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # X-Forwarded-For can be forged, and rate limits use the address
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=DRAIN_S,
    )
    Server(config, announce).run(sockets=[bound])


def exit_on_sigterm() -> None:
    """Make SIGTERM end the process in order, with status 0, at any time."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
