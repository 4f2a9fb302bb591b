"""The reader's network as on a GPU, here on torch's CPU: in batches of many rows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from service.errors import NoDevice
from service.reader.network import SENTENCE, Network, Output
from service.reader.neural import packaged
from service.reader.pairs import Pair
from service.reader.selection import open_reader
from service.reader.torch_batches import ROWS, BatchedNetwork

QUESTION = "When was the mill built?"
PASSAGES = (
    "The mill was built in 1712. Its owner, Clara Hoffmann, sold it in 1790.",
    "Dogs travel free.",
    "The wheel has twelve paddles, and each of them is made of oak from the hills behind the village of Aldhaven.",
)


@pytest.fixture(scope="module")
def network() -> Iterator[BatchedNetwork]:
    made = BatchedNetwork(packaged(), "cpu")
    yield made
    made.close()


@pytest.fixture(scope="module")
def pairs(network: BatchedNetwork) -> list[Pair]:
    asked = network.pairs.question(QUESTION)
    return [network.pairs.windows(asked, "The mill", text)[0] for text in PASSAGES]


def numbers(output: Output) -> list[float]:
    return [output.here, output.nowhere, *output.pieces.ravel().tolist()]


def test_what_is_read_of_a_pair_does_not_depend_on_what_is_read_beside_it(
    network: BatchedNetwork, pairs: list[Pair]
) -> None:
    alone = [network.run(pair) for pair in pairs[:2]]
    beside = network.run_all(([pairs[1], pairs[0]] * ROWS)[:ROWS])
    assert numbers(beside[1]) == numbers(beside[-1]) == numbers(alone[0])
    assert numbers(beside[0]) == numbers(alone[1])


def test_it_reads_as_the_one_on_a_cpu_does(network: BatchedNetwork, pairs: list[Pair]) -> None:
    served = Network(packaged())
    for pair in pairs:
        batched, one = network.run(pair), served.run(pair)
        assert abs(batched.here - one.here) < 1
        assert int(np.argmax(batched.pieces[:, SENTENCE])) == int(np.argmax(one.pieces[:, SENTENCE]))
    served.close()


def test_questions_that_come_together_are_each_read_as_when_they_come_alone(network: BatchedNetwork) -> None:
    questions = [QUESTION, "Who sold the mill?", "What travels free?", "How many paddles has the wheel?"]
    passages = [("", text) for text in PASSAGES]

    def read(question: str) -> list[float]:
        with network.flow() as flow:
            found = network.read(question, passages, flow)
        return [number for windows in found for output in windows for number in numbers(output)]

    alone = [read(question) for question in questions]
    before = network.scheduler.runs
    with ThreadPoolExecutor(len(questions)) as pool:
        assert list(pool.map(read, questions)) == alone
    assert network.scheduler.runs - before < len(questions) * len(PASSAGES)


def test_a_device_that_is_not_there_is_named_with_the_way_out() -> None:
    with pytest.raises(NoDevice, match=r"'cuda:7' is unusable: .*Without --device"):
        BatchedNetwork(packaged(), "cuda:7")
    with pytest.raises(NoDevice, match="'toaster'"):
        open_reader(None, packaged(), device="toaster")
