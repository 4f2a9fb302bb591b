"""Threads that compute, so that the event loop never does, and who may wait for them."""

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
from service.scheduling.deadline import Pace, Patience
from service.telemetry.instrumentation import queueing

T = TypeVar("T")

LONGEST_WAIT_S = 60  # what a refused caller is told at most
PREPARING = 2  # documents that are read, split and encoded at the same time
COMMITTING = 16  # changes that wait for the disk at the same time: what comes together is written together
NICE = 5  # of the threads that prepare, and of those that they start to encode: about a third of a question's share


class Workers:
    """`threads` calls at a time, and at most `waiting` that queue for a thread."""

    def __init__(self, threads: int, waiting: int, begin: Callable[[], None] = lambda: None) -> None:
        """`begin` is called by each thread first."""
        self.threads = threads
        self.room = threads + waiting
        self.calls = 0  # under way or waiting
        self._pace = Pace()
        self._sending = Pace()
        self._free = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pincite", initializer=begin)

    def patience(self, deadline_ms: int | None, came: float) -> Patience:
        """That of an asker whose call is to run here, with time left for the answer to get out."""
        return Patience(deadline_ms, came, self._sending.most)

    async def run(self, work: Callable[[], T], patience: Patience | None = None) -> T:
        """What `work` returns or raises. Raises Overloaded at once where there is no room to wait.

        A call whose deadline has come does not wait for its thread any longer: what is left to do for it is next to
        nothing.
        """
        if self.calls >= self.room:
            raise Overloaded(retry_after=self._until_free())
        self.calls += 1
        try:
            left = math.inf if patience is None else patience.left()
            if await self._entered(left):
                return await self._on_thread(work)
            return await self._called(None, work)
        finally:
            self.calls -= 1

    async def in_order(self, works: Iterable[Callable[[], T]]) -> AsyncIterator[T]:
        """The results in the order of `works`; half of the threads are left to others.

        Whoever stops listening stops the rest.
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

    async def _entered(self, seconds: float) -> bool:
        """Wait for a thread; False if there is none after so many seconds."""
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
            self._pace.took(time.monotonic() - begun)

    async def _called(self, pool: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
        """In the context of its request: logs and traces tell by it what belongs together."""
        ended = math.inf

        def working() -> T:
            nonlocal ended
            try:
                return work()
            finally:
                ended = time.monotonic()

        result = await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, working)
        self._sending.took(time.monotonic() - ended)
        return result

    def _until_free(self) -> int:
        """Seconds until those who wait now have been served, about."""
        return min(LONGEST_WAIT_S, max(1, math.ceil(self.calls * self._pace.seconds / self.threads)))


class Uploads:
    """At most `limit` documents are in memory on their way into the index."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Raises TooManyUploads at once, before any of the body is read."""
        if self.under_way >= self.limit:
            raise TooManyUploads(limit=self.limit, retry_after=1)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


async def while_listening(receive: Callable[[], Awaitable[object]], patience: Patience, answer: Awaitable[T]) -> T:
    """What `answer` gives, unless the client hangs up first: then whatever is done for it stops, and HungUp is raised.

    `receive` is the ASGI channel of a request whose body has been read: what comes next is the client's hanging up.
    """
    answering = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        raise HungUp
    finally:
        if not answering.done():
            patience.hang_up()
        leaving.cancel()
        answering.cancel()


class Changers:
    """Threads for changes, apart from those of the questions, which so never wait for one."""

    def __init__(self, waiting: int) -> None:
        self._preparing = Workers(PREPARING, waiting, begin=stand_back)
        self._committing = Workers(COMMITTING, waiting)

    async def prepare(self, work: Callable[[], T]) -> T:
        """Run what computes. Raises Overloaded, as `Workers.run` does."""
        return await self._preparing.run(work)

    async def commit(self, work: Callable[[], T]) -> T:
        """Run what waits for the disk. Raises Overloaded."""
        return await self._committing.run(work)

    def close(self) -> None:
        self._preparing.close()
        self._committing.close()


def stand_back() -> None:
    """Let the threads of questions go first, where the system knows priorities of threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)
