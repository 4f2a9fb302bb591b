"""Compares readers in one run on the same passages: the textbook pipeline, the untrained one, the trained one.

python -m eval.benchmarks.readers ../shared/data/dev/squad2 eval/data/seeds --cross-encoder FOLDER --most 250 --out runs
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from eval.benchmarks.bench import cell, fresh_index
from eval.datasets.dataset import Dataset
from eval.datasets.loading import load
from eval.runs.compare import compare
from eval.runs.evaluation import evaluate_and_report
from eval.runs.latency import summary
from eval.runs.results import markdown_table, provenance
from eval.runs.run import ALL, RunFolder
from eval.runs.target import InProcess
from eval.training.textbook import TextbookReader, open_cross_encoder
from index.collections.collection import Collection
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.reader.reader import Reader
from service.reader.selection import UNTRAINED, open_reader

METRICS = ("hit@1", "hit@3", "token F1", "AUROC", "coverage@90%", "ECE", "citation precision", "status accuracy")
SEED = 20262


@click.command()
@click.argument("datasets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--cross-encoder", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--reader", help="The folder of a reader.  [default: the packaged one]")
@click.option("--most", type=int, help="The maximum number of questions per set (a fixed sample).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"), show_default=True)
def main(*, datasets: Sequence[Path], cross_encoder: Path, reader: str | None, most: int | None, out: Path) -> None:
    """Ask each reader the questions of DATASETS, and print a table for each."""
    for path in datasets:
        dataset = sample(load(path), most)
        index = fresh_index(dataset, out / "readers" / dataset.name / "index").index
        readers: dict[str, Reader] = {
            "textbook": TextbookReader(open_cross_encoder(cross_encoder)),
            "untrained": open_reader(UNTRAINED, index),
            "trained": open_reader(reader, index),
        }
        click.echo(side_by_side(dataset, index, readers, out / "readers" / dataset.name))
    click.echo(provenance("make bench-readers"))


def sample(dataset: Dataset, most: int | None) -> Dataset:
    """A fixed sample of the questions, in their order."""
    if most is None or len(dataset.questions) <= most:
        return dataset
    chosen = set(random.Random(SEED).sample(range(len(dataset.questions)), most))  # noqa: S311
    return replace(dataset, questions=[each for place, each in enumerate(dataset.questions) if place in chosen])


def side_by_side(dataset: Dataset, index: Path, readers: dict[str, Reader], folder: Path) -> str:
    rows, runs = [], {}
    for name, reader in readers.items():
        target = InProcess(Answering(Catalogue({"default": Collection.open(index)}), reader), index, "default")
        runs[name] = folder / f"run-{name}"
        try:
            group = evaluate_and_report(dataset, target, runs[name])[ALL]
        finally:
            target.close()
        read = summary(RunFolder(runs[name]).read_times(), 1).stages["read"]
        rows.append([name, *(cell(group, metric) for metric in METRICS), f"{read.p50:.0f}", f"{read.p95:.0f}"])
    comparison = compare(runs["textbook"], runs["trained"])
    words = [f"{each.difference.metric} {each.word} (p = {each.p:.3f})" for each in comparison.verdicts if each.word]
    return (
        f"### {dataset.name}, {len(dataset.questions)} questions\n\n"
        f"{markdown_table(['', *METRICS, 'read p50, ms', 'read p95, ms'], rows)}\n\n"
        f"Trained against textbook, Holm-corrected: {'; '.join(words) or 'no significant difference'}.\n"
    )


if __name__ == "__main__":
    main()
