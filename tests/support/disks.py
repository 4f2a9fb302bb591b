"""Simulates a full or read-only disk for the processes of a test; see disk.c."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SHIM = Path(__file__).with_name("disk.c")


class Disk:
    """`state` is "", "full N" (N more bytes fit) or "read-only", for files under `folder`."""

    def __init__(self, library: Path, folder: Path, state_file: Path) -> None:
        self.folder = folder
        self.environment = {"LD_PRELOAD": str(library), "DISK_UNDER": str(folder), "DISK_STATE": str(state_file)}
        self.state_file = state_file
        self.state = ""

    @property
    def state(self) -> str:
        return self.state_file.read_text()

    @state.setter
    def state(self, state: str) -> None:
        self.state_file.write_text(state)


def compiled(folder: Path) -> Path:
    """The shim as a library. Skips the test without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs cc, to have writes fail in a process")
    library = folder / "disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", library, SHIM, "-ldl"], check=True)
    return library
