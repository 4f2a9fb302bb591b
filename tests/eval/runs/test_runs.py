"""Runs are reproducible to the byte, can be interrupted, and fail with clear errors and without data loss."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from eval.datasets.dataset import Dataset
from eval.errors import (
    CorpusMismatch,
    IndexChanged,
    RunMismatch,
    RunVersion,
    ServiceGone,
    ServiceRefused,
)
from eval.metrics.scoring import ServedDocument
from eval.runs.run import ALL, RunFolder
from eval.runs.target import InProcess, OverHttp, Unreachable
from index.errors import CollectionNotFound
from pincite import run as pincite
from service import schema
from tests.support.evaluating import evaluate, small_set

SAME_BYTES = ("responses.jsonl", "scores.jsonl", "metrics.json")


class Leaving:
    """A target that fails after some answers, like a service that is stopped."""

    def __init__(self, target: InProcess, answers: int, version: str | None = None) -> None:
        self._target = target
        self._left = answers
        self._version = version  # of the index from then on, instead of failing
        self.name = target.name

    def ready(self) -> schema.Ready:
        return self._target.ready()

    def ask(self, request: schema.AskRequest) -> schema.AskResponse:
        self._left -= 1
        response = self._target.ask(request)
        if self._left >= 0:
            return response
        if self._version is None:
            raise Unreachable("it was stopped")
        return msgspec.structs.replace(response, index=schema.IndexInfo(self._version, 1, 1))

    def source(self, name: str) -> ServedDocument | None:
        return self._target.source(name)

    def close(self) -> None:
        self._target.close()


@pytest.fixture(scope="module")
def dataset(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_set(tmp_path_factory.mktemp("set"), documents)


@pytest.fixture(scope="module")
def target(index_folder: Path) -> Iterator[InProcess]:
    opened = InProcess.open(index_folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def finished(dataset: Dataset, target: InProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    evaluate(dataset, target, folder)
    return folder


@pytest.fixture
def service(index_folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "pincite", "serve", "--index", str(index_folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[-1]
        process.send_signal(signal.SIGTERM)


def same(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in SAME_BYTES)


def test_two_runs_on_one_index_are_equal_to_the_byte(
    dataset: Dataset, target: InProcess, finished: Path, tmp_path: Path
) -> None:
    evaluate(dataset, target, tmp_path / "two", concurrency=4)
    assert same(finished, tmp_path / "two")


def test_over_http_come_the_same_responses_and_metrics(
    dataset: Dataset, finished: Path, service: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    evaluate(dataset, OverHttp(service[1]), tmp_path / "http", concurrency=3)
    assert same(finished, tmp_path / "http")


def test_what_differs_each_time_is_not_kept_with_the_responses(finished: Path, dataset: Dataset) -> None:
    lines = (finished / "responses.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [question.id for question in dataset.questions]
    assert not any("request_id" in line or "timings" in line for line in lines)
    assert [times.id for times in RunFolder(finished).read_times()] == [question.id for question in dataset.questions]


def test_citations_of_a_run_are_exact_and_its_easy_questions_found(finished: Path) -> None:
    metrics = RunFolder(finished).read_groups()[ALL].metrics
    assert metrics["exact citations"].value == 1.0
    assert metrics["recall@20"].value == 1.0


@pytest.mark.parametrize("answers", [0, 1, 7, 11])
def test_a_run_whose_service_goes_away_resumes_to_the_same_bytes(
    dataset: Dataset, target: InProcess, finished: Path, tmp_path: Path, answers: int
) -> None:
    with pytest.raises(ServiceGone, match=f"{answers} of 12"):
        evaluate(dataset, Leaving(target, answers), tmp_path)
    assert len(RunFolder(tmp_path).read_lines()) == answers
    evaluate(dataset, target, tmp_path)
    assert same(finished, tmp_path)


def test_a_run_killed_while_it_wrote_resumes_to_the_same_bytes(
    dataset: Dataset, target: InProcess, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(ServiceGone):
        evaluate(dataset, Leaving(target, 6), tmp_path)
    whole = (tmp_path / "responses.jsonl").read_bytes()
    (tmp_path / "responses.jsonl").write_bytes(whole[:-100])
    evaluate(dataset, target, tmp_path)
    assert same(finished, tmp_path)


def test_a_service_that_is_killed_mid_run_is_named_and_the_answers_are_kept(
    dataset: Dataset, service: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, url = service

    def kill(stage: str, done: int, _: int) -> None:
        if stage == "questions" and done == 5:
            process.kill()

    with pytest.raises(ServiceGone, match=r"5 of 12 answers are saved in"):
        evaluate(dataset, OverHttp(url, patience=1), tmp_path, progress=kill)
    assert len(RunFolder(tmp_path).read_lines()) == 5


def test_a_busy_service_is_asked_again_and_a_refusal_is_not() -> None:
    statuses = iter([503, 503, 200])
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["authorization"])
        ready = schema.Ready("ready", "1", [], None, 0.5, [])
        return httpx.Response(next(statuses), headers={"Retry-After": "0"}, content=msgspec.json.encode(ready))

    busy = OverHttp("http://service", key="secret", transport=httpx.MockTransport(answer))
    assert busy.ready().index_version == "1"
    assert asked == ["Bearer secret"] * 3

    refusing = OverHttp("http://service", transport=httpx.MockTransport(lambda _: httpx.Response(401, text="no key")))
    with pytest.raises(ServiceRefused, match="401 to /ready: no key"):
        refusing.ready()
    other = OverHttp("http://service", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>")))
    with pytest.raises(ServiceRefused, match="not Pincite"):
        other.ready()


def test_an_index_that_changes_mid_run_ends_it(dataset: Dataset, target: InProcess, tmp_path: Path) -> None:
    with pytest.raises(IndexChanged, match="to new"):
        evaluate(dataset, Leaving(target, 3, version="new"), tmp_path)
    assert len(RunFolder(tmp_path).read_lines()) == 3


def test_a_folder_of_another_version_or_another_set_is_left_alone(
    dataset: Dataset, target: InProcess, finished: Path, documents: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(RunMismatch, match="another test set"):
        evaluate(small_set(tmp_path / "other", documents, repeated=2), target, finished)
    assert {path: path.read_bytes() for path in finished.iterdir()} == before

    later = tmp_path / "later"
    later.mkdir()
    (later / "environment.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(RunVersion, match="format 99"):
        evaluate(dataset, target, later)
    assert [path.name for path in later.iterdir()] == ["environment.json"]


def test_an_index_of_other_documents_is_found_out_before_anything_is_asked(
    documents: Path, target: InProcess, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "metals.md").write_text("Copper shines.", encoding="utf-8")
    (corpus / "new.txt").write_text("Copper shines.", encoding="utf-8")
    for doc, reason in (("metals.md", "has another text"), ("new.txt", "is missing")):
        line = {"id": "1", "question": "?", "answers": [{"doc": doc, "text": "shines", "start": 7}], "answerable": True}
        (tmp_path / "questions.jsonl").write_text(json.dumps(line), encoding="utf-8")
        from eval.datasets.loading import load

        with pytest.raises(CorpusMismatch, match=f"{doc} {reason}"):
            evaluate(load(tmp_path), target, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_collection_is_an_error(dataset: Dataset, target: InProcess, tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFound):
        evaluate(dataset, target, tmp_path / "run", collection="none")


def test_the_command_prints_the_metrics_and_writes_the_report(
    dataset: Dataset, index_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pincite(["eval", str(dataset.path), "--index", str(index_folder), "--out", str(tmp_path)]) == 0
    assert "recall@10\t" in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["SET"], (2, "Give an index or a service")),
        (["SET", "--index", "INDEX", "--url", "http://x"], (2, "Give an index or a service")),
        (["nowhere", "--index", "INDEX"], (1, "no test set in nowhere")),
        (["INDEX", "--index", "INDEX"], (1, "is not a supported test set")),
        (["SET", "--index", "nowhere"], (1, "no index in nowhere")),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(
    dataset: Dataset,
    index_folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    answer: tuple[int, str],
) -> None:
    places = {"SET": str(dataset.path), "INDEX": str(index_folder)}
    assert pincite(["eval", *(places.get(each, each) for each in arguments)]) == answer[0]
    assert answer[1] in capsys.readouterr().err
