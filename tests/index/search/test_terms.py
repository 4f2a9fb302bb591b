import math
from pathlib import Path
from random import Random

import numpy as np
import pytest

from index.search.terms import TermIndex, words

TEXTS = ["the cat sat on the mat", "a dog and a cat", "dogs bark", "北京市 is a city"]


@pytest.fixture
def terms(tmp_path: Path) -> TermIndex:
    return TermIndex.create(tmp_path / "terms").updated([], [(i, i % 2, text) for i, text in enumerate(TEXTS)])


def test_scores_are_bm25_worked_by_hand(terms: TermIndex) -> None:
    # BM25 with k1 1.2, b 0.75: two of four passages hold "dog"; lengths 6, 5, 2, 6.
    idf = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    mean = (6 + 5 + 2 + 6) / 4

    def score(length: int) -> float:
        return idf * 2.2 / (1 + 1.2 * (1 - 0.75 + 0.75 * length / mean))

    assert words(TEXTS[3]) == ["北", "京", "市", "is", "a", "citi"]
    found = terms.search("dog", 10)
    assert [number for number, _ in found] == [2, 1]
    assert [value for _, value in found] == pytest.approx([score(2), score(5)], rel=1e-4)


def test_a_word_finds_its_other_forms(terms: TermIndex) -> None:
    assert [number for number, _ in terms.search("Barking", 10)] == [2]


def test_a_script_without_spaces_is_searched_by_character(terms: TermIndex) -> None:
    assert [number for number, _ in terms.search("北京", 10)] == [3]


def test_a_filter_applies_inside_the_search(terms: TermIndex) -> None:
    assert [number for number, _ in terms.search("dog", 1, documents=[1])] == [1]
    assert terms.search("dog", 1, documents=[]) == []


def test_a_filter_that_lets_many_through_finds_what_one_that_looks_each_up_finds(tmp_path: Path) -> None:
    random = Random(1)  # noqa: S311
    texts = [
        " ".join(random.choices(["cat", "dog", "owl", "hen", "sleep"], k=random.randint(1, 9))) for _ in range(900)
    ]
    terms = TermIndex.create(tmp_path / "many").updated([], [(n, n // 3, text) for n, text in enumerate(texts)])
    for share in (0.02, 0.1, 0.5, 1.0):
        documents = sorted(random.sample(range(300), int(300 * share)))
        passages = np.array([number for number in range(900) if number // 3 in documents])
        for depth in (1, 10):
            wide = terms.search("cat hen", depth, documents, passages)
            narrow = terms.search("cat hen", depth, documents)
            assert [score for _, score in wide] == pytest.approx([score for _, score in narrow])
            assert {number for number, _ in wide} <= set(passages.tolist())
    rare = TermIndex.create(tmp_path / "rare").updated([], [(n, n, "cat " * (1 + n % 7)) for n in range(3000)])
    few = np.arange(0, 3000, 7)  # the worst hits, so that the global best contain none of them
    found = rare.search("cat", 5, few.tolist(), few)
    assert [score for _, score in found] == pytest.approx([score for _, score in rare.search("cat", 5, few.tolist())])


@pytest.mark.parametrize("question", ["", "   ", "?!", "\u200b", 'a AND (b "c', "x" * 5000])
def test_any_question_is_only_words(terms: TermIndex, question: str) -> None:
    assert isinstance(terms.search(question, 10), list)


def test_an_update_that_is_done_twice_is_done_once(tmp_path: Path) -> None:
    terms = TermIndex.create(tmp_path / "terms")
    for _ in range(2):
        terms = terms.updated([0], [(1, 0, "one dog"), (2, 0, "two dogs")])
    assert [number for number, _ in terms.search("dog", 10)] == [1, 2]


def test_a_snapshot_does_not_see_later_updates(terms: TermIndex) -> None:
    later = terms.updated([2], [(9, 0, "another dog")])
    assert {number for number, _ in terms.search("dog", 10)} == {1, 2}
    assert {number for number, _ in later.search("dog", 10)} == {1, 9}


def test_a_missing_or_damaged_index_is_not_opened(tmp_path: Path, terms: TermIndex) -> None:
    assert TermIndex.open(tmp_path / "nowhere") is None
    (tmp_path / "terms" / "meta.json").write_text("{")
    assert TermIndex.open(tmp_path / "terms") is None
