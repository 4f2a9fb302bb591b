"""The service under load: throughput and latency by number of clients, fairness, deadlines, and what is not inference.

    python -m eval.load --index .pincite --questions eval/data/seeds --out runs/load

Needs wrk. The service runs as `pincite serve` does, on this machine, which the clients share with it. Answers given are
not kept, so every question is read for.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from eval.datasets import load
from eval.results import markdown_table, provenance, write_part
from eval.service import Served, served
from eval.times import percentiles
from service.answering import DEPTH, Answering
from service.network import Network
from service.pairs import Pair
from service.patience import Patience
from service.schema import AskRequest
from service.trained import TrainedReader, above
from service.turns import Turns, first_come, least_read

SCRIPT = Path(__file__).with_name("load.lua")
CLIENTS = (1, 8, 32, 128)
DEADLINES = (50, 100, 200, 400)
SHORT, LONG = 4, 2  # askers of short and of long questions, in the measurement of fairness
TIMEOUT_S = 60  # of one answer, after which wrk gives up
SEED = 20266


class Loaded(Struct, frozen=True):
    """What wrk tells; times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    refused: int  # with 503
    failed: int

    @property
    def per_second(self) -> float:
        return (self.requests - self.refused) / self.seconds


@click.command()
@click.option("--index", "indexes", type=click.Path(exists=True, path_type=Path), multiple=True, required=True)
@click.option("--questions", type=click.Path(exists=True, path_type=Path), multiple=True, required=True)
@click.option("--seconds", default=60, show_default=True, help="For each number of clients.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/load"), show_default=True)
def main(indexes: Sequence[Path], questions: Sequence[Path], seconds: int, out: Path) -> None:
    """Load a service on each --index with the --questions of the same place, and write the results down."""
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk makes the load, and is missing. On Debian and Ubuntu: apt-get install wrk")
    out.mkdir(parents=True, exist_ok=True)
    parts = ["## Under load"]
    for index, dataset in zip(indexes, questions, strict=True):
        asked = [question.text for question in load(dataset).questions]
        random.Random(SEED).shuffle(asked)  # noqa: S311
        parts.append(by_clients(index, asked, seconds, out))
    index, asked = indexes[0], [question.text for question in load(questions[0]).questions]
    parts += [share_of_inference(index, asked, seconds, out), fairness(index, asked)]
    parts += [deadlines(index, asked, seconds, out)]
    text = "\n\n".join([*parts, provenance("make load")])
    click.echo(text)
    write_part("load", text)


def by_clients(index: Path, asked: Sequence[str], seconds: int, out: Path) -> str:
    rows = []
    with served(index, PINCITE_CACHE_BYTES="0") as service:
        for clients in CLIENTS:
            told = wrk(service, bodies_of(asked, out), clients, seconds)
            figures = [f"{told.per_second:.1f}", *(f"{each:.0f}" for each in (told.p50, told.p95, told.p99))]
            rows.append([str(clients), *figures, str(told.refused), str(told.failed), f"{service.mebibytes():.0f}"])
            click.echo(f"{index.name}, {clients} clients: {told}")
        counts = service.index_info()
    head = ["clients", "answers/s", "p50, ms", "p95, ms", "p99, ms", "refused (503)", "failed", "memory, MiB"]
    corpus = f"{counts.documents:,} documents, {counts.passages:,} passages"
    return f"{corpus}, {seconds} s each:\n\n{markdown_table(head, rows)}"


def share_of_inference(index: Path, asked: Sequence[str], seconds: int, out: Path) -> str:
    """Answers a second at saturation, as a share of what the bare networks would give on the same inputs."""
    bare = bare_questions_per_second(index, asked)
    with served(index, PINCITE_CACHE_BYTES="0") as service:
        told = wrk(service, bodies_of(asked, out), 8, seconds)
    return (
        "Bare inference on the same inputs (each question's encoding and each pair that is read, one run after another "
        f"on every core): {bare:.1f} questions/s. The service at saturation (8 clients): {told.per_second:.1f}/s, a "
        f"share of {told.per_second / bare:.2f}."
    )


def bare_questions_per_second(index: Path, asked: Sequence[str]) -> float:
    answering, reader = opened(index)
    searcher = answering.searcher("default")
    work = []
    for question in asked:
        hits = searcher.search(question, DEPTH)
        read = reader.read(question, hits, searcher).read
        work.append((question, [(above(hit), hit.passage.text) for hit in hits], read))
    pairs = [pair for each in work for pair in pairs_of(reader.network, *each)]
    with ThreadPoolExecutor(reader.network.turns.threads) as pool:
        begun = time.perf_counter()
        runs: list[Future[object]] = [pool.submit(searcher.encode_question, question) for question in asked]
        runs += [pool.submit(reader.network.run, pair) for pair in pairs]
        for run in runs:
            run.result()
        seconds = time.perf_counter() - begun
    answering.close()
    return len(asked) / seconds


def opened(index: Path) -> tuple[Answering, TrainedReader]:
    answering = Answering.open(index)
    if not isinstance(answering.reader, TrainedReader):
        raise click.ClickException("This is measured with the trained reader.")
    return answering, answering.reader


def pairs_of(network: Network, question: str, passages: Sequence[tuple[str, str]], read: int) -> list[Pair]:
    """The first `read` windows."""
    asked = network.pairs.question(question)
    return [pair for title, text in passages for pair in network.pairs.windows(asked, title, text)][:read]


def fairness(index: Path, asked: Sequence[str]) -> str:
    """Short questions beside long ones, in process: whose turn it is, by fewest runs or by first come."""
    rows = []
    long = [" ".join(asked[place : place + 40])[:2000] for place in range(0, len(asked) - 40, 7)]
    for name, order in (("least read first", least_read), ("first come, first served", first_come)):
        answering, reader = opened(index)
        reader.network.turns.close()
        reader.network.turns = Turns(reader.network.turns.threads, order=order)
        short_times, long_times = beside_each_other(answering, asked[:100], long)
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
    """Milliseconds of each short question, and of the long ones that were answered meanwhile."""
    over = False

    def ask(question: str) -> float:
        patience = Patience()
        answering.ask(AskRequest(question=question, min_confidence=1.0), "", patience)
        return patience.milliseconds()

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


def deadlines(index: Path, asked: Sequence[str], seconds: int, out: Path) -> str:
    rows = []
    with served(index, PINCITE_CACHE_BYTES="0") as service:
        wrk(service, bodies_of(asked, out), 2, 5)  # what things take is known from here on
        for clients in (1, 8, 32):
            for deadline in DEADLINES:
                told = wrk(service, bodies_of(asked, out, deadline_ms=deadline), clients, max(5, seconds // 4))
                share = f"{told.p99 / deadline:.2f}"
                rows.append(
                    [str(clients), str(deadline), f"{told.p50:.0f}", f"{told.p99:.0f}", share, f"{told.failed}"]
                )
    head = ["clients", "deadline_ms", "p50, ms", "p99, ms", "p99 / deadline", "failed"]
    return f"With a deadline:\n\n{markdown_table(head, rows)}"


def bodies_of(asked: Sequence[str], out: Path, **parameters: object) -> Path:
    path = out / "bodies.jsonl"
    lines = [msgspec.json.encode({"question": question, **parameters}) for question in asked]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def wrk(service: Served, bodies: Path, clients: int, seconds: int) -> Loaded:
    threads = str(min(clients, 2))
    command = ["wrk", "-t", threads, "-c", str(clients), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_S}s"]
    command += ["-s", str(SCRIPT), f"{service.url}/v1/ask", "--", str(bodies)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return msgspec.json.decode(told.strip().splitlines()[-1], type=Loaded)


if __name__ == "__main__":
    main()
