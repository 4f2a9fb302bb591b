"""Misspelt words of a question are corrected to words of the documents, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.collections.opening import open_searcher
from index.search.searcher import Searcher
from index.search.spelling import edits, nearest
from service.answering.answering import Answering
from service.schema import AskRequest
from tests.conftest import built

TEXT = (
    "# Lantern\n\nLantern runs on the following platforms: Linux and macOS. To install it, run the installer.\n\n"
    "The refrigerator belongs to Maria Bains, who leads. Telenet is fast. "
    "Active members pay a yearly fee. The house has two powers of attorney.\n"
)


@pytest.fixture(scope="module")
def index(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spelling")
    (folder / "files").mkdir()
    (folder / "files" / "lantern.md").write_text(TEXT)
    return built(folder / "files", exported, folder / "index")


@pytest.fixture(scope="module")
def searcher(index: Path) -> Iterator[Searcher]:
    opened = open_searcher(index)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("wich platfroms does it run on?", "which platforms does it run on?"),
        ("Wich platfroms?", "which platforms?"),
        ("where is the refridgerator", "where is the refrigerator"),
        ("how do I uninstall lantren", "how do I uninstall lantern"),  # not: install
    ],
)
def test_a_misspelt_word_becomes_the_nearest_word_of_the_documents(
    searcher: Searcher, question: str, expected: str
) -> None:
    assert searcher.corrected(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Which platforms does it run on?",
        "Where does Marla live?",  # a name
        "How old is the horse?",  # a word of its own, although the documents have a house
        "How many rowers pay?",  # not: powers
        "Who bans it, who lends it?",
        "tElnet",
        "What is the capital of Peru?",
        "什么平台？",
        "platfrm2 = x",
        "",
    ],
)
def test_what_is_no_mistake_stays(searcher: Searcher, question: str) -> None:
    assert searcher.corrected(question) == question


def test_a_misspelt_question_gets_the_answer_of_the_correct_one(index: Path) -> None:
    answering = Answering.open(index)
    try:
        first, second = (
            answering.ask(AskRequest(question=question, min_confidence=0), "test").answers[0].text
            for question in ("on wich platfroms does lantren run", "on which platforms does lantern run")
        )
    finally:
        answering.close()
    assert first == second
    assert "Linux and macOS" in first


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("a", "", 1), ("platfroms", "platforms", 1), ("kitten", "sitting", 3), ("ca", "abc", 3)],
)
def test_edits_are_counted_as_by_hand(a: str, b: str, distance: int) -> None:
    assert edits(a, b) == edits(b, a) == distance


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edits_are_between_the_difference_in_length_and_the_longer_word(a: str, b: str) -> None:
    assert abs(len(a) - len(b)) <= edits(a, b) <= max(len(a), len(b))
    assert (edits(a, b) == 0) == (a == b)


def test_the_most_frequent_of_equally_near_words_is_taken() -> None:
    assert nearest("platess", ["plates plates plateis", "plats"]) == "plates"
    assert nearest("plate", ["plats"]) is None  # another letter in a short word
    assert nearest("plats", []) is None
