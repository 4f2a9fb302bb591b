"""Detecting contradictory answers: on labelled pairs, and the basis of each rule."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from service.answering.conflicts import Statement, conflict
from service.answering.quantities import amounts, date_parts, dates_differ

DATA = Path(__file__).parents[3] / "eval" / "data" / "conflicts"


class Labelled(msgspec.Struct, frozen=True):
    id: str
    kind: str
    question: str
    first: Statement
    second: Statement
    conflicting: bool


@pytest.fixture(scope="module", params=["pairs.jsonl", "held_out.jsonl"])
def pairs(request: pytest.FixtureRequest) -> list[Labelled]:
    return [msgspec.json.decode(line, type=Labelled) for line in (DATA / request.param).read_bytes().splitlines()]


def test_about_half_of_the_pairs_are_compatible(pairs: list[Labelled]) -> None:
    assert 0.4 <= sum(pair.conflicting for pair in pairs) / len(pairs) <= 0.6


def test_nine_of_ten_conflicts_told_are_there_and_most_are_found(pairs: list[Labelled]) -> None:
    result = {pair.id for pair in pairs if conflict(pair.question, pair.first, pair.second)}
    labelled = {pair.id for pair in pairs if pair.conflicting}
    assert len(result & labelled) / len(result) >= 0.9
    assert len(result & labelled) / len(labelled) >= 0.8


def test_a_conflict_does_not_depend_on_which_answer_comes_first(pairs: list[Labelled]) -> None:
    for pair in pairs:
        there = conflict(pair.question, pair.first, pair.second)
        assert conflict(pair.question, pair.second, pair.first) == there, pair.id


def test_no_statement_is_at_odds_with_itself(pairs: list[Labelled]) -> None:
    for pair in pairs:
        assert conflict(pair.question, pair.first, pair.first) is None, pair.id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.2 million dollars", [(3_200_000, "$")]),
        ("$3.2 million", [(3_200_000, "$")]),
        ("two hundred and six", [(206, "")]),
        ("twenty-one", [(21, "")]),
        ("0.42 kilometres", [(420, "m")]),
        ("three weeks", [(1_814_400, "s")]),
        ("more than a dozen ships", [(12, "")]),
        ("two dozen", [(24, "")]),
        ("between 2,000 and 3,000", [(2000, ""), (3000, "")]),
        ("nobody", []),
        ("", []),
    ],
)
def test_amounts_are_read_with_their_units(text: str, expected: list[tuple[float, str]]) -> None:
    assert amounts(text) == expected


def test_a_date_is_compared_part_by_part() -> None:
    assert date_parts("4 May 1871") == date_parts("May 4, 1871") == date_parts("1871-05-04")
    assert dates_differ("May 1871", "1871") is False
    assert dates_differ("4 May", "5 May 1871") is True
    assert dates_differ("the 1870s", "1871") is False
    assert dates_differ("1871", "nobody knows") is None


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        (
            "When does the library open on Sundays?",
            Statement("The library opens at 10 on Sundays.", "10"),
            Statement("The library opens at 8 on weekdays.", "8"),
        ),
        (
            "How much do children pay?",
            Statement("Children pay 5 EUR.", "5 EUR"),
            Statement("Adults pay 12 EUR.", "12 EUR"),
        ),
        (
            "How many members did the club have in 2024?",
            Statement("In 2024 the club had 120 members.", "120"),
            Statement("In 2023 the club had 98 members.", "98"),
        ),
        (
            "Who is the treasurer?",
            Statement("The treasurer is Anna Berg.", "Anna Berg"),
            Statement("The chair is Tom Hill.", "Tom Hill"),
        ),
        (
            "How much RAM does it need?",
            Statement("It needs 512 MB of RAM.", "512 MB"),
            Statement("It needs 2 GB of disk space.", "2 GB"),
        ),
    ],
)
def test_no_conflict_where_the_question_says_which(question: str, first: Statement, second: Statement) -> None:
    assert conflict(question, first, second) is None
    assert conflict(question, second, first) is None


def test_two_days_on_which_the_same_rent_is_due_are_a_conflict() -> None:
    first, second = Statement("Rent is due on the 1st.", "the 1st"), Statement("Rent is due on the 5th.", "the 5th")
    assert conflict("When is rent due?", first, second) == "number"


class Side(msgspec.Struct, frozen=True):
    quote: str
    answer: str


class Pair(msgspec.Struct, frozen=True):
    question: str
    first: Side
    second: Side
    conflicting: bool


def test_between_documents_nine_of_ten_conflicts_told_are_there() -> None:
    lines = (DATA / "documents.jsonl").read_bytes().splitlines()
    result = [
        pair.conflicting
        for pair in (msgspec.json.decode(line, type=Pair) for line in lines)
        if conflict(
            pair.question,
            Statement(pair.first.quote, pair.first.answer),
            Statement(pair.second.quote, pair.second.answer),
        )
    ]
    assert len(result) >= 5
    assert sum(result) / len(result) >= 0.9
