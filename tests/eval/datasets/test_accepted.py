"""Questions with texts of which a right answer holds one: found wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.datasets.loading import load
from eval.errors import DatasetNotFound, NoQuestionLeft

TEXT = "# Fees\n\n| Boat | Fee |\n|---|---|\n| up to 10 m | 4   pounds |\n\nDogs cost 4\nPounds. Cats cost 14 pounds.\n"


def written(folder: Path, *asked: tuple[str, list[str] | None]) -> Path:
    (folder / "corpus").mkdir(parents=True)
    (folder / "corpus" / "fees.md").write_text(TEXT)
    (folder / "corpus" / "other.txt").write_text("Nothing is free.\n")
    rows = [{"corpus": "", "kind": "table", "question": question, "accept": accept} for question, accept in asked]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_an_answer_stands_wherever_its_text_does_case_and_white_space_aside(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "harbour", ("What is the fee?", ["4 pounds", "no fee"])))
    (question,) = dataset.questions
    assert [(gold.doc, gold.text) for gold in question.answers] == [
        ("fees.md", "4   pounds"),
        ("fees.md", "4\nPounds"),
        ("fees.md", "4 pounds"),
    ]
    assert all(TEXT[gold.start : gold.end] == gold.text for gold in question.answers)
    assert (dataset.name, question.type, question.answerable) == ("harbour", "table", True)


def test_null_is_a_question_without_an_answer(tmp_path: Path) -> None:
    (question,) = load(written(tmp_path / "x", ("What do horses cost?", None))).questions
    assert (question.answers, question.answerable) == ((), False)


def test_a_text_that_stands_nowhere_is_dropped_and_named(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "x", ("What do dogs cost?", ["4 pounds"]), ("Horses?", ["9 pounds"])))
    assert len(dataset.questions) == 1
    assert "x-2" in dataset.dropped[0]
    with pytest.raises(NoQuestionLeft):
        load(written(tmp_path / "y", ("Horses?", ["", "9 pounds"])))


def test_a_set_without_documents_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", ("What do dogs cost?", ["4 pounds"]))
    (folder / "corpus").rename(folder / "documents")
    with pytest.raises(DatasetNotFound):
        load(folder)
