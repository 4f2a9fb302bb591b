"""Inference in the service: its share of the time under load, and fair scheduling of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import click

from eval.runs.latency import percentiles
from eval.runs.results import markdown_table
from service.answering.answering import DEPTH, Answering
from service.reader.network import Network
from service.reader.neural import TrainedReader, above
from service.reader.pairs import Pair
from service.scheduling.deadline import Deadline
from service.scheduling.fair_scheduler import FairScheduler, fewest_runs, first_come_first_served
from service.schema import AskRequest

SHORT, LONG = 4, 2  # clients with short and with long questions, in the fairness measurement


def bare_questions_per_second(index: Path, questions: Sequence[str]) -> float:
    answering, reader = opened(index)
    searcher = answering.searcher("default")
    work = []
    for question in questions:
        hits = searcher.search(question, DEPTH)
        read = reader.read(question, hits, searcher).read
        work.append((question, [(above(hit), hit.passage.text) for hit in hits], read))
    pairs = [pair for each in work for pair in pairs_of(reader.network, *each)]
    with ThreadPoolExecutor(reader.network.scheduler.threads) as pool:
        begun = time.perf_counter()
        runs: list[Future[object]] = [pool.submit(searcher.encode_question, question) for question in questions]
        runs += [pool.submit(reader.network.run, pair) for pair in pairs]
        for run in runs:
            run.result()
        seconds = time.perf_counter() - begun
    answering.close()
    return len(questions) / seconds


def opened(index: Path) -> tuple[Answering, TrainedReader]:
    answering = Answering.open(index)
    if not isinstance(answering.reader, TrainedReader):
        raise click.ClickException("This is measured with the trained reader.")
    return answering, answering.reader


def pairs_of(network: Network, question: str, passages: Sequence[tuple[str, str]], read: int) -> list[Pair]:
    """The first `read` windows."""
    tokens = network.pairs.question(question)
    return [pair for title, text in passages for pair in network.pairs.windows(tokens, title, text)][:read]


def fairness(index: Path, questions: Sequence[str]) -> str:
    """Short questions beside long ones, in process: fair scheduling against first come, first served."""
    rows = []
    long = [" ".join(questions[place : place + 40])[:2000] for place in range(0, len(questions) - 40, 7)]
    for name, order in (("least read first", fewest_runs), ("first come, first served", first_come_first_served)):
        answering, reader = opened(index)
        reader.network.scheduler.close()
        reader.network.scheduler = FairScheduler(reader.network.scheduler.threads, order=order)
        short_times, long_times = beside_each_other(answering, questions[:100], long)
        answering.close()
        short, slow = percentiles(short_times), percentiles(long_times)
        rows.append([name, f"{short.p50:.0f}", f"{short.p95:.0f}", f"{slow.p50:.0f}", f"{slow.p95:.0f}"])
    head = ["", "short p50, ms", "short p95, ms", "long p50, ms", "long p95, ms"]
    return (
        f"{SHORT} askers of short questions beside {LONG} of questions of 2,000 characters, in process:\n\n"
        f"{markdown_table(head, rows)}"
    )


def beside_each_other(
    answering: Answering, short: Sequence[str], long: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each short question, and of the long ones answered meanwhile."""
    over = False

    def ask(question: str) -> float:
        deadline = Deadline()
        answering.ask(AskRequest(question=question, min_confidence=1.0), "", deadline)
        return deadline.elapsed_ms()

    def ask_long(first: int) -> Iterator[float]:
        place = first
        while not over:
            yield ask(long[place % len(long)])
            place += LONG

    with ThreadPoolExecutor(SHORT + LONG) as pool:
        slow = [pool.submit(lambda first: list(ask_long(first)), first) for first in range(LONG)]
        quick = [pool.submit(lambda part: [ask(each) for each in part], short[first::SHORT]) for first in range(SHORT)]
        short_times = [each for part in quick for each in part.result()]
        over = True
        return short_times, [each for part in slow for each in part.result()]
