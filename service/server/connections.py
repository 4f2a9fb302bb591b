"""An HTTP/1.1 connection: uvicorn's, on llhttp's strict parser, with limits and timeouts that uvicorn lacks."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import httptools
import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.limits import ConnectionLimits
from service.server.early_errors import (
    Refused,
    answer_to,
    check_head,
    head_too_large,
    malformed,
    too_many_connections,
    too_slow,
    with_authority,
)

LEAST_RATE = 1024  # bytes per second; minimum rate of a request body and of a reader, once the timeout is over
LINGER_S = 2  # how long a rejected client may keep sending; an immediate close could reset before it reads the answer
MOST_PIPELINED = 16  # pipelined requests that may wait
MOST_DISCARDED = 16_000_000  # bytes of a body that are read and dropped so that an early response arrives
OVERHEAD = 16  # bytes on the wire per byte of a body; the smallest chunks need six


class Config(uvicorn.Config):
    """uvicorn's settings, and the limits of each connection."""

    def __init__(self, app: Any, limits: ConnectionLimits, **options: Any) -> None:  # noqa: ANN401  # they are uvicorn's own
        super().__init__(app, http=Connection, timeout_keep_alive=math.ceil(limits.idle_s), **options)
        self.limits = limits


class Connection(HttpToolsProtocol):
    """The event loop calls `data_received` and related methods; the parser calls `on_header` and related ones."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = config.limits
        self.refused = False
        self.running: RequestResponseCycle | None = None
        self.in_body = False  # otherwise in headers, or between two requests
        self.wire_bytes = 0  # raw bytes of the current headers or body
        self.body_bytes = 0  # of the current body
        self.body_began = 0.0  # event-loop time
        self.read_timer: asyncio.TimerHandle | None = None
        self.write_timer: asyncio.TimerHandle | None = None
        self.unsent = 0.0  # bytes, when the write timer was set

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.refuse(too_many_connections())
        else:
            self.await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self.read_timer, self.write_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        self.abandon()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self.refused:
            return
        if not self.in_body and self.wire_bytes == 0:
            self.await_head()
        self.wire_bytes += len(data)
        try:
            self.parse(data)
            self.check_unfinished()
        except httptools.HttpParserError as error:
            self.refuse(error.__context__ if isinstance(error.__context__, Refused) else malformed())
        except Refused as refusal:
            self.refuse(refusal)

    def parse(self, data: bytes) -> None:
        """Feed the parser. Upgrade requests are ignored: what follows one is HTTP/1.1 too."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
            else:
                return

    def check_unfinished(self) -> None:
        """Limit what the parser buffers, such as a header without end. Raises Refused."""
        if not self.in_body and self.wire_bytes > self.limits.header_bytes:
            raise head_too_large(self.limits)
        if self.in_body and self.wire_bytes > self.limits.header_bytes + OVERHEAD * self.body_bytes:
            raise malformed()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_body:  # a trailer, ignored: it must not change what was validated
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        check_head(self.parser.get_http_version(), self.url, self.headers, self.limits)
        if len(self.pipeline) >= MOST_PIPELINED:
            raise malformed()
        self.headers[:] = with_authority(self.url, self.headers)
        super().on_headers_complete()
        self.in_body = True
        self.wire_bytes = self.body_bytes = 0
        self.body_began = self.loop.time()
        self.set_read_timer(self.limits.body_s, self.check_body)
        if self.expect_100_continue:
            self.cycle.keep_alive = False  # until its body arrives; otherwise the start of the next request is unknown

    def on_body(self, body: bytes) -> None:
        if self.body_bytes == 0 and self.expect_100_continue:
            self.cycle.keep_alive = self.parser.should_keep_alive()
        self.body_bytes += len(body)
        if self.cycle.response_complete and self.body_bytes > MOST_DISCARDED:
            self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.in_body = False
        self.wire_bytes = 0
        self.set_read_timer(None)
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.watch_reader()
        if self.in_body:
            self._unset_keepalive_if_required()  # the rest of the body has its own timeout

    def await_head(self) -> None:
        self.set_read_timer(self.limits.header_s, self.miss_head)

    def miss_head(self) -> None:
        if self.under_way():
            self.await_head()  # pipelined requests wait for this one
        elif self.wire_bytes:
            self.refuse(too_slow("head of the request"))
        else:
            self.transport.close()

    def check_body(self) -> None:
        """Reject a body that arrives too slowly. Time in which the application does not read does not count."""
        seconds_left = self.body_began + self.limits.body_s + self.body_bytes / LEAST_RATE - self.loop.time()
        if seconds_left <= 0 and not self.flow.read_paused:
            self.refuse(too_slow("body"))
        else:
            self.set_read_timer(max(seconds_left, 1), self.check_body)

    def set_read_timer(self, seconds: float | None, then: Any = None) -> None:  # noqa: ANN401
        if self.read_timer is not None:
            self.read_timer.cancel()
        self.read_timer = None if seconds is None else self.loop.call_later(seconds, then)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.watch_reader()

    def resume_writing(self) -> None:
        self.unsent = math.inf  # the application was not reading
        super().resume_writing()

    def watch_reader(self) -> None:
        """Disconnect a client that does not read its response."""
        if self.write_timer is None and (unsent := self.transport.get_write_buffer_size()):
            self.unsent = unsent
            self.write_timer = self.loop.call_later(self.limits.body_s, self.check_reader)

    def check_reader(self) -> None:
        self.write_timer = None
        unsent = self.transport.get_write_buffer_size()
        if unsent and self.unsent - unsent < LEAST_RATE * self.limits.body_s:
            self.transport.abort()
        else:
            self.watch_reader()

    def refuse(self, refusal: Refused) -> None:
        """Send a bare error and close, after responses that have begun or are queued."""
        self.refused = True
        self.pipeline.clear()
        self.set_read_timer(None)
        running = self.running if self.under_way() else None
        if running is not None and not running.more_body:
            running.keep_alive = False
        elif (running is not None and running.response_started) or (running is None and self.in_body):
            self.transport.close()
        else:
            self.abandon()
            self.transport.write(answer_to(refusal))
            self.transport.write_eof()
            self.set_read_timer(LINGER_S, self.transport.abort)

    def abandon(self) -> None:
        """Tell the application that the client disconnected."""
        for cycle in (self.running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def under_way(self) -> bool:
        return self.running is not None and not self.running.response_complete
