"""Collect the readings of several test sets. Each set is saved to a file, so an interrupted run can be resumed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from eval.datasets.dataset import Dataset
from eval.datasets.loading import load
from eval.training.calibration import DEPTH
from eval.training.fitting import build_and_open
from eval.training.reading import QuestionReading, load_readings, read_questions, save_readings
from index.collections.opening import open_searcher
from index.search.searcher import Searcher
from service.reader.network import Network

SEED = 20262


def gather_readings(
    network: Network, folders: Sequence[Path], work: Path, most: dict[str, int], together: Sequence[str]
) -> tuple[list[QuestionReading], dict[str, str]]:
    """The network's readings of all sets in the folders, and the fingerprints of the sets.

    `most`: the highest number of questions by set; `together`: sets whose gold answers together form one answer.
    `work` holds the indexes, and readings of earlier runs, which are reused.
    """
    readings: list[QuestionReading] = []
    fingerprints = {}
    for name, path in sets_in(folders):
        dataset = load(path)
        fingerprints[f"{name}/{dataset.name}" if name != dataset.name else name] = dataset.sha256
        file = work / f"{name}-{dataset.name}-{dataset.sha256[:8]}-{network.sha256[:8]}-{most.get(name, 'all')}.json"
        if not file.is_file():
            searcher = open_or_build(dataset, work / "indexes" / dataset.name)
            questions = [dataset.questions[place] for place in sample_places(len(dataset.questions), most.get(name))]
            save_readings(read_questions(network, searcher, name, questions, DEPTH, together=name in together), file)
            searcher.close()
        readings += load_readings(file)
    return readings, fingerprints


def limits(options: Sequence[str]) -> dict[str, int]:
    """`squad2=200` -> {"squad2": 200}. Raises UsageError."""
    try:
        return {name: int(count) for name, _, count in (option.partition("=") for option in options)}
    except ValueError as error:
        raise click.UsageError(f"--most must be SET=COUNT: {error}") from error


def sets_in(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The sets with their names. If a folder contains several sets, they all get the name of the folder."""
    for folder in folders:
        parts = sorted(path.parent for path in folder.glob("*/questions.jsonl"))
        if (folder / "questions.jsonl").is_file() or not parts:
            yield load(folder).name, folder
        else:
            yield from ((folder.resolve().name, part) for part in parts)


def sample_places(count: int, most: int | None) -> list[int]:
    """A sorted sample of `most` indices below `count`; always the same one."""
    return sorted(random.Random(SEED).sample(range(count), min(count, most or count)))  # noqa: S311


def open_or_build(dataset: Dataset, index: Path) -> Searcher:
    index.parent.mkdir(parents=True, exist_ok=True)
    return open_searcher(index) if index.is_dir() else build_and_open(dataset, index)
