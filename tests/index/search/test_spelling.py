"""Misspelt words of a question are corrected to words of the documents, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.collections.opening import open_searcher
from index.search.searcher import Searcher
from index.search.spelling import is_mistake, nearest
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


def edits(a: str, b: str) -> int:
    """The optimal string alignment distance, by its definition: slow, and right."""
    if not a or not b:
        return len(a) + len(b)
    costs = [edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0])]
    if len(a) > 1 and a[:2] == b[1::-1]:
        costs.append(edits(a[2:], b[2:]) + 1)
    return min(costs)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("a", "", 1), ("latfro", "latfor", 1), ("kitten", "sittin", 2), ("ca", "abc", 3)],
)
def test_edits_are_counted_as_by_hand(a: str, b: str, distance: int) -> None:
    assert edits(a, b) == edits(b, a) == distance


@given(st.text("ab", min_size=6, max_size=7), st.text("ab", min_size=5, max_size=7))
def test_a_mistake_is_one_edit(word: str, other: str) -> None:
    assert is_mistake(word, other) == (edits(word, other) == 1)


@pytest.mark.parametrize(
    ("word", "other", "expected"),
    [("ofice", "office", True), ("caan", "can", True), ("hwo", "how", True), ("modal", "model", False)],
)
def test_one_letter_for_another_is_no_mistake_in_a_short_word(word: str, other: str, expected: bool) -> None:
    assert is_mistake(word, other) is expected


def test_the_most_frequent_of_equally_near_words_is_taken() -> None:
    assert nearest("platess", ["plates plates plateis", "plats"]) == "plates"
    assert nearest("plate", ["plats"]) is None  # another letter in a short word
    assert nearest("plats", []) is None
