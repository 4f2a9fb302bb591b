"""Threads that compute, so that the event loop never does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from service.errors import Overloaded
from service.observing import Waiting

T = TypeVar("T")


class Workers:
    """`threads` that compute, and at most `waiting` calls that queue for them."""

    def __init__(self, threads: int, waiting: int) -> None:
        self.threads = threads
        self.room = threads + waiting
        self._calls = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pincite")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises Overloaded at once where there is no room to wait."""
        if self._calls >= self.room:
            raise Overloaded(retry_after=1)
        self._calls += 1
        try:
            return await self._begin(work)
        finally:
            self._calls -= 1

    async def in_order(self, works: Iterable[Callable[[], T]]) -> AsyncIterator[T]:
        """The results in the order of `works`, one work a thread under way. Whoever stops listening stops the rest."""
        under_way: deque[asyncio.Future[T]] = deque()
        try:
            for work in works:
                under_way.append(self._begin(work))
                if len(under_way) >= self.threads:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for future in under_way:
                future.cancel()

    def _begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Queue a work, in the context of its request: logs and traces tell by it what belongs together."""
        context, waiting = copy_context(), Waiting()

        def working() -> T:
            waiting.over()
            return context.run(work)

        future = asyncio.get_running_loop().run_in_executor(self._pool, working)
        future.add_done_callback(lambda _: waiting.over())  # given up before its turn came
        return future

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
