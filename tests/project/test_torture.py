"""Acknowledged changes survive kill -9 and power loss. `make torture` runs longer."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from random import Random

import pytest

from tests.support.killing import Torture
from tests.support.power import lose_power
from tests.support.replay import Disk, calls, record, traceable

SURE = Random(0)  # noqa: S311  # nothing is left to chance where all or nothing is there
needs_strace = pytest.mark.skipif(not traceable(), reason="needs strace, to record what is written")


def test_what_was_acknowledged_outlives_kill_9_and_nothing_half_does(index_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    shutil.copytree(index_folder / "encoders", tmp_path / "index/encoders", symlinks=True)
    torture = Torture(tmp_path / "index", seed=3)
    torture.run(4)
    assert torture.wrong == []
    assert torture.ledger.acknowledged > 0


@needs_strace
def test_what_was_acknowledged_outlives_a_loss_of_power(tmp_path: Path) -> None:
    assert lose_power(tmp_path, changes=40, points=10, seed=1) == []


@needs_strace
def test_a_recorded_run_is_put_together_as_it_was(tmp_path: Path) -> None:
    record([sys.executable, "-m", "tests.support.recorded", str(tmp_path / "run"), "25", "2"], tmp_path / "log")
    disk = Disk(tmp_path / "run")
    for call in calls(tmp_path / "log"):
        disk.take(call)
    disk.leave(tmp_path / "left", SURE, names=1, data=1)
    assert contents(tmp_path / "left") == contents(tmp_path / "run")


WRITES = """
import os, sys
from pathlib import Path
folder = Path(sys.argv[1])
folder.mkdir()
(folder / "kept.new").write_text("kept")
with (folder / "kept.new").open("rb") as file:
    os.fsync(file.fileno())
(folder / "kept.new").rename(folder / "kept")
handle = os.open(folder, os.O_RDONLY)
os.fsync(handle)
(folder / "kept").rename(folder / "moved")
(folder / "unsynced").write_text("gone")
"""


@needs_strace
def test_only_what_was_synced_is_sure_to_be_there(tmp_path: Path) -> None:
    record([sys.executable, "-c", WRITES, str(tmp_path / "run")], tmp_path / "log")
    disk = Disk(tmp_path / "run")
    for call in calls(tmp_path / "log"):
        disk.take(call)
    left = {}
    for names in (0, 1):
        for data in (0, 1):
            disk.leave(tmp_path / f"{names}{data}", SURE, names, data)
            left[names, data] = contents(tmp_path / f"{names}{data}")
    assert left[0, 0] == left[0, 1] == {"kept": b"kept"}
    assert left[1, 0] == {"moved": b"kept", "unsynced": b""}
    assert left[1, 1] == {"moved": b"kept", "unsynced": b"gone"}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
