"""Threads that compute, so that the event loop never does."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.errors import Overloaded

T = TypeVar("T")


class Workers:
    """`threads` that compute, and at most `waiting` calls that queue for them."""

    def __init__(self, threads: int, waiting: int, begin: Callable[[], None] = lambda: None) -> None:
        """`begin` is called by each thread first."""
        self.threads = threads
        self.room = threads + waiting
        self._calls = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pincite", initializer=begin)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises Overloaded at once where there is no room to wait."""
        if self._calls >= self.room:
            raise Overloaded(retry_after=1)
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._calls -= 1

    async def in_order(self, works: Iterable[Callable[[], T]]) -> AsyncIterator[T]:
        """The results in the order of `works`, one work a thread under way. Whoever stops listening stops the rest."""
        loop = asyncio.get_running_loop()
        under_way: deque[asyncio.Future[T]] = deque()
        try:
            for work in works:
                under_way.append(loop.run_in_executor(self._pool, work))
                if len(under_way) >= self.threads:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for future in under_way:
                future.cancel()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


PREPARING = 2  # documents that are read, split and encoded at the same time
COMMITTING = 16  # changes that wait for the disk at the same time: what comes together is written together
NICE = 5  # of the threads that prepare, and of those that they start to encode: about a third of a question's share


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
