"""Which reader answers: the packaged one, one of the user's own, or the one that needs no training."""

from __future__ import annotations

from pathlib import Path

from service.reader.baseline import FittedReader
from service.reader.neural import CALIBRATION, TrainedReader
from service.reader.reader import Reader

UNTRAINED = "untrained"


def open_reader(name: str | None, index: Path, threads: int | None = None, device: str | None = None) -> Reader:
    """`name`: a folder with a reader, "untrained", or None for the packaged one, in the calibration of the index.

    `threads` read at once, by default one for each CPU, or a `device` of torch's does. Raises ReaderDamaged or
    NoDevice.
    """
    if name == UNTRAINED:
        return FittedReader()
    own = own_calibration(index)
    return TrainedReader(Path(name) if name else None, own if own.is_file() else None, threads, device)


def own_calibration(index: Path) -> Path:
    """Where the calibration of an index is kept, if it has one."""
    return index / CALIBRATION
