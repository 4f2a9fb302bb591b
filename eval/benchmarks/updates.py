"""Questions while documents change: how much slower they are, and whether all citations still resolve.

    python -m eval.benchmarks.updates --seconds 600

A real service gets questions at a steady rate. Windows with updates alternate with windows without. First, updates of
one passage each, 20 per second and a third of them deletes, then ordinary documents at 30 % of the encoder's
throughput. Every citation is fetched at its version and checked; its version may be gone only after a delete.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import click
import httpx
import msgspec
import psutil
from msgspec import Struct, field

from eval.benchmarks.bench import DATA, OWN, fresh_index, timed
from eval.benchmarks.service import served
from eval.benchmarks.systems import passages_of
from eval.datasets.dataset import Dataset
from eval.datasets.loading import load
from eval.runs.latency import Latency, percentiles
from eval.runs.results import markdown_table, provenance, write_part
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.storage.layout import Layout
from service import schema

WINDOW_S = 20.0
SETTLE_S = 1.0  # seconds of each window that count for neither kind, for work of the previous window to end
QUESTIONS_A_SECOND = 2.0
SMALL_A_SECOND = 20.0
DELETES = 1 / 3
SMALL_SOURCES = 300  # sources that small updates are spread over
ENCODER_SHARE = 0.3
ORDINARY_SOURCES = 30
CLIENTS = 16
SEED = 20264
MEBIBYTE = 1 << 20


class Observations(Struct):
    """The measurements of one phase; times in milliseconds, with and without updates."""

    name: str
    wall: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    changing: list[float] = field(default_factory=list)
    changed: int = 0
    passages: int = 0
    due: float = 0.0  # scheduled changes
    failed: list[str] = field(default_factory=list)
    citations: int = 0
    deleted: int = 0  # citations whose document was deleted meanwhile
    unresolved: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)  # bytes, at the end of each window
    handles: list[int] = field(default_factory=list)


class Change(Struct, frozen=True):
    source: str
    text: str | None  # None deletes it


class Service:
    """A running service, and the documents that the benchmark expects in it."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.http = httpx.Client(base_url=address, timeout=60, limits=httpx.Limits(max_connections=2 * CLIENTS))
        self.process = process
        self.deleted: set[str] = set()  # sources whose deletion has started

    def ask(self, question: str, observed: Observations, *, changing: bool) -> None:
        started = time.perf_counter()
        try:
            response = self.http.post("/v1/ask", json={"question": question, "min_confidence": 0})
        except httpx.TransportError as error:
            observed.failed.append(repr(error))
            return
        observed.wall[changing].append((time.perf_counter() - started) * 1000)
        if response.status_code != httpx.codes.OK:
            observed.failed.append(f"{response.status_code} {response.text[:200]}")
            return
        for answer in msgspec.json.decode(response.content, type=schema.AskResponse).answers:
            for citation in answer.citations:
                self.resolve(citation, observed)

    def resolve(self, citation: schema.Citation, observed: Observations) -> None:
        observed.citations += 1
        fetched = self.http.get(f"/v1/files/{quote(citation.source)}", params={"sha256": citation.sha256})
        if fetched.status_code == httpx.codes.GONE and citation.source in self.deleted:
            observed.deleted += 1
            return
        start, end = citation.range.byte or (0, 0)
        quoted = fetched.content[start:end].decode(citation.encoding, errors="replace")
        if fetched.status_code != httpx.codes.OK or quoted != citation.quote.exact:
            observed.unresolved.append(f"{citation.source} {citation.sha256[:12]}: {fetched.status_code}")

    def change(self, change: Change, observed: Observations) -> None:
        path = f"/v1/documents/{quote(change.source)}"
        started = time.perf_counter()
        try:
            if change.text is None:
                self.deleted.add(change.source)
                response = self.http.delete(path)
            else:
                response = self.http.put(path, content=change.text.encode())
        except httpx.TransportError as error:
            observed.failed.append(repr(error))
            return
        observed.changing.append((time.perf_counter() - started) * 1000)
        observed.changed += 1
        if response.status_code not in (200, 201, 204, 404):
            observed.failed.append(f"{change.source}: {response.status_code} {response.text[:200]}")

    def measure(self, observed: Observations) -> None:
        observed.memory.append(self.process.memory_info().rss)
        observed.handles.append(self.process.num_fds())


@click.command()
@click.option("--seconds", default=600.0, show_default=True, help="Seconds for both kinds of updates together.")
@click.option("--window", default=WINDOW_S, show_default=True, help="Seconds with updates, then without.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA / "squad2", show_default=True)
@click.option("--only", type=click.Choice(["small", "ordinary"]), help="Do not write RESULTS.md.")
def main(seconds: float, window: float, data: Path, only: str | None) -> None:
    """Ask while documents change, and rewrite this part of RESULTS.md."""
    dataset = load(data if data.is_dir() else OWN / "seeds")
    chooser = random.Random(SEED)  # noqa: S311  # the same run again, not a secret
    with tempfile.TemporaryDirectory(prefix="pincite-updates-") as folder:
        built = fresh_index(dataset, Path(folder, "index"))
        texts = [passage.text for passage in passages_of(built.index)]
        throughput = throughput_of(built.index, texts)
        a_document = max(1, len(texts) // max(1, built.documents))
        click.echo(f"{dataset.name}: {len(texts)} passages; the encoder does {throughput:.0f} a second")
        loads = [
            Load("small", small(texts, chooser), SMALL_A_SECOND),
            Load("ordinary", ordinary(texts, a_document, chooser), ENCODER_SHARE * throughput / a_document),
        ]
        chosen = [load for load in loads if only in (None, load.name)]
        questions = [question.text for question in dataset.questions]
        with served(built.index, PINCITE_CACHE_BYTES="0") as running:
            service = Service(running.url, psutil.Process(running.process))
            measured = [phase(service, load, questions, seconds / len(chosen), window) for load in chosen]
    text = report(dataset, measured, throughput, a_document)
    click.echo(text)
    if only is None:
        write_part("updates", text)


def throughput_of(index: Path, texts: Sequence[str]) -> float:
    """Passages per second of the encoder, on all cores."""
    model = models.find(models.DEFAULT)
    encoder = make_encoder(model.name, Layout(index).encoder(model.sha256))
    some = list(texts[:300])
    encoder.encode(some[:20])
    return len(some) / timed(lambda: encoder.encode(some))[1]


def small(texts: Sequence[str], chooser: random.Random) -> Iterator[Change]:
    """Documents of about a passage each, from the beginning of real ones; a third are deletes."""
    present: set[str] = set()
    while True:
        if present and chooser.random() < DELETES:
            source = chooser.choice(sorted(present))
            present.remove(source)
            yield Change(source, None)
        else:
            source = f"small/{chooser.randrange(SMALL_SOURCES)}.txt"
            text = chooser.choice(texts)
            present.add(source)
            yield Change(source, f"{text[:300]} Note {chooser.randrange(1 << 30)}.")


def ordinary(texts: Sequence[str], passages: int, chooser: random.Random) -> Iterator[Change]:
    """Documents of typical length, from shuffled and slightly changed passages of the collection."""
    while True:
        parts = [f"{chooser.choice(texts)} Note {chooser.randrange(1 << 30)}." for _ in range(passages)]
        yield Change(f"ordinary/{chooser.randrange(ORDINARY_SOURCES)}.txt", "\n\n".join(parts))


class Load(Struct, frozen=True):
    """The changes of one phase, and their rate per second."""

    name: str
    changes: Iterator[Change]
    rate: float


def phase(service: Service, load: Load, questions: Sequence[str], seconds: float, window: float) -> Observations:
    """Alternate windows for `seconds`, the first without updates. A window ends when its work has ended."""
    observed = Observations(load.name)
    settling = Observations(load.name)  # questions at the start of a window count only for failures
    asking = random.Random(SEED)  # noqa: S311  # the same run again, not a secret
    for number in range(max(2, round(seconds / window))):
        changing = number % 2 == 1
        stop, began = threading.Event(), time.monotonic()
        busy = threading.Semaphore(CLIENTS)
        with ThreadPoolExecutor(CLIENTS) as askers, ThreadPoolExecutor(CLIENTS) as changers:

            def ask() -> None:
                into = observed if time.monotonic() - began > SETTLE_S else settling  # noqa: B023  # called in its turn
                askers.submit(service.ask, asking.choice(questions), into, changing=changing)  # noqa: B023

            def change() -> None:
                """Skip the change if all clients are busy."""
                observed.due += 1
                if busy.acquire(blocking=False):  # noqa: B023
                    begun = changers.submit(service.change, next(load.changes), observed)
                    begun.add_done_callback(lambda _: busy.release())  # noqa: B023

            paces = [threading.Thread(target=paced, args=(ask, QUESTIONS_A_SECOND, stop))]
            paces += [threading.Thread(target=paced, args=(change, load.rate, stop))] if changing else []
            for each in paces:
                each.start()
            stop.wait(window)
            stop.set()
            for each in paces:
                each.join()
        service.measure(observed)
        click.echo(f"  {load.name}, window {number + 1}: {summary(observed)}", err=True)
    for name in ("failed", "unresolved"):
        getattr(observed, name).extend(getattr(settling, name))
    observed.citations += settling.citations
    observed.deleted += settling.deleted
    return observed


def paced(work: Callable[[], None], a_second: float, stop: threading.Event) -> None:
    """Call `work` at a steady rate, however long it takes."""
    due = time.monotonic()
    while not stop.is_set():
        work()
        due += 1 / a_second
        stop.wait(max(0.0, due - time.monotonic()))


def summary(observed: Observations) -> str:
    medians = [f"{percentiles(times).p95:.0f}" if times else "–" for times in observed.wall.values()]
    return (
        f"p95 {medians[0]} ms, with updates {medians[1]} ms; {observed.changed} of {observed.due:.0f} changes; "
        f"{observed.memory[-1] / MEBIBYTE:.0f} MiB, {observed.handles[-1]} handles, {len(observed.failed)} failed"
    )


def report(dataset: Dataset, measured: Sequence[Observations], throughput: float, passages: int) -> str:
    rows = []
    for observed in measured:
        without, beside, put = (percentiles(times or [0.0]) for times in (*observed.wall.values(), observed.changing))
        rows.append((observed, without, beside, put))
    lines: list[tuple[str, Callable[[Observations, Latency, Latency, Latency], str]]] = [
        ("changes made", lambda observed, *_: f"{observed.changed:,} of {observed.due:,.0f}"),
        ("a change takes, p50 and p95, ms", lambda _s, _w, _b, put: f"{put.p50:.0f}, {put.p95:.0f}"),
        (
            "questions without and with updates",
            lambda observed, *_: ", ".join(f"{len(t):,}" for t in observed.wall.values()),
        ),
        ("p50 without and with, ms", lambda _s, without, beside, _p: f"{without.p50:.0f}, {beside.p50:.0f}"),
        ("p95 without and with, ms", lambda _s, without, beside, _p: f"{without.p95:.0f}, {beside.p95:.0f}"),
        ("p95 with updates is … times that without", lambda _s, without, beside, _p: f"{beside.p95 / without.p95:.2f}"),
        ("failed calls", lambda observed, *_: f"{len(observed.failed)}"),
        ("citations fetched at their version", lambda observed, *_: f"{observed.citations:,}"),
        ("… deleted since, and gone", lambda observed, *_: f"{observed.deleted}"),
        ("… that do not resolve", lambda observed, *_: f"{len(observed.unresolved)}"),
        (
            "memory after each quarter, MiB",
            lambda observed, *_: quarters([each // MEBIBYTE for each in observed.memory]),
        ),
        ("open files after each quarter", lambda observed, *_: quarters(observed.handles)),
    ]
    table = markdown_table(
        ["", *(NAMES[observed.name] for observed in measured)],
        [[name, *(cell(*row) for row in rows)] for name, cell in lines],
    )
    about = (
        f"{QUESTIONS_A_SECOND:.0f} questions a second on {dataset.name}, in windows with and without updates by turns. "
        f"Small updates: {SMALL_A_SECOND:.0f} a second of one passage or so, a third of them deletes. Ordinary ones: "
        f"documents of {passages} passages, as many as take {ENCODER_SHARE:.0%} of the encoder, which does "
        f"{throughput:.0f} passages a second when it has the machine."
    )
    return f"## Questions while documents change\n\n{about}\n\n{table}\n\n{provenance('make bench-updates')}"


NAMES = {"small": "small updates", "ordinary": "ordinary documents"}


def quarters(values: Sequence[int]) -> str:
    places = [max(0, round(len(values) * part / 4) - 1) for part in range(1, 5)]
    return ", ".join(str(values[place]) for place in places)


if __name__ == "__main__":
    main()
