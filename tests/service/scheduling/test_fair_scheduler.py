"""Fair scheduling: which question is read for next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import HungUp
from service.scheduling.deadline import Deadline
from service.scheduling.fair_scheduler import Batches, FairScheduler, first_come_first_served
from tests.support.waiting import ManualClock, until


@pytest.fixture
def scheduler() -> Iterator[FairScheduler]:
    made = FairScheduler(1)
    yield made
    made.close()


class Gate:
    """Work that records its question, and blocks the first run until all have arrived."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.begun = threading.Event()
        self.opened = threading.Event()

    def __call__(self, names: list[str]) -> list[str]:
        self.order.append("".join(names))
        self.begun.set()
        self.opened.wait(10)
        return [name.upper() for name in names]


def order_of(scheduler: FairScheduler, asked: dict[str, int]) -> str:
    """The order of runs, if all of `asked` wait while the first run is blocked."""
    gate = Gate()
    with ThreadPoolExecutor(len(asked)) as pool:
        for place, (name, runs) in enumerate(asked.items()):
            pool.submit(scheduler.flow().map, gate, [name] * runs, [1] * runs)
            if place == 0:
                gate.begun.wait(10)
            until(lambda: scheduler.waiting == place + 1)  # noqa: B023  # it is called at once
        gate.opened.set()
    return "".join(gate.order)


def test_a_long_question_does_not_keep_short_ones_waiting(scheduler: FairScheduler) -> None:
    assert order_of(scheduler, {"l": 6, "s": 2, "t": 2}) == "lstlstllll"


def test_first_come_first_served_does() -> None:
    scheduler = FairScheduler(1, order=first_come_first_served)
    assert order_of(scheduler, {"l": 6, "s": 2, "t": 2}) == "llllllsstt"
    scheduler.close()


@given(st.lists(st.lists(st.integers(0, 1000), max_size=8), max_size=6), st.integers(1, 3))
@settings(max_examples=40)
def test_everything_is_done_once_and_comes_back_in_order(asked: list[list[int]], threads: int) -> None:
    scheduler = FairScheduler(threads)
    done: list[int] = []

    def double(numbers: list[int]) -> list[int]:
        done.extend(numbers)
        return [2 * number for number in numbers]

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda items: scheduler.flow().map(double, items, [1] * len(items)), asked))
    assert results == [[2 * number for number in items] for items in asked]
    assert sorted(done) == sorted(number for items in asked for number in items)
    assert scheduler.runs == len(done)
    scheduler.close()


def test_a_failure_reaches_who_asked_and_nobody_else(scheduler: FairScheduler) -> None:
    def invert(numbers: list[int]) -> list[float]:
        return [1 / number for number in numbers]

    with pytest.raises(ZeroDivisionError):
        scheduler.flow().map(invert, [1, 0, 2], [1, 1, 1])
    assert scheduler.flow().map(invert, [1, 2], [1, 1]) == [1.0, 0.5]


class Timed:
    """A scheduler of one thread, whose clock moves by what its work is said to take."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.scheduler = FairScheduler(1, clock=self.clock)

    def read(self, seconds: list[float]) -> list[str]:
        self.clock.advance(max(seconds))
        return ["read"] * len(seconds)

    def deadline(self, milliseconds: int) -> Deadline:
        return Deadline(milliseconds, clock=self.clock)


@pytest.fixture
def timed() -> Iterator[Timed]:
    made = Timed()
    yield made
    made.scheduler.close()


def test_what_would_end_after_the_deadline_is_not_begun(timed: Timed) -> None:
    timed.scheduler.flow().map(timed.read, [0.1], [100])  # teaches what a unit takes
    in_a_hurry = timed.scheduler.flow(timed.deadline(250))
    assert in_a_hurry.map(timed.read, [0.1] * 5, [100] * 5) == ["read", "read", None, None, None]
    assert timed.scheduler.flow(timed.deadline(1)).map(timed.read, [0.1], [100]) == [None]


def test_who_is_in_a_hurry_is_let_go_in_time_though_others_are_always_before_them(timed: Timed) -> None:
    def newcomers() -> None:
        while not over.is_set():
            timed.scheduler.flow().map(timed.read, [0.02], [1])

    timed.scheduler.flow().map(timed.read, [0.02], [1])  # teaches what a unit takes
    over, gate = threading.Event(), Gate()
    with ThreadPoolExecutor(5) as pool:
        pool.submit(timed.scheduler.flow().map, gate, ["f"], [1])  # holds the thread until the others have come
        gate.begun.wait(10)
        hurried = pool.submit(timed.scheduler.flow(timed.deadline(200)).map, timed.read, [0.02] * 50, [1] * 50)
        until(lambda: timed.scheduler.waiting == 1)
        for _ in range(3):
            pool.submit(newcomers)
        until(lambda: timed.scheduler.waiting == 4)
        gate.opened.set()
        try:
            results = hurried.result(60)  # with newcomers still coming
        finally:
            over.set()
    assert "read" in results
    assert results[-1] is None


def test_nothing_more_is_done_for_who_hung_up(scheduler: FairScheduler) -> None:
    deadline = Deadline()
    done: list[int] = []

    def read(numbers: list[int]) -> list[None]:
        done.extend(numbers)
        deadline.hang_up()
        return [None] * len(numbers)

    with pytest.raises(HungUp):
        scheduler.flow(deadline).map(read, [1, 2, 3], [1, 1, 1])
    assert done == [1]


def test_closing_drops_what_waits() -> None:
    scheduler = FairScheduler(1)
    gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(scheduler.flow().map, gate, ["a"] * 3, [1] * 3)
        gate.begun.wait(10)
        closing = threading.Thread(target=scheduler.close)
        closing.start()
        gate.opened.set()
        assert waiting.result(10) == ["A", None, None]
        closing.join(10)
    with pytest.raises(RuntimeError):
        scheduler.flow().map(gate, ["a"], [1])


LONG = 60.0  # seconds that a run may wait to be filled; long enough to notice a needless wait


@pytest.fixture
def batches() -> Iterator[FairScheduler]:
    made = FairScheduler(1, batches=Batches(rows=4, step=10, wait_s=LONG))
    yield made
    made.close()


def test_what_is_of_like_length_shares_a_run_in_turn(batches: FairScheduler) -> None:
    gate = Gate()
    costs = {"a": [5, 15, 5, 5], "b": [5, 5], "c": [15, 12]}
    with ThreadPoolExecutor(len(costs) + 1) as pool:
        first = pool.submit(batches.flow().map, gate, ["f"], [99])  # holds the thread until the others have arrived
        gate.begun.wait(10)
        waiting = []
        for name, each in costs.items():
            waiting.append(pool.submit(batches.flow().map, gate, [name] * len(each), each))
        until(lambda: batches.waiting == len(costs))
        gate.opened.set()
        assert [each.result(10) for each in [first, *waiting]] == [["F"], ["A"] * 4, ["B"] * 2, ["C"] * 2]
    assert gate.order == ["f", "abab", "cca", "a"]
    assert batches.runs == 4


def test_a_lone_question_is_not_kept_waiting_for_others(batches: FairScheduler) -> None:
    gate = Gate()
    gate.opened.set()
    with batches.flow() as flow:
        assert flow.map(gate, ["a", "a"], [1, 1]) == ["A", "A"]
    assert gate.order == ["aa"]


def test_a_run_that_is_not_full_waits_for_the_questions_in_flight_and_for_no_other(batches: FairScheduler) -> None:
    gate = Gate()
    gate.opened.set()
    with ThreadPoolExecutor(2) as pool, batches.flow() as thinking:
        with batches.flow() as flow:
            first = pool.submit(flow.map, gate, ["a"], [1])
            until(lambda: flow.runs == 1)  # its run waits for the question that thinks
            assert gate.order == []
            assert thinking.map(gate, ["b"], [2]) == ["B"]
            assert first.result(10) == ["A"]
        assert gate.order == ["ab"]
        with batches.flow() as flow:
            second = pool.submit(flow.map, gate, ["c"], [1])
            thinking.__exit__()
            assert second.result(10) == ["C"]
        thinking.__enter__()


def test_a_run_that_fails_fails_its_questions_and_the_next_one_works(batches: FairScheduler) -> None:
    def invert(numbers: list[int]) -> list[float]:
        return [1 / number for number in numbers]

    with ThreadPoolExecutor(2) as pool, batches.flow() as first, batches.flow() as second:
        asked = [pool.submit(each.map, invert, [number], [1]) for each, number in ((first, 1), (second, 0))]
        for each in asked:
            with pytest.raises(ZeroDivisionError):
                each.result(10)
    assert batches.flow().map(invert, [4], [1]) == [0.25]
