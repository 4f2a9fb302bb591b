"""Several processes that serve one index."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

READY = re.compile(r"ready at (http://\S+)")
QUESTION = {"question": "When does the ferry leave?", "max_answers": 1}


# The command, which replaces processes that end too soon after their start as well.
PROGRAM = "from service.server import processes; processes.SOON_S = 0; from pincite import main; main()"


@pytest.fixture
def served(index_folder: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    folder = tmp_path / "index"
    shutil.copytree(index_folder, folder)
    command = [sys.executable, "-c", PROGRAM, "serve", "--index", str(folder), "--port", "0", "--processes", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    ready = READY.search(process.stdout.readline())
    assert ready
    yield ready[1], process
    for child in children(process):
        child.kill()
    process.kill()
    process.wait(10)


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def asked(url: str) -> str:
    response = httpx.post(f"{url}/v1/ask", json=QUESTION, timeout=30)
    response.raise_for_status()
    return str(response.json()["index"]["version"])


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


def test_a_change_made_through_one_process_is_seen_by_all(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = served
    assert len(children(process)) == 2
    before = asked(url)
    put = httpx.put(f"{url}/v1/documents/new.txt", content=b"Gulls nest here.", timeout=30)
    assert put.status_code == 201
    assert {asked(url) for _ in range(12)} == {before.rpartition("-")[0] + f"-{int(before.rpartition('-')[2]) + 1}"}


def test_a_process_that_is_killed_is_replaced(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = served
    victim = children(process)[0]
    victim.kill()
    assert until(lambda: len(children(process)) == 2 and victim.pid not in {each.pid for each in children(process)})
    assert until(lambda: len({asked(url) for _ in range(5)}) == 1)


def test_sigterm_ends_all_with_status_0(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = served
    asked(url)
    those = children(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not any(each.is_running() for each in those)


def test_none_outlives_a_parent_that_is_killed(served: tuple[str, subprocess.Popen[str]]) -> None:
    _, process = served
    those = children(process)
    process.kill()
    process.wait(10)
    assert until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in those))
