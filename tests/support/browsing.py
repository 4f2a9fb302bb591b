"""A page of another origin than the service's, opened in Debian's Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Host:
    """A third-party web site that serves `pages`, with a policy that allows scripts of the service."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, str] = {}
        self.policy = ""

    def put(self, path: str, html: str) -> str:
        self.pages[path] = html
        return self.address + path


class _Pages(BaseHTTPRequestHandler):
    def __init__(self, host: list[Host], *args: object) -> None:
        self.host = host
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        html = self.host[0].pages.get(self.path)
        self.send_response(404 if html is None else 200)
        self.send_header("Content-Type", f"{guess_type(self.path)[0] or 'text/html'}; charset=utf-8")
        if self.host[0].policy:
            self.send_header("Content-Security-Policy", self.host[0].policy)
        self.end_headers()
        self.wfile.write((html or "").encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def hosting() -> Iterator[Host]:
    hosts: list[Host] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, hosts)) as server:
        hosts.append(Host(f"http://localhost:{server.server_port}"))
        Thread(target=server.serve_forever, daemon=True).start()
        yield hosts[0]
        server.shutdown()
