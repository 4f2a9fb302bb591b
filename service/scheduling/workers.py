"""Thread pools that keep computation off the event loop, with bounded queues."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from service.errors import HungUp, Overloaded, TooManyUploads
from service.scheduling.deadline import Deadline, DurationEstimate
from service.telemetry.instrumentation import queueing

T = TypeVar("T")

LONGEST_WAIT_S = 60  # upper limit of Retry-After
PREPARING = 2  # documents read, split and encoded at the same time
COMMITTING = 16  # changes that may wait for the disk together; they are committed as a group
NICE = 5  # niceness of the preparing threads and the encoder's: about a third of a question's CPU share


class Workers:
    """Runs `threads` calls at a time, and queues at most `waiting`."""

    def __init__(self, threads: int, waiting: int, begin: Callable[[], None] = lambda: None) -> None:
        """`begin` is called first in each thread."""
        self.threads = threads
        self.capacity = threads + waiting
        self.calls = 0  # running or queued
        self._duration = DurationEstimate()
        self._sending_duration = DurationEstimate()
        self._free = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pincite", initializer=begin)

    def deadline(self, deadline_ms: int | None, received: float) -> Deadline:
        """The deadline of a request whose call runs here, with time reserved for sending the answer."""
        return Deadline(deadline_ms, received, self._sending_duration.upper_bound)

    async def run(self, work: Callable[[], T], deadline: Deadline | None = None) -> T:
        """Run `work` on a thread. Raises Overloaded at once if the queue is full.

        If the deadline passes in the queue, it runs without waiting for a thread: by then there is next to nothing to
        compute.
        """
        if self.calls >= self.capacity:
            raise Overloaded(retry_after=self._until_free())
        self.calls += 1
        try:
            remaining = math.inf if deadline is None else deadline.remaining()
            if await self._acquired(remaining):
                return await self._on_thread(work)
            return await self._called(None, work)
        finally:
            self.calls -= 1

    async def in_order(self, works: Iterable[Callable[[], T]]) -> AsyncIterator[T]:
        """The results in the order of `works`, using half of the threads.

        Closing the generator cancels the rest.
        """
        under_way: deque[asyncio.Task[T]] = deque()
        try:
            for work in works:
                under_way.append(asyncio.create_task(self._in_turn(work)))
                if len(under_way) >= max(1, self.threads // 2):
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        with queueing():
            await self._free.acquire()
        return await self._on_thread(work)

    async def _acquired(self, seconds: float) -> bool:
        """Wait for a thread; False after `seconds`."""
        try:
            with queueing():
                await asyncio.wait_for(self._free.acquire(), None if seconds == math.inf else max(0.0, seconds))
        except TimeoutError:
            return False
        return True

    async def _on_thread(self, work: Callable[[], T]) -> T:
        begun = time.monotonic()
        try:
            return await self._called(self._pool, work)
        finally:
            self._free.release()
            self._duration.record(time.monotonic() - begun)

    async def _called(self, pool: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
        """Run in the context of the request, so that logs and traces belong to it."""
        ended = math.inf

        def working() -> T:
            nonlocal ended
            try:
                return work()
            finally:
                ended = time.monotonic()

        result = await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, working)
        self._sending_duration.record(time.monotonic() - ended)
        return result

    def _until_free(self) -> int:
        """A rough estimate of the seconds until the current queue has been served."""
        return min(LONGEST_WAIT_S, max(1, math.ceil(self.calls * self._duration.mean / self.threads)))


class UploadLimit:
    """Limits the documents in memory that are being uploaded."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Raises TooManyUploads at once, before any of the body is read."""
        if self.under_way >= self.limit:
            raise TooManyUploads(limit=self.limit, retry_after=1)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


async def until_disconnect(receive: Callable[[], Awaitable[object]], deadline: Deadline, answer: Awaitable[T]) -> T:
    """Await `answer`, unless the client disconnects first: then cancel the work and raise HungUp.

    `receive` is the ASGI channel of a request whose body has been read, so the next message is a disconnect.
    """
    answering = asyncio.ensure_future(answer)
    disconnect = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({answering, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        raise HungUp
    finally:
        if not answering.done():
            deadline.hang_up()
        disconnect.cancel()
        answering.cancel()


class ChangeWorkers:
    """Thread pools for changes, separate from those of questions, so that questions never wait for a change."""

    def __init__(self, waiting: int) -> None:
        self._preparing = Workers(PREPARING, waiting, begin=lower_priority)
        self._committing = Workers(COMMITTING, waiting)

    async def prepare(self, work: Callable[[], T]) -> T:
        """Run computation. Raises Overloaded, as `Workers.run` does."""
        return await self._preparing.run(work)

    async def commit(self, work: Callable[[], T]) -> T:
        """Run work that waits for the disk. Raises Overloaded."""
        return await self._committing.run(work)

    def close(self) -> None:
        self._preparing.close()
        self._committing.close()


def lower_priority() -> None:
    """Lower the priority of the current thread, so that questions go first (Linux only)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)
