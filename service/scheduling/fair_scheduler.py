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

from service.scheduling.deadline import Clock, Deadline, DurationEstimate

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


class FairScheduler:
    """`threads` that run the work of all questions in flight, one run at a time each.

    A question in flight is a flow, as in fair queueing, with at most one job at a time.
    """

    def __init__(
        self,
        threads: int,
        order: Callable[[Flow], tuple[int, int]] | None = None,
        batches: Batches | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """`order`: the sort key that selects the next run, smallest first; by default, `fewest_runs`."""
        self.runs = 0  # runs started so far
        self.threads = threads
        self.in_flight = 0  # questions being read for
        self._batches = batches or Batches()
        self._order = order or fewest_runs
        self._changed = threading.Condition()
        self._waiting: list[Flow] = []
        self._numbers = count()
        self._clock = clock
        self._duration = DurationEstimate(clock)  # per unit of cost
        self._closed = False
        self._running = [
            threading.Thread(target=self._work, name=f"scheduler-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._running:
            thread.start()

    @property
    def waiting(self) -> int:
        """Questions that have something to run now."""
        return len(self._waiting)

    def flow(self, deadline: Deadline | None = None) -> Flow:
        """A place in the schedule, for the duration of a question's reading."""
        return Flow(self, next(self._numbers), deadline or Deadline(clock=self._clock))

    def run(self, flow: Flow, job: Job[Any, Any]) -> None:
        """Run all parts of a job; returns when the last one has ended."""
        if not job.todo:
            return
        with self._changed:
            if self._closed:
                raise RuntimeError("the scheduler is closed")
            flow.job = job
            self._waiting.append(flow)
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
        while run_items := self._next():
            job, longest = run_items[0].job, max(each.cost for each in run_items)
            begun = self._clock()
            error: Exception | None = None
            results: Sequence[Any] = ()
            try:
                results = job.work([each.item for each in run_items])
            except Exception as caught:  # noqa: BLE001  # it is raised again where the work was asked for
                error = caught
            with self._changed:
                self._duration.record((self._clock() - begun) / longest)
                for number, each in enumerate(run_items):
                    if error is None:
                        each.job.results[each.place] = results[number]
                    else:
                        each.job.error = error
                    self._finish(each.flow, each.job, 1)

    def _next(self) -> list[ScheduledItem]:
        """Wait for the next run; empty once closed."""
        with self._changed:
            while not self._closed:
                if not self._waiting:
                    self._changed.wait()
                    continue
                expired = [flow for flow in self._waiting if self._expired(flow)]
                for flow in expired:  # now, because it may be long before their flow
                    self._finish(flow, flow.job, self._drop(flow, flow.job))
                if expired:
                    continue
                flow = min(self._waiting, key=self._order)
                job = flow.job
                run_items = [self._schedule(flow, job.todo[0])]
                self._fill(run_items)
                self.runs += 1
                return run_items
            for flow in list(self._waiting):
                self._finish(flow, flow.job, self._drop(flow, flow.job))
            return []

    def _fill(self, run_items: list[ScheduledItem]) -> None:
        """Add items of similar length until the run is full or no question can add more."""
        until = self._clock() + self._batches.wait_s
        while len(run_items) < self._batches.rows and not self._closed:
            fitting = [flow for flow in self._waiting if self._fitting(flow, run_items[0]) is not None]
            if fitting:
                flow = min(fitting, key=self._order)
                run_items.append(self._schedule(flow, self._fitting(flow, run_items[0]) or 0))
                continue
            accounted = {each.flow.number for each in run_items} | {flow.number for flow in self._waiting}
            remaining = until - self._clock()
            if remaining <= 0 or self.in_flight <= len(accounted):
                return
            self._changed.wait(remaining)

    def _fitting(self, flow: Flow, first: ScheduledItem) -> int | None:
        """The index of the next item of a question that can run together with the first."""
        job = flow.job
        if job.work != first.job.work or job.error or flow.deadline.hung_up:
            return None
        alike = (place for place in job.todo if self._batches.alike(job.costs[place], first.cost))
        return next((place for place in alike if not self._too_late(flow, job.costs[place])), None)

    def _expired(self, flow: Flow) -> bool:
        job = flow.job
        return flow.deadline.hung_up or job.error is not None or self._too_late(flow, job.costs[job.todo[0]])

    def _too_late(self, flow: Flow, cost: int) -> bool:
        return flow.deadline.remaining() < self._duration.upper_bound * cost

    def _schedule(self, flow: Flow, place: int) -> ScheduledItem:
        job = flow.job
        job.todo.remove(place)
        if not job.todo:
            self._waiting.remove(flow)
        flow.runs += 1
        return ScheduledItem(flow, job, place)

    def _drop(self, flow: Flow, job: Job[Any, Any]) -> int:
        dropped = len(job.todo)
        job.todo.clear()
        self._waiting.remove(flow)
        return dropped

    def _finish(self, flow: Flow, job: Job[Any, Any], parts: int) -> None:
        job.pending -= parts
        if job.error and job.todo:
            job.pending -= self._drop(flow, job)
        if job.pending == 0:
            job.done.set()


class ScheduledItem(NamedTuple):
    """One part of a job, in the next or the current run."""

    flow: Flow
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
        self.pending = len(items)
        self.results: list[B | None] = [None] * len(items)
        self.error: Exception | None = None
        self.done = threading.Event()


class Flow:
    """A question's place in the schedule, in flight within `with`. `runs`: so far; `number`: arrival order."""

    job: Job[Any, Any]

    def __init__(self, scheduler: FairScheduler, number: int, deadline: Deadline) -> None:
        self.runs = 0
        self.number = number
        self.deadline = deadline
        self._scheduler = scheduler

    def __enter__(self) -> Self:
        self._scheduler.count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.count(-1)

    def map(self, work: Callable[[list[A]], Sequence[B]], items: Sequence[A], costs: Sequence[int]) -> list[B | None]:
        """Apply `work` to all items; None for those that would not finish before the deadline.

        `work` gets the items of one run, from one or several questions. `costs`: of each item, in any one unit, at
        least 1. Raises what `work` raises, and HungUp.
        """
        job = Job(work, items, costs)
        self._scheduler.run(self, job)
        if job.error:
            raise job.error
        self.deadline.raise_if_hung_up()
        return job.results


def fewest_runs(flow: Flow) -> tuple[int, int]:
    return flow.runs, flow.number


def first_come_first_served(flow: Flow) -> tuple[int, int]:
    """First come, first served: the baseline of the benchmark."""
    return flow.number, 0
