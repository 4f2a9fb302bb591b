"""A scripted language model: a real HTTP server on loopback that replies as it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

LINE = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)
Model = Callable[[str], str]  # request -> reply
Manner = Callable[[BaseHTTPRequestHandler, str], None]  # how a reply is sent


def completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


def well(handler: BaseHTTPRequestHandler, text: str) -> None:
    sent(handler, completion(text))


def sent(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """`headers` with underscores instead of hyphens."""
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def with_body(body: bytes, status: int = 200, **headers: str) -> Manner:
    return lambda handler, _: sent(handler, body, status, **headers)


class ReceivedRequests:
    """The requests that the endpoint received."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []

    @property
    def prompts(self) -> list[str]:
        """The user messages."""
        return [body["messages"][-1]["content"] for body in self.bodies]


@contextmanager
def endpoint(model: Model | str, manner: Manner = well) -> Iterator[tuple[str, ReceivedRequests]]:
    """Run an endpoint; its base URL and its requests. `model` is a function or a fixed reply."""
    requests = ReceivedRequests()
    write: Model = model if callable(model) else lambda _: model

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.bodies.append(body)
            requests.headers.append(dict(self.headers))
            requests.paths.append(self.path)
            manner(self, write(body["messages"][-1]["content"]))

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """The client disconnected."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def numbered(prompt: str) -> dict[int, str]:
    """The sentences in a prompt, by number."""
    return {int(number): text for number, text in LINE.findall(prompt.partition("Sentences:")[2])}


def own(prompt: str) -> int:
    """The number of the current answer."""
    (number,) = re.findall(r"^The answer so far is: (\d+)$", prompt, re.MULTILINE)
    return int(number)


def most(prompt: str) -> int:
    """The maximum number of sentences to choose."""
    (number,) = re.findall(r"at most (\d+)\.", prompt.rpartition("The answer so far is:")[2])
    return int(number)


def asked_for(prompt: str) -> str:
    """The question."""
    return prompt.partition("\n")[0].removeprefix("Question: ")
