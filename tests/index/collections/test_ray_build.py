"""Building with a real Ray cluster on this machine, with a worker killed halfway."""

from __future__ import annotations

import pickle
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from index.collections import ray_build
from index.collections.build import BuildOptions, BuildReport
from index.collections.ray_build import RayWorkers, local_workers, ray_workers
from index.embedding import models
from index.errors import BadRayAddress, RayFailed
from index.maintenance.checking import check
from index.storage.layout import Layout
from pincite import run
from tests.conftest import FILES
from tests.support.building import build_index

DOCUMENTS = 60
WORDS = ("heron", "quarry", "ferry", "copper", "lighthouse", "keeper", "winter", "market", "bridge", "letter", "valley")
TRUTH = """
    SELECT source, sha256, origin, spans, file, group_concat(first || ' ' || last || ' ' || hex(key) || hex(vector))
    FROM document JOIN content ON content.document = document.number
    LEFT JOIN (SELECT * FROM passage ORDER BY number) AS passage ON passage.document = document.number
    WHERE removed IS NULL GROUP BY document.number ORDER BY source
"""


class Stopped(Exception):
    """Simulates an interrupted build."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayWorkers]:
    before = set(psutil.Process().children(recursive=True))
    with ray_workers("local:2") as found:
        yield found
        started = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(started, 20)
    assert not alive


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of a few passages, one in another encoding, one empty, and one that is not text."""
    folder = tmp_path_factory.mktemp("files")
    chooser = random.Random(7)  # noqa: S311  # the same documents each time, not a secret
    for number in range(DOCUMENTS):
        sentences = [f"The {' '.join(chooser.choices(WORDS, k=12))} is number {chooser.random()}." for _ in range(20)]
        (folder / f"{number:02}.txt").write_text(" ".join(sentences))
    for source, text in FILES.items():
        (folder / source).parent.mkdir(exist_ok=True)
        (folder / source).write_bytes(text.encode())
    (folder / "wide.txt").write_bytes("\ufeffThe keeper is called Ørjan.\n".encode("utf-16-le"))
    (folder / "empty.txt").write_bytes(b"")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 8)
    return folder


@pytest.fixture
def index(exported: Path, tmp_path: Path) -> Callable[[str], Path]:
    """An empty index folder with an exported encoder."""

    def made(name: str) -> Path:
        encoder = Layout(tmp_path / name).encoder(models.DEFAULT_SHA256)
        encoder.parent.mkdir(parents=True)
        encoder.symlink_to(exported)
        return tmp_path / name

    return made


def truth(index: Path) -> list[tuple[object, ...]]:
    """All documents with everything derived from them, vectors to the last bit."""
    with sqlite3.connect(Layout(index).collection("default").store) as connection:
        return connection.execute(TRUTH).fetchall()


def told(report: BuildReport) -> tuple[object, ...]:
    failed = sorted(map(str, report.failed))
    return report.added, report.updated, report.unchanged, report.removed, failed, report.documents, report.passages


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.is_running() and "MapWorker" in " ".join(child.cmdline())]


def listening() -> set[str]:
    """The addresses that Ray listens on."""
    children = [*psutil.Process().children(recursive=True), psutil.Process()]
    sockets = [each for child in children for each in child.net_connections("inet")]
    return {each.laddr.ip.removeprefix("::ffff:") for each in sockets if each.status == psutil.CONN_LISTEN}


def test_with_a_worker_killed_every_document_is_there_once_and_the_same_to_the_last_bit(
    cluster: RayWorkers, files: Path, index: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_build, "BLOCK", 3000)
    killed: list[psutil.Process] = []

    def kill(_stage: str, _done: int, _total: int) -> None:
        if not killed:
            assert listening() == {"127.0.0.1"}
            victim, *_ = workers()
            victim.kill()
            killed.append(victim)

    here, there = index("here"), index("there")
    ordinary = build_index([files], here)
    report = build_index([files], there, BuildOptions(workers=cluster, progress=kill))
    assert killed
    assert not killed[0].is_running()
    assert told(report) == told(ordinary)
    assert report.added == DOCUMENTS + len(FILES) + 2
    assert truth(there) == truth(here)
    assert not [each for each in check(there) if each.findings]

    again = build_index([files], there, BuildOptions(workers=cluster))
    assert (again.added, again.updated, again.unchanged) == (0, 0, report.added)
    assert again.version == report.version


def test_a_build_that_was_broken_off_goes_on_where_it_was(
    cluster: RayWorkers, files: Path, index: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_build, "BLOCK", 3000)
    monkeypatch.setattr("index.collections.build.BATCH", 20)

    def stop(_stage: str, done: int, _total: int) -> None:
        if done == DOCUMENTS // 2:
            raise Stopped

    here, there = index("here"), index("there")
    build_index([files], here)
    with pytest.raises(Stopped):
        build_index([files], there, BuildOptions(workers=cluster, progress=stop))
    kept = len(truth(there))
    assert 0 < kept < DOCUMENTS
    report = build_index([files], there, BuildOptions(workers=cluster))
    assert (report.unchanged, report.added) == (kept, DOCUMENTS + len(FILES) + 2 - kept)
    assert truth(there) == truth(here)
    assert not [each for each in check(there) if each.findings]


@pytest.mark.parametrize("address", ["", "local:0", "local:two", "somewhere", "host:port", "ray://127.0.0.1:10001"])
def test_what_is_no_address_of_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(BadRayAddress):
        local_workers(address)


@pytest.mark.parametrize(("address", "expected"), [("local:3", 3), ("auto", None), ("10.0.0.1:6379", None)])
def test_workers_are_started_here_or_are_there(address: str, expected: int | None) -> None:
    assert local_workers(address) == expected


def test_a_cluster_that_is_not_there_is_named_and_nothing_is_written(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", str(files), "--index", str(tmp_path / "index"), "--ray", "127.0.0.1:1"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()


def test_where_ray_is_not_installed_the_way_to_install_it_is_told(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(["build", str(files), "--index", str(tmp_path / "index"), "--ray", "local"]) == 1
    assert "requirements/scale.txt" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()


def test_a_worker_with_other_code_is_refused_by_name(
    cluster: RayWorkers, files: Path, index: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_build, "code_sha256", lambda: "of another version")
    with pytest.raises(RayFailed, match="another version of Pincite"):
        build_index([files], index("there"), BuildOptions(workers=cluster))


def test_an_error_is_the_same_in_another_process() -> None:
    error = BadRayAddress(address="here", reason="it is not there")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (type(again), str(again), again.facts) == (BadRayAddress, str(error), error.facts)
