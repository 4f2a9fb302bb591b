"""The HTTP server over a raw socket, with an application that reports what it receives."""

from __future__ import annotations

import asyncio
import json
import select
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.limits import ConnectionLimits
from service.server.connections import MOST_DISCARDED, MOST_PIPELINED, Config
from service.server.early_errors import Refused, check_head, with_authority
from service.server.serving import Server, bind
from tests.support.waiting import until

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LIMITS = ConnectionLimits(connections=8, header_s=0.5, body_s=0.5, idle_s=2)
PATIENCE_S = 20
PAUSE_S = 0.1  # between the parts of a request
LARGE = 50_000_000  # more than the buffers of two sockets hold


class Application:
    """Echoes the request: `/large` sends much, `/early` responds before the body, `/never` waits for a disconnect."""

    def __init__(self) -> None:
        self.begun: list[str] = []  # paths asked for
        self.left: list[str] = []  # those whose client hung up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        path = scope["raw_path"].decode()
        self.begun.append(path)
        body = b"" if path == "/early" else await self.read(path, receive)
        if path == "/never":
            await self.read(path, receive)
        seen = {"path": path, "host": dict(scope["headers"]).get(b"host", b"").decode(), "body": len(body)}
        result = b" " * LARGE if path == "/large" else json.dumps(seen).encode()
        headers = [(b"content-length", b"%d" % len(result))]
        await send({"type": "http.response.start", "status": 413 if path == "/early" else 200, "headers": headers})
        await send({"type": "http.response.body", "body": result})

    async def live(self, receive: Receive, send: Send) -> None:
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})

    async def read(self, path: str, receive: Receive) -> bytes:
        body: bytes = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                return body
        self.left.append(path)
        return body


class Running:
    """A server in its own thread."""

    def __init__(self, limits: ConnectionLimits = LIMITS) -> None:
        self.application = Application()
        self.bound = bind("127.0.0.1", 0)
        self.port = self.bound.getsockname()[1]
        ready = threading.Event()
        options = {"lifespan": "on", "log_config": None, "access_log": False, "ws": "none", "proxy_headers": False}
        self.server = Server(Config(self.application, limits, **options), ready.set)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.bound])))
        self.thread.start()
        assert ready.wait(PATIENCE_S)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def send(self, *parts: bytes) -> bytes:
        """Everything received until the connection is closed."""
        with self.connect() as connection:
            for number, part in enumerate(parts):
                if number and select.select([connection], [], [], PAUSE_S)[0]:
                    break  # the answer is there, and the rest may not be taken any more
                connection.sendall(part)
            return everything(connection)

    def open_connections(self) -> int:
        return len(self.server.server_state.connections)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.close()


def everything(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(1 << 20):
        received += part
    return received


def get(path: str, *lines: str, last: bool = False) -> bytes:
    ending = ["Connection: close"] if last else []
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, *ending, "", ""]).encode()


def put(path: str, length: int, *lines: str) -> bytes:
    return get(path, f"Content-Length: {length}", *lines).replace(b"GET", b"PUT", 1)


def test_a_client_that_sends_no_head_in_time_is_refused(running: Running) -> None:
    assert running.send(b"") == b""
    assert running.send(b"GET / HTT").startswith(b"HTTP/1.1 408 ")
    assert running.send(*(b"%c" % letter for letter in get("/")[:20])).startswith(b"HTTP/1.1 408 ")
    with running.connect() as connection:
        connection.sendall(get("/first"))
        assert connection.recv(1).startswith(b"H")  # so the next head begins after the first answer
        connection.sendall(b"GET /sec")
        assert b"HTTP/1.1 408 " in everything(connection)


def test_a_body_that_comes_too_slowly_is_refused_and_the_application_told(running: Running) -> None:
    assert running.send(put("/slow", 100), *[b"x"] * 12).startswith(b"HTTP/1.1 408 ")
    until(lambda: "/slow" in running.application.left)


def test_a_body_may_take_long_if_it_comes_steadily(running: Running) -> None:
    first, *parts = [b"x" * 10_000] * 8  # each gives ten seconds more
    assert b'"body": 80000' in running.send(put("/steady", 80_000, "Connection: close") + first, *parts)


def test_who_does_not_read_an_answer_is_cut_off(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(get("/large"))
        until(lambda: running.open_connections() == 1)
        until(lambda: running.open_connections() == 0)


def test_who_reads_slowly_gets_the_whole_answer(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(get("/large", last=True))
        received = 0
        while part := connection.recv(2_000_000):
            received += len(part)
            time.sleep(0.01)
    assert received > LARGE


def test_one_connection_too_many_is_told_so_and_room_is_made_again(running: Running) -> None:
    others = [running.connect() for _ in range(LIMITS.connections)]
    for other in others:
        other.sendall(get("/never"))  # an idle connection would be closed after a while
    until(lambda: running.open_connections() == LIMITS.connections)
    result = running.send(get("/"))
    assert result.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in result
    for other in others:
        other.close()
    until(lambda: running.open_connections() == 0)
    assert running.send(get("/", last=True)).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    paths = [f"/{number}" for number in range(MOST_PIPELINED)]
    result = running.send(b"".join(get(path, last=path == paths[-1]) for path in paths)).decode()
    places = [result.index(f'"path": "{path}"') for path in paths]
    assert places == sorted(places)


def test_what_follows_a_good_request_does_not_spoil_its_answer(running: Running) -> None:
    for behind in (b"\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", get("/x") * 1000):
        result = running.send(get("/good") + behind)
        assert result.startswith(b"HTTP/1.1 200 ")
        assert b'"path": "/good"' in result
        assert b" 400 " not in result


def test_an_application_learns_that_its_client_left_even_behind_pipelined_requests(running: Running) -> None:
    for more in (b"", get("/next") * 3):
        running.application.left.clear()
        running.application.begun.clear()
        with running.connect() as connection:
            connection.sendall(get("/never") + more)
            until(lambda: "/never" in running.application.begun)
        until(lambda: "/never" in running.application.left)


def test_a_body_is_asked_for_only_where_it_is_wanted(running: Running) -> None:
    wait = "Expect: 100-continue"
    with running.connect() as connection:
        connection.sendall(put("/wanted", 5, wait))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"Owls." + get("/next", last=True))
        result = everything(connection)
        assert b'"body": 5' in result
        assert b'"path": "/next"' in result
    result = running.send(put("/early", 5, wait))
    assert result.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in result.lower()


def test_an_early_answer_arrives_though_the_body_is_large(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(put("/early", MOST_DISCARDED - 1) + b"x" * (MOST_DISCARDED - 1) + get("/next", last=True))
        result = everything(connection)
    assert result.startswith(b"HTTP/1.1 413 ")
    assert b'"path": "/next"' in result


def test_a_body_without_end_is_not_read_for_ever(running: Running) -> None:
    more = b"x" * (10 * MOST_DISCARDED)
    with running.connect() as connection, pytest.raises(ConnectionError):
        connection.sendall(put("/early", 10**15) + more)


def test_an_answer_under_way_is_finished_when_the_server_stops() -> None:
    running = Running(ConnectionLimits())
    with running.connect() as connection, running.connect() as idle:
        connection.sendall(put("/drained", 4) + b"Ow")
        until(lambda: running.open_connections() == 2 and "/drained" in running.application.begun)
        running.server.should_exit = True
        until(lambda: not any(server.is_serving() for server in running.server.servers))
        connection.sendall(b"ls")
        assert b'"body": 4' in everything(connection)
        assert idle.recv(1) == b""
    running.close()


SENT = "abcXYZ019-._~!$&'()*+,;=:@/%"  # characters allowed in a path, and a percent sign without meaning


@settings(max_examples=50)
@given(st.text(SENT).map(lambda rest: "/" + rest).filter(lambda path: path not in ("/large", "/early", "/never")))
def test_the_application_sees_the_path_as_it_was_sent(running: Running, path: str) -> None:
    result = running.send(get(path, last=True))
    assert json.loads(result.partition(b"\r\n\r\n")[2])["path"] == path


def test_the_host_of_an_absolute_target_is_the_one_that_counts(running: Running) -> None:
    result = running.send(get("http://other.example:81/here", last=True))
    assert b'"path": "/here", "host": "other.example:81"' in result
    for target in (b"http://me@host/", b"http://host", b"ftp://host/", b"http://host?a/", b"host:80", b"x"):
        with pytest.raises(Refused):
            with_authority(target, [])
    for target in (b"/http://host/", b"*", b"//host/"):
        assert with_authority(target, [(b"host", b"localhost")]) == [(b"host", b"localhost")]


HOST = (b"host", b"localhost")
CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("version", "headers"),
    [("1.1", []), ("1.1", [HOST, HOST]), ("1.1", [HOST, CHUNKED, CHUNKED]), ("1.0", [CHUNKED]), ("2.0", [HOST])],
)
def test_ambiguous_heads_are_refused(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refused) as refused:
        check_head(version, b"/", headers, LIMITS)
    assert refused.value.status == HTTPStatus.BAD_REQUEST


def test_a_head_may_be_as_large_as_allowed_and_no_larger() -> None:
    overhead = len(b"/") + sum(len(part) for part in HOST) + len("x") + 2 * len(": \r\n")
    largest = b"y" * (LIMITS.header_bytes - overhead)
    check_head("1.1", b"/", [HOST, (b"x", largest)], LIMITS)
    check_head("1.1", b"/", [HOST] + [(b"x", b"")] * (LIMITS.headers - 1), LIMITS)
    for headers in ([HOST, (b"x", largest + b"y")], [HOST] + [(b"x", b"")] * LIMITS.headers):
        with pytest.raises(Refused) as refused:
            check_head("1.1", b"/", headers, LIMITS)
        assert refused.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
