"""A parser in a process of its own: what it makes comes back whole, and whatever it does harms one document only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from index.errors import BinaryFile, ParserFailed
from index.text import formats, parsing
from index.text.parsing import Parse, Worker, parse

TEXT = b"# Fares\n\nA child pays 5 EUR. Dogs travel free.\n"
# What stands for a parser, told by the source which way to go wrong; it runs in the worker alone.
MISBEHAVING = """
import sys
sys.path[:] = {paths!r}
import os, signal, time
from index.text import formats, parsing
def extract(data, source, media_type, charset):
    if source == "hang": time.sleep(60)
    if source == "crash": os.kill(os.getpid(), signal.SIGSEGV)
    if source == "memory": return bytearray(10**10)
    if source == "raise": raise KeyError("secret of the parser")
    if source == "print": print("noise")
    return honest(data, "a.md", media_type, charset)
honest, formats.extract = formats.extract, extract
parsing.work({memory})
"""


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(parsing, "START", MISBEHAVING)
    return Worker(seconds=20)


def test_an_extraction_comes_back_as_it_was_made() -> None:
    assert parse(TEXT, "fares.md") == formats.extract(TEXT, "fares.md")


def test_an_error_of_a_document_comes_back_with_its_facts() -> None:
    with pytest.raises(BinaryFile) as raised:
        parse(b"\x00\x01\x02" * 100, "noise.txt")
    assert raised.value.facts == {"source": "noise.txt"}


def test_a_parser_that_prints_breaks_nothing(misbehaving: Worker) -> None:
    extracted = misbehaving.run(Parse(TEXT, "print")).extracted
    assert extracted
    assert extracted.title == "Fares"
    misbehaving.close()


@pytest.mark.parametrize(
    ("source", "reason"),
    [("crash", "SIGSEGV"), ("memory", "out of memory"), ("raise", "KeyError")],
)
def test_a_parser_that_fails_fails_its_document_with_the_reason(misbehaving: Worker, source: str, reason: str) -> None:
    with pytest.raises(ParserFailed, match=reason) as raised:
        misbehaving.run(Parse(TEXT, source))
    assert "secret" not in str(raised.value)
    misbehaving.close()


def test_a_parser_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "START", MISBEHAVING)
    worker = Worker(seconds=3)
    with pytest.raises(ParserFailed, match="longer than 3 s"):
        worker.run(Parse(TEXT, "hang"))
    assert not worker.alive


def test_the_next_document_gets_a_new_worker_after_a_crash() -> None:
    parse(TEXT, "fares.md")
    with parsing.POOL.worker() as worker:
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
    assert parse(TEXT, "fares.md").title == "Fares"


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    script = "from index.text import parsing; parsing.parse(b'Hi.', 'a.txt'); print(parsing.POOL.free[0].process.pid)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    process = Path("/proc") / done.stdout.strip()
    deadline = time.monotonic() + 30
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process.exists()
