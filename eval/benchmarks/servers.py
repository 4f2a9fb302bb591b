"""HTTP servers under the same application: what each rejects, and its speed. Granian and Hypercorn are in `bench`.

python -m eval.benchmarks.servers measure
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import uvicorn

from eval.benchmarks.bench import OWN
from eval.datasets.loading import load
from eval.runs.results import markdown_table, provenance, write_part
from pincite import run
from service.answering.answering import Answering
from service.http.app import create_app
from service.limits import ConnectionLimits
from service.server.serving import bind, serve_on
from service.settings import Settings

SERVERS = ("Pincite", "uvicorn h11", "uvicorn httptools", "Granian", "Hypercorn")
TOGETHER = 8  # connections
SECONDS = 3  # of each measurement
ROUNDS = 3  # servers alternate, so that other load spoils a round and not a server
TIMEOUT_S = 1  # timeouts for headers and bodies, if the server has them
PATIENCE_S = 3  # after this time, the server counts as waiting
GOOD = b'{"question": "Who holds the G-7 presidency this year?"}'
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)


def post(*lines: bytes, body: bytes, ending: bytes = b"\r\n") -> bytes:
    head = [b"POST /v1/ask HTTP/1.1", b"Host: localhost", b"Content-Type: application/json", *lines, b"", b""]
    return ending.join(head) + body


LENGTH, CHUNKS = b"Content-Length: %d" % len(GOOD), b"Transfer-Encoding: chunked"
ATTACKS = {
    "half a head": b"POST /v1/ask HTT",
    "half a body": post(LENGTH, body=GOOD[:-5]),
    "1,000 headers": post(LENGTH, *[b"X: y"] * 1000, body=GOOD),
    "a header of 300 kB": post(LENGTH, b"X: " + b"y" * 300_000, body=GOOD),
    "a chunk extension of 400 kB": post(CHUNKS, body=CHUNKED.replace(b"\r\n", b";" + b"a" * 400_000 + b"\r\n", 1)),
    "a length and chunks": post(LENGTH, CHUNKS, body=CHUNKED),
    "a length twice": post(LENGTH, LENGTH, body=GOOD),
    "gzip, then chunks": post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED),
    "a folded header": post(LENGTH, b"X: a\r\n b", body=GOOD),
    "bare line feeds": post(LENGTH, body=GOOD, ending=b"\n"),
    "a bell in a header": post(LENGTH, b"X: \a", body=GOOD),
    "another host in the target": post(LENGTH, body=GOOD).replace(b" /", b" http://example.com/", 1),
}


@click.group()
def main() -> None:
    pass


@main.command()
@click.argument("server", type=click.Choice(SERVERS))
@click.argument("index", type=click.Path(path_type=Path))
@click.argument("port", type=int)
def serve(server: str, index: Path, port: int) -> None:
    """Run one server with the application as in `pincite serve`, without the answer cache."""
    settings = Settings.from_env({"PINCITE_CACHE_BYTES": "0"})
    app = create_app(Answering.open(index, threads=settings.threads, cache_bytes=0), settings)
    bound = bind("127.0.0.1", port)
    if server == "Pincite":
        serve_on(bound, app, ConnectionLimits(header_s=TIMEOUT_S, body_s=TIMEOUT_S), lambda: None)
    elif server.startswith("uvicorn"):
        options: dict[str, Any] = {"lifespan": "on", "log_config": None, "access_log": False, "server_header": False}
        uvicorn.Server(uvicorn.Config(app, http=server.split()[1], ws="none", **options)).run([bound])
    elif server == "Granian":
        bound.close()
        asyncio.run(_granian(app, port))
    else:
        asyncio.run(_hypercorn(app, bound))


async def _granian(app: object, port: int) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    limits = HTTP1Settings(header_read_timeout=1000 * TIMEOUT_S, max_buffer_size=16_384)
    server = Server(
        app,
        "127.0.0.1",
        port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=limits,
        log_enabled=False,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


async def _hypercorn(app: Any, bound: socket.socket) -> None:  # noqa: ANN401  # as Hypercorn declares it
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config

    config = Config()  # without read_timeout, which would also end requests whose answer takes longer
    config.bind = [f"fd://{bound.fileno()}"]
    config.include_server_header = False
    await hypercorn(app, config)


@main.command()
def measure() -> None:
    """Measure what each server rejects and its throughput, and write both to eval/RESULTS.md."""
    questions = [question.text for question in load(OWN / "seeds").questions]
    requests = {
        "/health": [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"],
        "/v1/ask": list(map(asking, questions)),
    }
    with TemporaryDirectory() as folder:
        index = Path(folder, "index")
        run(["build", "seeds", "--index", str(index)])
        refused = {server: refusals(server, index) for server in SERVERS}
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for server in SERVERS:
                with serving(server, index) as port:
                    for path, sent in requests.items():
                        asyncio.run(load_with(port, sent, SECONDS / 3))
                        rates.setdefault((server, path), []).append(asyncio.run(load_with(port, sent, SECONDS)))
    rows = [[attack, *(refused[server][attack] for server in SERVERS)] for attack in ATTACKS]
    rows += [
        [f"`{path}`, a second", *(f"{median(rates[server, path]):,.0f}" for server in SERVERS)] for path in requests
    ]
    write_part(
        "servers",
        "\n\n".join([TITLE, EXPLANATION, provenance("python -m eval.benchmarks.servers measure"), table(rows)]),
    )


TITLE = "## HTTP servers"
EXPLANATION = (
    "Under the same application: the answer to requests of which no good is to come (`waits`: the server holds the "
    f"connection for more than {PATIENCE_S} s), and requests answered each second over {TOGETHER} connections, the "
    f"median of {ROUNDS} rounds of {SECONDS} s; no answer is kept. Pincite is uvicorn with httptools and "
    "`service/server/connections.py`."
)


def table(rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(["", *SERVERS], rows)


def asking(question: str) -> bytes:
    body = json.dumps({"question": question}).encode()
    return post(b"Content-Length: %d" % len(body), body=body)


@contextmanager
def serving(server: str, index: Path) -> Iterator[int]:
    """The port of a server in a subprocess."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "eval.benchmarks.servers", "serve", server, str(index), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while answer(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") != "200":
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()


def refusals(server: str, index: Path) -> dict[str, str]:
    with serving(server, index) as port:
        return {attack: answer(port, sent) for attack, sent in ATTACKS.items()}


def answer(port: int, sent: bytes) -> str:
    """The status of the response, or what happens instead."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(sent)
            received = connection.recv(4096)
    except TimeoutError:
        return "waits"
    except OSError:
        return "closes"
    return received[9:12].decode() if received else "closes"


async def load_with(port: int, requests: Sequence[bytes], seconds: float) -> float:
    """Responses per second to `requests`, sent repeatedly over several connections."""
    ends = time.monotonic() + seconds
    begun = time.monotonic()
    counts = await asyncio.gather(*(ask(port, requests, number, ends) for number in range(TOGETHER)))
    return sum(counts) / (time.monotonic() - begun)


async def ask(port: int, requests: Sequence[bytes], number: int, ends: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    while time.monotonic() < ends:
        writer.write(requests[(number + answered * TOGETHER) % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise click.ClickException(head.decode("latin-1"))
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        answered += 1
    writer.close()
    return answered


if __name__ == "__main__":
    main()
