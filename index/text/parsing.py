"""Formats other than text are parsed in a process of their own: a parser that hangs or crashes fails one document.

A worker is started when it is first needed, and reused. It is limited in memory and killed when it takes too long. Its
pipes carry frames: a length of 8 bytes and a message in msgpack. Nothing that it sends back is executed.
"""

from __future__ import annotations

import atexit
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from index import errors
from index.cpus import cpus
from index.errors import DocumentError, ParserFailed
from index.text.extraction import AnyMap
from index.types import Extracted, Picture, PictureFormat

LENGTH = struct.Struct("<Q")
SECONDS = 120.0  # for one document
MEMORY = 2_000_000_000  # bytes that a worker may take beyond what its imports need
LARGEST_RESULT = 512_000_000  # bytes, for documents of at most 64 MB
# A worker finds the modules that this process finds, whatever its working directory is.
START = "import sys; sys.path[:] = {paths!r}; from index.text.parsing import work; work({memory})"


class Parse(Struct, frozen=True, tag=True):
    """Extract the text of a file."""

    data: bytes
    source: str
    media_type: str | None = None
    charset: str | None = None


class Render(Struct, frozen=True, tag=True):
    """Make a picture of a page of a PDF, `width` pixels wide."""

    data: bytes
    source: str
    page: int  # from 1
    width: int
    format: PictureFormat


Job = Parse | Render


class Outcome(Struct, frozen=True):
    """An extraction, its map apart, or a picture, or the class and the facts of a DocumentError."""

    extracted: Extracted | None = None
    map: AnyMap | None = None
    picture: Picture | None = None
    error: str | None = None
    facts: dict[str, Any] = {}


class Worker:
    """A process that parses one document at a time."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds = seconds
        self.process = subprocess.Popen(
            [sys.executable, "-c", START.format(paths=sys.path, memory=memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def run(self, job: Job) -> Outcome:
        """Raises DocumentError. After a crash or a time-out the process has ended."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(self.seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            send(self.process.stdin, msgspec.msgpack.encode(job))
            outcome = msgspec.msgpack.decode(receive(self.process.stdout), type=Outcome)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            self.close()
            reason = f"its parser took longer than {self.seconds:g} s" if late.is_set() else ended(self.process)
            raise ParserFailed(source=job.source, reason=reason) from error
        finally:
            timer.cancel()
        if outcome.error is not None:
            raise error_of(outcome, job.source)
        return outcome

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # a job may be half sent
                if pipe is not None:
                    pipe.close()


class Pool:
    """As many workers as CPUs at most, each started when it is needed. Safe in many threads at once."""

    def __init__(self) -> None:
        self.free: list[Worker] = []
        self.lock = threading.Lock()
        self.places = threading.BoundedSemaphore(cpus())
        self.owner = os.getpid()

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        with self.places:
            worker = self.take()
            try:
                yield worker
            finally:
                with self.lock:
                    if worker.alive:
                        self.free.append(worker)

    def take(self) -> Worker:
        with self.lock:
            if self.owner != os.getpid():  # a fork has no right to the pipes of its parent
                self.free, self.owner = [], os.getpid()
            while self.free:
                worker = self.free.pop()
                if worker.alive:
                    return worker
                worker.close()
        return Worker()

    def close(self) -> None:
        with self.lock:
            while self.free and self.owner == os.getpid():
                self.free.pop().close()


POOL = Pool()
atexit.register(POOL.close)


def parse(data: bytes, source: str, media_type: str | None = None, charset: str | None = None) -> Extracted:
    """`index.text.formats.extract` in a worker. Raises DocumentError; ParserFailed if the parser hangs or crashes."""
    with POOL.worker() as worker:
        outcome = worker.run(Parse(data, source, media_type, charset))
    if outcome.extracted is None:
        raise ParserFailed(source=source, reason="its parser sent something else")
    return replace(outcome.extracted, map=outcome.map)


def render(data: bytes, source: str, page: int, width: int, format: PictureFormat) -> Picture:  # noqa: A002
    """A page of a PDF as a picture, made in a worker. Raises DocumentError, PageNotFound among them."""
    with POOL.worker() as worker:
        outcome = worker.run(Render(data, source, page, width, format))
    if outcome.picture is None:
        raise ParserFailed(source=source, reason="its parser sent something else")
    return outcome.picture


def error_of(outcome: Outcome, source: str) -> DocumentError:
    kind = getattr(errors, outcome.error or "", None)
    if isinstance(kind, type) and issubclass(kind, DocumentError):
        return kind(**outcome.facts)
    return ParserFailed(source=source, reason="its parser sent something else")


def ended(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return f"its parser ended with {how}"


def send(pipe: IO[bytes] | None, message: bytes) -> None:
    if pipe is None:
        raise EOFError
    pipe.write(LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def receive(pipe: IO[bytes] | None) -> bytes:
    """The next message. Raises EOFError where there is none, or one that is too long."""
    head = b"" if pipe is None else pipe.read(LENGTH.size)
    if pipe is None or len(head) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(head)
    if length > LARGEST_RESULT:
        raise EOFError
    message = pipe.read(length)
    if len(message) < length:
        raise EOFError
    return message


def work(memory: int) -> None:
    """Parse jobs from standard input until it ends: the whole life of a worker."""
    import index.text.formats  # noqa: F401  # before the memory is limited

    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the process that started it, which then closes the pipe
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a parser that prints must not break a frame
    limit(memory)
    while True:
        try:
            job = msgspec.msgpack.decode(receive(sys.stdin.buffer), type=Job)
        except EOFError:
            return
        send(answers, msgspec.msgpack.encode(outcome_of(job)))


def limit(memory: int) -> None:
    """Bound the address space, where the system tells how much is taken, and leave no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text("ascii").split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def outcome_of(job: Job) -> Outcome:
    try:
        return done(job)
    except DocumentError as error:
        return Outcome(error=type(error).__name__, facts=error.facts)
    except MemoryError:
        return failed(job, "its parser ran out of memory")
    except Exception as error:  # noqa: BLE001  # a parser may fail in any way; only its document must
        return failed(job, f"its parser failed with {type(error).__name__}")


def done(job: Job) -> Outcome:
    if isinstance(job, Render):
        from index.text.formats import pdf

        return Outcome(picture=pdf.render(job.data, job.page, job.width, job.format, job.source))
    from index.text import formats

    extracted = formats.extract(job.data, job.source, job.media_type, job.charset)
    return Outcome(extracted=replace(extracted, map=None), map=cast("AnyMap | None", extracted.map))


def failed(job: Job, reason: str) -> Outcome:
    return Outcome(error=ParserFailed.__name__, facts={"source": job.source, "reason": reason})
