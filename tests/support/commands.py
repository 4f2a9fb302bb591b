"""Runs the `pincite` command in a subprocess."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

ROOT = Path(__file__).parents[2]
PINCITE = (sys.executable, "-m", "pincite")


def pincite(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*PINCITE, *map(str, arguments)]
    environment = os.environ | (env or {})
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def serving(*arguments: object, env: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running service and its address, parsed from the line that announces it.

    The log goes to a file, because a full pipe would block the service. `stderr` of the process reads what was logged
    since the last read.
    """
    command = [*PINCITE, "serve", *map(str, arguments), "--port", "0"]
    environment = os.environ | (env or {})
    with (
        NamedTemporaryFile("w") as log,
        Path(log.name).open(encoding="utf-8") as logged,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        process.stderr = logged
        try:
            yield process, ready_line(process)
        finally:
            process.kill()


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"Pincite is ready at (http://\S+)", line):
            return found[1]
    assert process.stderr
    pytest.fail(process.stderr.read())
