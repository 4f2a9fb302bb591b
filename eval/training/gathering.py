"""Readings of many test sets, each kept in a file, so that fitting and comparing readers begin where they broke off."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from eval.datasets.dataset import Dataset
from eval.datasets.loading import load
from eval.training.calibration import DEPTH
from eval.training.fitting import indexed
from eval.training.reading import Seen, keep, kept, see_all
from index.collections.opening import open_searcher
from index.search.searcher import Searcher
from service.reader.network import Network

SEED = 20262


def gathered(
    network: Network, folders: Sequence[Path], work: Path, most: dict[str, int], together: Sequence[str]
) -> tuple[list[Seen], dict[str, str]]:
    """What the network sees of every set in the folders, and the fingerprints of the sets.

    `most`: questions of a set, at most; `together`: sets whose answers to a question are one answer's sentences. In
    `work` are the indexes, and what each network saw before.
    """
    seen: list[Seen] = []
    fingerprints = {}
    for name, path in sets_in(folders):
        dataset = load(path)
        fingerprints[f"{name}/{dataset.name}" if name != dataset.name else name] = dataset.sha256
        file = work / f"{name}-{dataset.name}-{dataset.sha256[:8]}-{network.sha256[:8]}-{most.get(name, 'all')}.json"
        if not file.is_file():
            searcher = opened(dataset, work / "indexes" / dataset.name)
            questions = [dataset.questions[place] for place in sampled(len(dataset.questions), most.get(name))]
            keep(see_all(network, searcher, name, questions, DEPTH, together=name in together), file)
            searcher.close()
        seen += kept(file)
    return seen, fingerprints


def limits(options: Sequence[str]) -> dict[str, int]:
    """`squad2=200` -> {"squad2": 200}. Raises UsageError."""
    try:
        return {name: int(count) for name, _, count in (option.partition("=") for option in options)}
    except ValueError as error:
        raise click.UsageError(f"--most wants SET=COUNT: {error}") from error


def sets_in(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The sets and their names; sets that lie in one folder, as parts of one, have its name."""
    for folder in folders:
        parts = sorted(path.parent for path in folder.glob("*/questions.jsonl"))
        if (folder / "questions.jsonl").is_file() or not parts:
            yield load(folder).name, folder
        else:
            yield from ((folder.resolve().name, part) for part in parts)


def sampled(count: int, most: int | None) -> list[int]:
    """Some of the places, always the same, in order."""
    return sorted(random.Random(SEED).sample(range(count), min(count, most or count)))  # noqa: S311


def opened(dataset: Dataset, index: Path) -> Searcher:
    index.parent.mkdir(parents=True, exist_ok=True)
    return open_searcher(index) if index.is_dir() else indexed(dataset, index)
