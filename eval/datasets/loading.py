"""Loads a test set in any of four layouts: a SQuAD file, a BEIR folder, ours (`native`), or texts to be accepted."""

from __future__ import annotations

from pathlib import Path

from eval.datasets import accepted, beir, native, squad
from eval.datasets.dataset import Dataset
from eval.errors import DatasetNotFound, NoQuestionLeft, UnknownFormat


def load(path: Path) -> Dataset:
    """Read a test set and check it.

    Raises DatasetNotFound, UnknownFormat, DatasetDamaged, or NoQuestionLeft if no question is usable.
    """
    if not path.exists():
        raise DatasetNotFound(path=path)
    if squad.recognises(path):
        dataset = squad.read(path)
    elif beir.recognises(path):
        dataset = beir.read(path)
    elif accepted.recognises(path):
        dataset = accepted.read(path)
    elif native.recognises(path):
        dataset = native.read(path)
    else:
        raise UnknownFormat(path=path)
    if not dataset.questions:
        first = dataset.dropped[0] if dataset.dropped else "the set is empty"
        raise NoQuestionLeft(path=path, dropped=len(dataset.dropped), first=first)
    return dataset
