"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.http.examples import ANSWERS
from tests.support.commands import ROOT, serving

README = (ROOT / "README.md").read_text("utf-8")
HERE = "http://127.0.0.1:8000"
CLIENTS = README[README.index("## From a program") :]
SENTENCE = "It lies on the river Psel."


@pytest.fixture(scope="module")
def address(seeds_index: Path) -> Iterator[str]:
    with serving("--index", seeds_index) as (_, address):
        yield address


def shown(language: str, address: str) -> str:
    """The first block of that language, asking at `address`."""
    found = re.search(rf"```{language}\n(.*?)```", CLIENTS, re.DOTALL)
    assert found
    assert HERE in found[1]
    return found[1].replace(HERE, address)


def printed(command: list[str], given: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    told = subprocess.run(command, input=given, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_the_response_it_shows_is_the_recorded_one() -> None:
    found = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert found
    assert json.loads(found[1]) == ANSWERS["ask"]


def test_curl_answers(address: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    answer = json.loads(printed(["sh"], shown("sh", address)))
    assert SENTENCE in answer["answers"][0]["text"]


def test_python_answers(address: str) -> None:
    assert SENTENCE in printed([sys.executable], shown("python", address))


def test_javascript_answers(address: str) -> None:
    assert SENTENCE in printed(["node", "--input-type=module"], shown("js", address))
