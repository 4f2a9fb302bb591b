"""Forks several processes that serve one index at one address, independently of each other.

They are forked before anything is loaded, so each opens the index itself; memory-mapped files are shared.
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

FIGURES = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's folder for the metrics of all processes, if it is set
SOON_S = 5  # a process that ends sooner is not restarted: it would fail again


def in_processes(count: int, announce: Callable[[], None]) -> Callable[[], None]:
    """Continue in `count` processes that share what is open, such as a listening socket.

    Returns in each of them, with a function to call once it is ready; `announce` is called when all are. The parent
    restarts a process that fails, and stops them all when it ends. Raises NotStarted if one fails at once.
    """
    figures = None if FIGURES in os.environ else mkdtemp(prefix="pincite-")
    os.environ.setdefault(FIGURES, figures or "")
    first = os.getpid()
    running: dict[int, float] = {}  # process ids and start times
    held, lifeline = os.pipe()  # the other end closes with this process, however it ends
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
            logger.error("process %d ended; starting another", process)
            forget(process)
            if not fork(running):
                end_with(held, lifeline, figures)
                return lambda: None
    finally:
        stop(running)
        if figures and os.getpid() == first:
            shutil.rmtree(figures, ignore_errors=True)


def forget(process: int) -> None:
    """Drop the gauges of an ended process; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(process)  # type: ignore[no-untyped-call]


def end_with(held: int, lifeline: int, figures: str | None) -> None:
    """Shut down when the parent ends; if the parent was killed, also remove the metrics in `figures`."""
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
    """Fork. Returns 0 in the child, which forgets the other children, and the child's id in the parent."""
    process = os.fork()
    if process:
        running[process] = time.monotonic()
    else:
        running.clear()
    return process


def stop(running: dict[int, float]) -> None:
    """Send SIGTERM to all, and wait until each has finished its requests."""
    if running:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for process in running:
        os.kill(process, signal.SIGTERM)
    for process in running:
        os.waitpid(process, 0)
