"""Behaviour on a full or read-only disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from index.maintenance.checking import check
from tests.support.commands import ROOT, pincite, serving
from tests.support.disks import Disk, compiled
from tests.support.waiting import until

QUESTION = {"question": "When does the ferry leave?", "min_confidence": 0}
STATES = ("full 0", "full 3000", "full 20000", "read-only")


@pytest.fixture
def disk(index_folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """A disk with the test index and free space."""
    folder = tmp_path / "disk"
    folder.mkdir()
    shutil.copytree(index_folder, folder / "index", symlinks=True)
    return Disk(compiled(tmp_path_factory.mktemp("shim")), folder, tmp_path / "state")


class Client(httpx.Client):
    """Of a service, with its log."""

    log: IO[str]


@pytest.fixture
def service(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A service of that index, which compacts every second."""
    for variable, value in (disk.environment | {"PINCITE_COMPACT_S": "1"}).items():
        monkeypatch.setenv(variable, value)
    with serving("--index", disk.folder / "index") as (process, address), Client(base_url=address, timeout=30) as http:
        monkeypatch.undo()  # only the service is to have that disk
        assert process.stderr
        http.log = process.stderr
        yield http


def answers(http: httpx.Client) -> object:
    response = http.post("/v1/ask", json=QUESTION)
    assert response.status_code == 200, response.text
    return response.json()["answers"]


def sources(http: httpx.Client) -> list[str]:
    return [each["source"] for each in http.get("/v1/documents").json()["documents"]]


def test_a_service_answers_whatever_the_disk_refuses_and_goes_on_when_it_does_not(
    service: httpx.Client, disk: Disk
) -> None:
    before = answers(service)
    heron = b"The heron nests in the old quarry, " + b"and in another, " * 200
    for state in STATES:
        disk.state = state
        put = service.put("/v1/documents/heron.txt", content=heron)
        assert put.status_code == (503 if state == "read-only" else 507), (state, put.text)
        assert put.headers["content-type"] == "application/problem+json"
        assert put.json()["type"].endswith("storage-read-only" if state == "read-only" else "storage-full")
        assert service.put("/v1/collections/birds").status_code in (503, 507)
        assert service.delete("/v1/documents/wide.txt").status_code in (503, 507)
        assert service.get("/v1/documents/wide.txt").status_code == 200
        assert answers(service) == before
        assert service.get("/ready").status_code == 200
        disk.state = ""
        assert "heron.txt" not in sources(service), state
        assert service.put("/v1/documents/heron.txt", content=heron).status_code == 201
        found = service.post("/v1/search", json={"query": "Where does the heron nest?", "top_k": 1}).json()
        assert found["passages"][0]["source"] == "heron.txt"
        assert service.delete("/v1/documents/heron.txt").status_code == 204
        assert answers(service) == before
    assert [each.findings for each in check(disk.folder / "index")] == [[]]


SQUEEZED = """
import sys
from pathlib import Path
from typing import IO
from index.errors import StorageFull
from index.text.preparation import NO_METADATA
from tests.support.damage import found, made
collection, room, refused = made(Path(sys.argv[1])), 0, 0
while True:
    Path(sys.argv[2]).write_text(f"full {room}")
    try:
        collection.writer.put("fox.txt", b"The fox sleeps.", NO_METADATA, lambda _: None)
        made_it = True
    except StorageFull:
        made_it, refused = False, refused + 1
    seen = "The fox sleeps." in found(collection, "fox")
    assert len(found(collection, "cat")) >= 3
    assert seen == made_it, room
    Path(sys.argv[2]).write_text("")
    there = collection.store.live("fox.txt") is not None
    assert there == ("The fox sleeps." in found(collection, "fox")), room
    if there:
        collection.writer.delete(["fox.txt"])
    if made_it:
        print(refused)
        break
    room += 1500
"""


def test_a_change_is_made_and_seen_or_refused_and_not_wherever_the_room_ends(disk: Disk) -> None:
    program = [sys.executable, "-c", SQUEEZED, str(disk.folder / "small"), str(disk.state_file)]
    environment = os.environ | disk.environment
    process = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert int(process.stdout) > 10
    assert [each.findings for each in check(disk.folder / "small")] == [[]]


def test_compaction_waits_for_room_and_is_then_done(service: Client, disk: Disk) -> None:
    assert service.put("/v1/documents/secret.txt", content=b"The xylophagous beetle is secret.").status_code == 201
    assert service.delete("/v1/documents/secret.txt").status_code == 204
    disk.state = "full 0"
    until(lambda: "compaction failed" in service.log.read())
    assert any(b"xylophag" in path.read_bytes() for path in files_of(disk.folder))
    before = answers(service)
    disk.state = ""
    until(lambda: not any(b"xylophag" in path.read_bytes() for path in files_of(disk.folder)))
    assert answers(service) == before
    assert [each.findings for each in check(disk.folder / "index")] == [[]]


def files_of(folder: Path) -> list[Path]:
    """All files, without temporary ones that come and go."""
    return [path for path in (folder / "index/collections").rglob("*") if path.is_file() and path.exists()]


def test_commands_that_write_say_in_one_line_that_they_cannot(disk: Disk, tmp_path: Path) -> None:
    index, given = disk.folder / "index", tmp_path / "given"
    given.mkdir()
    (given / "heron.txt").write_text("The heron nests in the old quarry. " * 500)
    commands = (
        ("build", given, "--index", index),
        ("backup", disk.folder / "copy", "--index", index),
        ("collections", "make", "birds", "--index", index),
    )
    for state in ("full 0", "full 20000", "read-only"):
        disk.state = state
        for command in commands:
            result = pincite(*command, env=disk.environment)
            assert result.returncode == 1, (command, result.stdout, result.stderr)
            assert result.stderr.startswith("pincite: The disk" if "full" in state else "pincite: The index"), (
                result.stderr
            )
            assert result.stderr.count("\n") == 1, result.stderr
        assert not (disk.folder / "copy").exists()
        disk.state = ""
        assert [each.findings for each in check(index)] == [[]]
    for command in commands:
        assert pincite(*command, env=disk.environment).returncode == 0


@pytest.mark.parametrize("crashed", [False, True])
def test_an_index_that_is_read_only_is_asked_listed_checked_and_served(disk: Disk, crashed: bool) -> None:
    index = disk.folder / "index"
    if crashed:
        with serving("--index", index) as (process, address):
            assert httpx.put(f"{address}/v1/documents/owl.txt", content=b"Owls hunt.", timeout=30).status_code == 201
            process.kill()
            process.wait()
    usual = pincite("ask", "When does the ferry leave?", "--index", index)
    assert usual.returncode == 0
    disk.state = "read-only"
    result = pincite("ask", "When does the ferry leave?", "--index", index, env=disk.environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, usual.stdout, "")
    for command in ("list", "check"):
        result = pincite(command, "--index", index, env=disk.environment)
        assert (result.returncode, result.stderr) == (0, "")
    result = pincite("delete", "metals.md", "--index", index, env=disk.environment)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "is not writable" in result.stderr


def test_a_service_of_a_read_only_index_answers_and_refuses_changes(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.state = "read-only"
    for variable, value in disk.environment.items():
        monkeypatch.setenv(variable, value)
    with serving("--index", disk.folder / "index") as (_, address), httpx.Client(base_url=address, timeout=30) as http:
        assert len(sources(http)) == 5
        assert answers(http)
        assert http.put("/v1/documents/a.txt", content=b"Cats sleep.").status_code == 503
        assert http.delete("/v1/documents/metals.md").status_code == 503


@pytest.mark.parametrize("state", ["full 0", "read-only"])
def test_what_must_be_derived_first_needs_a_disk_that_takes_it(disk: Disk, state: str) -> None:
    index = disk.folder / "index"
    shutil.rmtree(index / "collections/default/terms")
    disk.state = state
    result = pincite("serve", "--index", index, "--port", "0", env=disk.environment)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1), result.stderr
    assert "free some space" in result.stderr if "full" in state else "is not writable" in result.stderr
    disk.state = ""
    assert pincite("ask", "When does the ferry leave?", "--index", index, env=disk.environment).returncode == 0
