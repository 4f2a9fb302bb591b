"""Fair scheduling: shares the model's threads among the questions in flight.

Each run of the model goes to the question with the fewest runs so far. A lone question gets all threads, and a long one
cannot starve short ones. If a run takes several rows, as on a GPU, it is filled with items of similar length in the
same order.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Generic, NamedTuple, Self, TypeVar

from msgspec import Struct

from service.scheduling.deadline import Pace, Patience

A = TypeVar("A")
B = TypeVar("B")


class Batches(Struct, frozen=True):
    """The shape of a run: up to `rows` items whose costs round up to the same multiple of `step`.

    A run that is not full waits up to `wait_s` for questions in flight that have no work ready; it does not wait if
    there are none.
    """

    rows: int = 1
    step: int = 1
    wait_s: float = 0.0

    def alike(self, cost: int, other: int) -> bool:
        return -(-cost // self.step) == -(-other // self.step)


class Turns:
    """`threads` that run the work of all questions in flight, one run at a time each."""

    def __init__(
        self, threads: int, order: Callable[[Turn], tuple[int, int]] | None = None, batches: Batches | None = None
    ) -> None:
        """`order`: the sort key that selects the next run, smallest first; by default, `least_read`."""
        self.runs = 0  # runs started so far
        self.threads = threads
        self.in_flight = 0  # questions being read for
        self._batches = batches or Batches()
        self._order = order or least_read
        self._changed = threading.Condition()
        self._waiting: list[Turn] = []
        self._numbers = count()
        self._pace = Pace()  # per unit of cost
        self._closed = False
        self._running = [threading.Thread(target=self._work, name=f"turns-{n}", daemon=True) for n in range(threads)]
        for thread in self._running:
            thread.start()

    def turn(self, patience: Patience | None = None) -> Turn:
        """A place in the schedule, for the duration of a question's reading."""
        return Turn(self, next(self._numbers), patience or Patience())

    def run(self, turn: Turn, job: Job[Any, Any]) -> None:
        """Run all parts of a job; returns when the last one has ended."""
        if not job.todo:
            return
        with self._changed:
            if self._closed:
                raise RuntimeError("the scheduler is closed")
            turn.job = job
            self._waiting.append(turn)
            self._changed.notify_all()
        job.done.wait()

    def count(self, more: int) -> None:
        with self._changed:
            self.in_flight += more
            self._changed.notify_all()  # a run may be waiting for this question to add work

    def close(self) -> None:
        """Finish the current runs, and drop the others."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._running:
            thread.join()

    def _work(self) -> None:
        while taken := self._next():
            job, longest = taken[0].job, max(each.cost for each in taken)
            begun = time.monotonic()
            error: Exception | None = None
            results: Sequence[Any] = ()
            try:
                results = job.work([each.item for each in taken])
            except Exception as caught:  # noqa: BLE001  # it is raised again where the work was asked for
                error = caught
            with self._changed:
                self._pace.took((time.monotonic() - begun) / longest)
                for number, each in enumerate(taken):
                    if error is None:
                        each.job.results[each.place] = results[number]
                    else:
                        each.job.error = error
                    self._ended(each.turn, each.job, 1)

    def _next(self) -> list[Taken]:
        """Wait for the next run; empty once closed."""
        with self._changed:
            while not self._closed:
                if not self._waiting:
                    self._changed.wait()
                    continue
                hopeless = [turn for turn in self._waiting if self._hopeless(turn)]
                for turn in hopeless:  # now, because it may be long before their turn
                    self._ended(turn, turn.job, self._drop(turn, turn.job))
                if hopeless:
                    continue
                turn = min(self._waiting, key=self._order)
                job = turn.job
                taken = [self._take(turn, job.todo[0])]
                self._fill(taken)
                self.runs += 1
                return taken
            for turn in list(self._waiting):
                self._ended(turn, turn.job, self._drop(turn, turn.job))
            return []

    def _fill(self, taken: list[Taken]) -> None:
        """Add items of similar length until the run is full or no question can add more."""
        until = time.monotonic() + self._batches.wait_s
        while len(taken) < self._batches.rows and not self._closed:
            fitting = [turn for turn in self._waiting if self._fitting(turn, taken[0]) is not None]
            if fitting:
                turn = min(fitting, key=self._order)
                taken.append(self._take(turn, self._fitting(turn, taken[0]) or 0))
                continue
            known = {each.turn.number for each in taken} | {turn.number for turn in self._waiting}
            left = until - time.monotonic()
            if left <= 0 or self.in_flight <= len(known):
                return
            self._changed.wait(left)

    def _fitting(self, turn: Turn, first: Taken) -> int | None:
        """The index of the next item of a question that can run together with the first."""
        job = turn.job
        if job.work != first.job.work or job.error or turn.patience.gone:
            return None
        alike = (place for place in job.todo if self._batches.alike(job.costs[place], first.cost))
        return next((place for place in alike if not self._late(turn, job.costs[place])), None)

    def _hopeless(self, turn: Turn) -> bool:
        job = turn.job
        return turn.patience.gone or job.error is not None or self._late(turn, job.costs[job.todo[0]])

    def _late(self, turn: Turn, cost: int) -> bool:
        return turn.patience.left() < self._pace.most * cost

    def _take(self, turn: Turn, place: int) -> Taken:
        job = turn.job
        job.todo.remove(place)
        if not job.todo:
            self._waiting.remove(turn)
        turn.read += 1
        return Taken(turn, job, place)

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


class Taken(NamedTuple):
    """One part of a job, in the next or the current run."""

    turn: Turn
    job: Job[Any, Any]
    place: int

    @property
    def item(self) -> Any:  # noqa: ANN401  # a job is of any kind
        return self.job.items[self.place]

    @property
    def cost(self) -> int:
        return self.job.costs[self.place]


class Job(Generic[A, B]):
    """Work on several items, which may run concurrently."""

    def __init__(self, work: Callable[[list[A]], Sequence[B]], items: Sequence[A], costs: Sequence[int]) -> None:
        self.work = work
        self.items = items
        self.costs = costs
        self.todo = deque(range(len(items)))
        self.left = len(items)
        self.results: list[B | None] = [None] * len(items)
        self.error: Exception | None = None
        self.done = threading.Event()


class Turn:
    """A question's place in the schedule, in flight within `with`. `read`: its runs so far; `number`: arrival order."""

    job: Job[Any, Any]

    def __init__(self, turns: Turns, number: int, patience: Patience) -> None:
        self.read = 0
        self.number = number
        self.patience = patience
        self._turns = turns

    def __enter__(self) -> Self:
        self._turns.count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._turns.count(-1)

    def map(self, work: Callable[[list[A]], Sequence[B]], items: Sequence[A], costs: Sequence[int]) -> list[B | None]:
        """Apply `work` to all items; None for those that would not finish before the deadline.

        `work` gets the items of one run, from one or several questions. `costs`: of each item, in any one unit, at
        least 1. Raises what `work` raises, and HungUp.
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
    """First come, first served: the baseline of the benchmark."""
    return turn.number, 0
