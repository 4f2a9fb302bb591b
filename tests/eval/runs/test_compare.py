"""A planted regression is detected; noise is not reported."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from eval.datasets.dataset import Dataset
from eval.metrics.scoring import score_all
from eval.runs.evaluation import grouped
from eval.runs.run import RunFolder
from eval.runs.target import InProcess
from pincite import run as pincite
from tests.support.evaluating import RESAMPLES, evaluate, small_set

REPEATED = 16  # 12 questions are too few for significance


@pytest.fixture(scope="module")
def dataset(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_set(tmp_path_factory.mktemp("set"), documents, REPEATED)


@pytest.fixture(scope="module")
def good(dataset: Dataset, index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = InProcess.open(index_folder)
    folder = tmp_path_factory.mktemp("runs") / "good"
    evaluate(dataset, target, folder)
    target.close()
    return folder


@pytest.fixture(scope="module")
def shuffled(good: Path, dataset: Dataset, index_folder: Path) -> Path:
    """The good run, with the answers to one question in ten swapped among each other."""
    folder = RunFolder(good.with_name("shuffled"))
    shutil.copytree(good, folder.path)
    lines = folder.read_lines()
    chosen = list(range(3, len(lines), 7))[: len(lines) // 10]
    answers = {to: lines[origin].response.answers for to, origin in zip(chosen, chosen[1:] + chosen[:1], strict=True)}
    changed = [
        replace(line, response=replace(line.response, answers=answers.get(number, line.response.answers)))
        for number, line in enumerate(lines)
    ]
    folder.responses.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in changed))
    target = InProcess.open(index_folder)
    threshold = folder.read_environment().threshold
    scores = score_all(dataset, [line.response for line in changed], target.source, threshold)
    folder.finish(scores, grouped(scores, RESAMPLES, lambda *_: None))
    target.close()
    return folder.path


def test_answers_shuffled_among_a_tenth_of_the_questions_are_a_regression(
    good: Path, shuffled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "comparison.html"
    assert pincite(["compare", str(good), str(shuffled), "--html", str(page)]) == 1
    printed = capsys.readouterr()
    assert "hit@1" in printed.err
    assert "more; --html FILE shows all" in printed.out
    (lost,) = re.findall(r"Lost: (\d+) of", printed.out)
    assert int(lost) > 5
    assert page.read_text("utf-8").count("<details") == int(lost)


def test_the_way_back_makes_answers_better(good: Path, shuffled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pincite(["compare", str(shuffled), str(good)])  # calibration may well be worse for it
    printed = capsys.readouterr()
    assert "hit@1" not in printed.err
    (line,) = (line for line in printed.out.splitlines() if line.startswith("hit@1"))
    assert line.endswith("\tbetter")


def test_two_identical_runs_do_not_differ(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pincite(["compare", str(good), str(good)]) == 0
    printed = capsys.readouterr().out
    assert "worse" not in printed
    assert "better" not in printed
    assert f"Lost: 0 of {12 * REPEATED} questions" in printed


def test_runs_of_different_sets_cannot_be_compared(
    good: Path, documents: Path, index_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = InProcess.open(index_folder)
    evaluate(small_set(tmp_path / "set", documents), target, tmp_path / "run")
    target.close()
    assert pincite(["compare", str(good), str(tmp_path / "run")]) == 1
    assert "different test sets" in capsys.readouterr().err


def test_what_is_no_finished_run_is_said_to_be_none(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pincite(["compare", str(good), str(tmp_path)]) == 1
    assert "There is no run in" in capsys.readouterr().err
    half = tmp_path / "half"
    shutil.copytree(good, half)
    (half / "metrics.json").unlink()
    assert pincite(["compare", str(good), str(half)]) == 1
    assert "is incomplete" in capsys.readouterr().err
