"""Selects the reader: the packaged one, a user's own, or the untrained baseline."""

from __future__ import annotations

from pathlib import Path

from service.reader.baseline import FittedReader
from service.reader.neural import CALIBRATION, TrainedReader
from service.reader.reader import Reader

UNTRAINED = "untrained"


def open_reader(name: str | None, index: Path, threads: int | None = None, device: str | None = None) -> Reader:
    """`name`: a reader's folder, "untrained", or None for the packaged one, with the calibration of the index.

    `threads` read in parallel, by default one per CPU, or a torch `device` does. Raises ReaderDamaged or NoDevice.
    """
    if name == UNTRAINED:
        return FittedReader()
    own = own_calibration(index)
    return TrainedReader(Path(name) if name else None, own if own.is_file() else None, threads, device)


def own_calibration(index: Path) -> Path:
    """The calibration file of an index, if it has one."""
    return index / CALIBRATION
