"""Several processes that serve one index at one address; each reads, searches and answers for itself.

They are forked from a process that has loaded nothing yet, so each opens the index on its own; what is mapped from its
files is in memory once.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from tempfile import mkdtemp

from service.errors import NotStarted

logger = logging.getLogger("pincite")

FIGURES = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client has the counts of all processes, if it is set
SOON_S = 5  # a process that ends sooner than this would end again if it were started again


def in_processes(count: int, announce: Callable[[], None]) -> Callable[[], None]:
    """Go on in `count` processes that share what is open, a listening socket above all.

    Returns in each of them, with what it must call once it answers; `announce` is called once all have. The process
    that called starts another for one that fails, and ends them with itself. Raises NotStarted where one fails at once.
    """
    figures = None if FIGURES in os.environ else mkdtemp(prefix="pincite-")
    os.environ.setdefault(FIGURES, figures or "")
    first = os.getpid()
    running: dict[int, float] = {}  # process ids, and when each was started
    held, lifeline = os.pipe()  # its other end is closed with this process, however that ends
    try:
        for _ in range(count):
            ready, answering = os.pipe()
            if not fork(running):
                os.close(ready)
                end_with(held, lifeline, figures)
                return partial(tell, answering)
            os.close(answering)
            if not os.read(ready, 1):
                raise NotStarted
            os.close(ready)
        announce()
        while True:
            process, _ = os.wait()
            if time.monotonic() - running.pop(process) < SOON_S:
                raise NotStarted
            logger.error("process %d ended, and another takes its place", process)
            forget(process)
            if not fork(running):
                end_with(held, lifeline, figures)
                return lambda: None
    finally:
        stop(running)
        if figures and os.getpid() == first:
            shutil.rmtree(figures, ignore_errors=True)


def forget(process: int) -> None:
    """Its counts stay; what it was doing at the end does not go on."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(process)  # type: ignore[no-untyped-call]


def end_with(held: int, lifeline: int, figures: str | None) -> None:
    """End in order when the process that started this one has ended; if it was killed, it has left `figures` behind."""
    os.close(lifeline)

    def hold() -> None:
        os.read(held, 1)
        if figures:
            shutil.rmtree(figures, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=hold, name="lifeline", daemon=True).start()


def tell(answering: int) -> None:
    os.write(answering, b"1")
    os.close(answering)


def fork(running: dict[int, float]) -> int:
    """0 in the process that is made, which has no others to look after; its id in the one that makes it."""
    process = os.fork()
    if process:
        running[process] = time.monotonic()
    else:
        running.clear()
    return process


def stop(running: dict[int, float]) -> None:
    """SIGTERM to all, and wait until each has answered what it had begun."""
    if running:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for process in running:
        os.kill(process, signal.SIGTERM)
    for process in running:
        os.waitpid(process, 0)
