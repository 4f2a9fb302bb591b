"""Readers side by side: what is counted as cited, and tables with intervals."""

from __future__ import annotations

import pytest

from eval.benchmarks.readers import Outcome, citation_values, outcomes_of, tables
from eval.training.reading import QuestionReading
from tests.eval.training.test_calibration import seen_some


@pytest.fixture(scope="module")
def readings() -> list[QuestionReading]:
    return seen_some(60, 4)


def test_what_is_cited_is_counted_by_pieces_of_the_evidence(readings: list[QuestionReading]) -> None:
    asked = next(each for each in readings if each.answerable)
    right = asked.right.index(True)
    wrong = (right + 1) % 20
    assert citation_values(asked, [right]) == (1.0, 1.0)
    assert citation_values(asked, [right, wrong]) == (1.0, 0.5)
    assert citation_values(asked, [wrong]) == (0.0, 0.0)


def test_every_question_has_an_outcome(readings: list[QuestionReading]) -> None:
    outcomes = outcomes_of(readings)
    assert len(outcomes) == len(readings)
    right = [each.confidence for each in outcomes if each.right]
    wrong = [each.confidence for each in outcomes if not each.right]
    assert sum(right) / len(right) > sum(wrong) / len(wrong)
    assert all(each.recall is None for each in outcomes)  # no question needs several sentences


def test_a_table_has_a_line_for_each_reader_with_intervals() -> None:
    some = [Outcome("harbour", n % 3 > 0, n % 3 == 1, n / 30, 0.5, shown=n > 15) for n in range(30)]
    text = tables({"one": some, "other": some})
    assert text.count("### harbour, 30 questions") == 1
    assert text.count("| one |") == text.count("| other |") == 2
    assert "| .500 (" in text
