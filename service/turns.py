"""Turns: how the questions in flight share the threads that run a model.

Each run of the model goes to the question that has had the fewest runs so far. So a lone question has all threads, and
a long one cannot keep the short ones waiting.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Generic, TypeVar

from service.patience import Patience

A = TypeVar("A")
B = TypeVar("B")

LEARNING = 0.1  # how much the latest run counts in what the next is expected to take
MARGIN = 1.25  # a run is begun before a deadline only if it would end in time taking so many times as long


class Turns:
    """`threads` that run the work of all questions in flight, one run at a time each."""

    def __init__(self, threads: int, order: Callable[[Turn], tuple[int, int]] | None = None) -> None:
        """`order`: whose run is next, the smallest first; by default, `least_read`."""
        self.runs = 0  # begun so far
        self.threads = threads
        self._order = order or least_read
        self._changed = threading.Condition()
        self._waiting: list[Turn] = []
        self._numbers = count()
        self._pace = 0.0  # seconds for each unit of cost
        self._closed = False
        self._running = [threading.Thread(target=self._work, name=f"turns-{n}", daemon=True) for n in range(threads)]
        for thread in self._running:
            thread.start()

    def turn(self, patience: Patience | None = None) -> Turn:
        """The place in line of a question, for as long as it is read for."""
        return Turn(self, next(self._numbers), patience or Patience())

    def run(self, turn: Turn, job: Job[Any, Any]) -> None:
        """Have every part of a job run; returns when the last one has ended."""
        if not job.todo:
            return
        with self._changed:
            if self._closed:
                raise RuntimeError("the threads have been stopped")
            turn.job = job
            self._waiting.append(turn)
            self._changed.notify(len(job.todo))
        job.done.wait()

    def close(self) -> None:
        """Finish the runs under way, and drop the others."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._running:
            thread.join()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            turn, job, place = taken
            begun = time.monotonic()
            try:
                job.results[place] = job.work(job.items[place])
            except Exception as error:  # noqa: BLE001  # it is raised again where the work was asked for
                job.error = error
            pace = (time.monotonic() - begun) / job.costs[place]
            with self._changed:
                self._pace = self._pace + LEARNING * (pace - self._pace) if self._pace else pace
                self._ended(turn, job, 1)

    def _next(self) -> tuple[Turn, Job[Any, Any], int] | None:
        """The next run, waiting for one; None once closed."""
        with self._changed:
            while not self._closed:
                if not self._waiting:
                    self._changed.wait()
                    continue
                turn = min(self._waiting, key=self._order)
                job = turn.job
                place = job.todo[0]
                if turn.patience.gone or job.error or turn.patience.left() < MARGIN * self._pace * job.costs[place]:
                    self._ended(turn, job, self._drop(turn, job))
                    continue
                job.todo.popleft()
                if not job.todo:
                    self._waiting.remove(turn)
                turn.read += 1
                self.runs += 1
                return turn, job, place
            for turn in list(self._waiting):
                self._ended(turn, turn.job, self._drop(turn, turn.job))
            return None

    def _drop(self, turn: Turn, job: Job[Any, Any]) -> int:
        dropped = len(job.todo)
        job.todo.clear()
        self._waiting.remove(turn)
        return dropped

    def _ended(self, turn: Turn, job: Job[Any, Any], parts: int) -> None:
        job.left -= parts
        if job.error and job.todo:
            job.left -= self._drop(turn, job)
        if job.left == 0:
            job.done.set()


class Job(Generic[A, B]):
    """Work on several items, some of which may be under way at once."""

    def __init__(self, work: Callable[[A], B], items: Sequence[A], costs: Sequence[int]) -> None:
        self.work = work
        self.items = items
        self.costs = costs
        self.todo = deque(range(len(items)))
        self.left = len(items)
        self.results: list[B | None] = [None] * len(items)
        self.error: Exception | None = None
        self.done = threading.Event()


class Turn:
    """A question's place in line. `read`: how many runs it has had; `number`: when it came."""

    job: Job[Any, Any]

    def __init__(self, turns: Turns, number: int, patience: Patience) -> None:
        self.read = 0
        self.number = number
        self.patience = patience
        self._turns = turns

    def map(self, work: Callable[[A], B], items: Sequence[A], costs: Sequence[int]) -> list[B | None]:
        """What `work` gives for each item; None for those that would not have ended before the deadline.

        `costs`: what each takes, in any one unit from 1 up. Raises what `work` raises, and HungUp.
        """
        job = Job(work, items, costs)
        self._turns.run(self, job)
        if job.error:
            raise job.error
        self.patience.require_listener()
        return job.results


def least_read(turn: Turn) -> tuple[int, int]:
    return turn.read, turn.number


def first_come(turn: Turn) -> tuple[int, int]:
    """What is measured against: every question waits for all that came before it."""
    return turn.number, 0
