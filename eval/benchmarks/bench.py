"""Evaluates all available test sets and rewrites their part of the table of record.

    python -m eval.benchmarks.bench --out runs --data ../shared/data/dev

Each corpus is indexed from scratch, so that building is measured as well.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import click
from msgspec import Struct

from eval.benchmarks.systems import passages_of
from eval.datasets import beir, native, squad
from eval.datasets.dataset import Dataset, write_corpus
from eval.datasets.loading import load
from eval.errors import DatasetNotFound
from eval.metrics.table import METRICS
from eval.runs.evaluation import evaluate_and_report
from eval.runs.latency import TimeSummary, summary
from eval.runs.results import markdown_table, provenance, reader_line, write_part
from eval.runs.run import ALL, Group, RunFolder
from eval.runs.target import InProcess
from index.collections.build import BuildReport, build
from index.collections.writer import build_writer
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.storage.layout import Layout
from service.schema import ModelInfo, Ready

OWN = Path(__file__).parents[1] / "data"
DATA = Path("../shared/data/dev")
T = TypeVar("T")


class Built(Struct, frozen=True):
    """`encoding`: seconds that the encoder alone takes for the same passages. `again`: seconds of a second build."""

    index: Path
    documents: int
    passages: int
    seconds: float
    encoding: float
    again: float

    @property
    def passages_per_second(self) -> float:
        return self.passages / self.seconds


class Measured(Struct, frozen=True):
    dataset: Dataset
    built: Built
    group: Group
    times: TimeSummary
    reader: ModelInfo


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"), show_default=True)
@click.option("--data", envvar="DATA", type=click.Path(path_type=Path), default=DATA, show_default=True)
@click.option("--only", multiple=True, help="The name of a set; repeatable. Then RESULTS.md is not written.")
def main(out: Path, data: Path, only: tuple[str, ...]) -> None:
    """Index, ask, score and report every test set in --data and in eval/data."""
    measured = []
    for path in sets_in(OWN, data):
        try:
            dataset = load(path)
        except DatasetNotFound as error:
            click.echo(f"{path.name} is left out. {error}", err=True)
            continue
        if only and dataset.name not in only:
            continue
        click.echo(f"{dataset.name}: {len(dataset.questions)} questions, {len(dataset.dropped)} dropped")
        measured.append(measure(dataset, out))
    if not measured:
        raise click.ClickException(f"There is no test set in {OWN} or {data}.")
    text = section(measured)
    click.echo(text)
    if not only:
        write_part("bench", text)


def section(measured: Sequence[Measured]) -> str:
    """The table, the reader that gave the answers, and where they were measured."""
    return f"## Pincite\n\n{table(measured)}\n\n{reader_line(measured[0].reader)}\n\n{provenance('make bench')}"


def sets_in(*folders: Path) -> Iterator[Path]:
    """The test sets directly in these folders, by name. Missing folders are ignored."""
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if any(layout.recognises(path) for layout in (squad, beir, native)):
                yield path


def measure(dataset: Dataset, out: Path) -> Measured:
    return ask_all(dataset, fresh_index(dataset, out / "indexes" / dataset.name), out)


def ask_all(dataset: Dataset, built: Built, out: Path) -> Measured:
    target = InProcess.open(built.index)
    ready = target.ready()
    folder = out / f"{dataset.name}-{ready.index_version}"
    try:
        groups = evaluate_and_report(dataset, target, folder)
    finally:
        target.close()
    click.echo(f"  {folder / 'report.html'}")
    return Measured(dataset, built, groups[ALL], summary(RunFolder(folder).read_times(), 1), reader_of(ready))


def reader_of(ready: Ready) -> ModelInfo:
    return next(model for model in ready.models if model.role == "reader")


def fresh_index(dataset: Dataset, index: Path) -> Built:
    """Build the index from scratch. The one-time export of the encoder is not timed."""
    shutil.rmtree(index, ignore_errors=True)
    corpus = write_corpus(dataset, index.with_name(f"{index.name}-corpus"))
    model = models.find(models.DEFAULT)
    encoder = make_encoder(model.name, Layout(index).encoder(model.sha256))

    def build_now() -> BuildReport:
        with build_writer(index) as writer:
            return build(writer, [corpus])

    report, seconds = timed(build_now)
    texts = [passage.text for passage in passages_of(index)]
    _, encoding = timed(lambda: encoder.encode(texts))
    _, again = timed(build_now)
    return Built(index, report.documents, report.passages, seconds, encoding, again)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def table(measured: Sequence[Measured]) -> str:
    names = [metric.name for metric in METRICS if any(metric.name in each.group.metrics for each in measured)]
    rows = [
        ["questions", *(f"{len(each.dataset.questions):,}" for each in measured)],
        ["documents", *(f"{each.built.documents:,}" for each in measured)],
        ["passages", *(f"{each.built.passages:,}" for each in measured)],
        *([name, *(cell(each.group, name) for each in measured)] for name in names),
        ["time p50, ms", *(f"{each.times.stages['wall'].p50:.0f}" for each in measured)],
        ["time p95, ms", *(f"{each.times.stages['wall'].p95:.0f}" for each in measured)],
        ["time p99, ms", *(f"{each.times.stages['wall'].p99:.0f}" for each in measured)],
        ["questions/s, one by one", *(f"{each.times.questions_per_second:.1f}" for each in measured)],
        ["passages indexed/s", *(f"{each.built.passages_per_second:.0f}" for each in measured)],
        ["… as a share of encoding alone", *(f"{each.built.encoding / each.built.seconds:.2f}" for each in measured)],
        ["built again, unchanged, s", *(f"{each.built.again:.2f}" for each in measured)],
    ]
    return markdown_table(["", *(each.dataset.name for each in measured)], rows)


def cell(group: Group, name: str) -> str:
    """`.812 (.790–.833)`, or a dash if the metric does not apply to the set."""
    each = group.metrics.get(name)
    if each is None:
        return "–"
    value, low, high = (f"{number:.3f}".removeprefix("0") for number in (each.value, each.low, each.high))
    return f"{value} ({low}–{high})"


if __name__ == "__main__":
    main()
