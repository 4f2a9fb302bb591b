"""Turns: who is read for next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import HungUp
from service.patience import Patience
from service.turns import Turns, first_come


@pytest.fixture
def turns() -> Iterator[Turns]:
    made = Turns(1)
    yield made
    made.close()


class Gate:
    """Work that notes whose it is, and holds the first run until everybody has come."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.begun = threading.Event()
        self.opened = threading.Event()

    def __call__(self, name: str) -> str:
        self.order.append(name)
        self.begun.set()
        self.opened.wait(10)
        return name.upper()


def order_of(turns: Turns, asked: dict[str, int]) -> str:
    """Whose runs were made in which order, where all of `asked` wait while the first run of the first is made."""
    gate = Gate()
    with ThreadPoolExecutor(len(asked)) as pool:
        for place, (name, runs) in enumerate(asked.items()):
            pool.submit(turns.turn().map, gate, [name] * runs, [1] * runs)
            if place == 0:
                gate.begun.wait(10)
            else:
                time.sleep(0.05)  # so that they come in order
        gate.opened.set()
    return "".join(gate.order)


def test_a_long_question_does_not_keep_short_ones_waiting(turns: Turns) -> None:
    assert order_of(turns, {"l": 6, "s": 2, "t": 2}) == "lstlstllll"


def test_first_come_first_served_does() -> None:
    turns = Turns(1, order=first_come)
    assert order_of(turns, {"l": 6, "s": 2, "t": 2}) == "llllllsstt"
    turns.close()


@given(st.lists(st.lists(st.integers(0, 1000), max_size=8), max_size=6), st.integers(1, 3))
@settings(max_examples=40)
def test_everything_is_done_once_and_comes_back_in_order(asked: list[list[int]], threads: int) -> None:
    turns = Turns(threads)
    done: list[int] = []

    def double(number: int) -> int:
        done.append(number)
        return 2 * number

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda items: turns.turn().map(double, items, [1] * len(items)), asked))
    assert results == [[2 * number for number in items] for items in asked]
    assert sorted(done) == sorted(number for items in asked for number in items)
    assert turns.runs == len(done)
    turns.close()


def test_a_failure_reaches_who_asked_and_nobody_else(turns: Turns) -> None:
    def invert(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        turns.turn().map(invert, [1, 0, 2], [1, 1, 1])
    assert turns.turn().map(invert, [1, 2], [1, 1]) == [1.0, 0.5]


def test_what_would_end_after_the_deadline_is_not_begun(turns: Turns) -> None:
    def read(seconds: float) -> str:
        time.sleep(seconds)
        return "read"

    turns.turn().map(read, [0.1], [100])  # teaches what a unit takes
    in_a_hurry = turns.turn(Patience(deadline_ms=250))
    results = in_a_hurry.map(read, [0.1] * 5, [100] * 5)
    assert results[0] == "read"
    assert results[-1] is None
    assert turns.turn(Patience(deadline_ms=1)).map(read, [0.1], [100]) == [None]


def test_nothing_more_is_done_for_who_hung_up(turns: Turns) -> None:
    patience = Patience()
    done: list[int] = []

    def read(number: int) -> None:
        done.append(number)
        patience.hang_up()

    with pytest.raises(HungUp):
        turns.turn(patience).map(read, [1, 2, 3], [1, 1, 1])
    assert done == [1]


def test_closing_drops_what_waits() -> None:
    turns = Turns(1)
    gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(turns.turn().map, gate, ["a"] * 3, [1] * 3)
        gate.begun.wait(10)
        closing = threading.Thread(target=turns.close)
        closing.start()
        gate.opened.set()
        assert waiting.result(10) == ["A", None, None]
        closing.join(10)
    with pytest.raises(RuntimeError):
        turns.turn().map(gate, ["a"], [1])
