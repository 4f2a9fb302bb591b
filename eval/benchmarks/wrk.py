"""Runs wrk, the load generator, and parses its output."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from eval.benchmarks.service import Served

SCRIPT = Path(__file__).parents[1] / "load.lua"
TIMEOUT_S = 60  # timeout of one answer


class Loaded(Struct, frozen=True):
    """The output of wrk; times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    refused: int  # responses with 503
    failed: int

    @property
    def per_second(self) -> float:
        return (self.requests - self.refused) / self.seconds


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise click.ClickException("The load generator wrk is missing. On Debian and Ubuntu: apt-get install wrk")


def bodies_of(questions: Sequence[str], out: Path, **parameters: object) -> Path:
    path = out / "bodies.jsonl"
    lines = [msgspec.json.encode({"question": question, **parameters}) for question in questions]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def wrk(service: Served, bodies: Path, clients: int, seconds: int) -> Loaded:
    threads = str(min(clients, 2))
    command = ["wrk", "-t", threads, "-c", str(clients), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_S}s"]
    command += ["-s", str(SCRIPT), f"{service.url}/v1/ask", "--", str(bodies)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return msgspec.json.decode(output.strip().splitlines()[-1], type=Loaded)
