"""Starts, watches and stops a service for a measurement."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from service.schema import IndexInfo, SearchResponse

READY = re.compile(r"ready at (http://\S+)")
RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
KIBIBYTES = 1024  # in a MiB
STOP_S = 60


class Served(Struct, frozen=True):
    url: str
    process: int

    def mebibytes(self) -> float:
        """Current resident memory in MiB."""
        match = RESIDENT.search(Path(f"/proc/{self.process}/status").read_text(encoding="utf-8"))
        return int(match[1]) / KIBIBYTES if match else float("nan")

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process}/task").iterdir()))

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process}/fd").iterdir()))

    def index_info(self) -> IndexInfo:
        response = httpx.post(f"{self.url}/v1/search", json={"query": "anything", "top_k": 1})
        return msgspec.json.decode(response.content, type=SearchResponse).index


@contextmanager
def served(index: Path, *options: str, **environment: str) -> Iterator[Served]:
    """Run `pincite serve` on a free port with these environment variables; it must exit with status 0."""
    command = [sys.executable, "-m", "pincite", "serve", "--index", str(index), "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | environment
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        ready = READY.search(line)
        if ready is None:
            raise RuntimeError(f"The service did not start: {line!r}")
        yield Served(ready[1], process.pid)
    finally:
        process.terminate()
        status = process.wait(STOP_S)
    if status:
        raise RuntimeError(f"The service ended with status {status}.")
