"""Composing answers: support, merging, conflict, and what is shown below the threshold."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from index.collections.opening import open_searcher
from index.embedding import models
from index.search.searcher import Searcher
from index.storage.layout import Layout
from pincite import run
from service.answering.composing import compose
from service.answering.selection import select
from service.reader.reader import Candidate, Reading
from service.schema import Answer

FILES = {
    "mill.txt": "The mill of Aldhaven stands by the river. It was built in 1712. It was sold twice.\n\nIt burned.\n",
    "toll.txt": "Officials said that 35 people were killed in the strike.\n",
    "claim.txt": "The ministry said that the strike killed more than 60 people.\n",
    "copy.txt": "Officials said that 35 people were killed in the strike.\n",
    "shout.txt": "Officials said, that 35 people were killed in the Strike!\n",
    "least.txt": "At least 30 people were killed in the strike.\n",
    "rent.txt": "Rent is due on the 1st.\n\nRent is due on the 5th.\n",
    "count.txt": "On Monday the authorities counted 18 dead.\n\nIn the days that followed it rose to 20.\n",
}
TOLL = "How many people were killed in the strike?"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Searcher:
    folder = tmp_path_factory.mktemp("answers")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    index = tmp_path_factory.mktemp("index")
    encoder = Layout(index).encoder(models.DEFAULT_SHA256)
    encoder.parent.mkdir(parents=True)
    encoder.symlink_to(exported)
    assert run(["build", str(folder), "--index", str(index)]) == 0
    return open_searcher(index)


def said(searcher: Searcher, source: str, number: int, marked: str, confidence: float) -> Candidate:
    content = searcher.content(searcher.document(source).number)
    span = content.sentences[number]
    start = content.text.index(marked, span.start)
    return Candidate(content.document.number, number, number, span, confidence, type(span)(start, start + len(marked)))


class Composed(NamedTuple):
    status: str
    answers: list[Answer]


def composed(
    question: str, candidates: list[Candidate], searcher: Searcher, limit: int = 3, threshold: float = 0.0
) -> Composed:
    selection = select(question, Reading(candidates), searcher, threshold=threshold, certain=0.5, limit=limit)
    return Composed(selection.status, compose(selection, searcher))


def test_a_sentence_that_leans_on_the_one_before_brings_it(searcher: Searcher) -> None:
    built = said(searcher, "mill.txt", 1, "1712", 0.9)
    (answer,) = composed("When was the mill of Aldhaven built?", [built], searcher).answers
    assert answer.text == "The mill of Aldhaven stands by the river. It was built in 1712."
    assert answer.highlight is not None
    assert answer.highlight.text == "1712"
    assert answer.citations[0].sentences.first == 0


def test_no_neighbour_is_brought_that_adds_nothing_or_stands_in_another_paragraph(searcher: Searcher) -> None:
    built, burned = said(searcher, "mill.txt", 1, "1712", 0.9), said(searcher, "mill.txt", 3, "burned", 0.9)
    assert composed("When was it built?", [built], searcher).answers[0].text == "It was built in 1712."
    assert composed("What burned in Aldhaven, sold?", [burned], searcher).answers[0].text == "It burned."


def test_both_sides_of_a_conflict_come_whatever_the_limit(searcher: Searcher) -> None:
    candidates = [
        said(searcher, "toll.txt", 0, "35", 0.9),
        said(searcher, "least.txt", 0, "At least 30", 0.8),
        said(searcher, "claim.txt", 0, "more than 60", 0.7),
    ]
    for limit in (1, 2, 3):
        found = composed(TOLL, candidates, searcher, limit)
        assert found.status == "conflicting"
        assert [answer.citations[0].source for answer in found.answers[:2]] == ["toll.txt", "claim.txt"]
        assert len(found.answers) == max(limit, 2)


def test_an_unsure_answer_contradicts_nobody(searcher: Searcher) -> None:
    for sure, unsure in ((0.9, 0.4), (1.0, 0.55), (0.49, 0.48)):  # far less sure; both below what is certain
        candidates = [said(searcher, "toll.txt", 0, "35", sure), said(searcher, "claim.txt", 0, "more than 60", unsure)]
        found = composed(TOLL, candidates, searcher)
        assert found.status == "answered"
        assert len(found.answers) == 2


def test_the_other_side_of_a_conflict_comes_although_it_is_below_the_threshold(searcher: Searcher) -> None:
    candidates = [said(searcher, "toll.txt", 0, "35", 0.75), said(searcher, "claim.txt", 0, "more than 60", 0.68)]
    found = composed(TOLL, candidates, searcher, threshold=0.7)
    assert found.status == "conflicting"
    assert [answer.confidence for answer in found.answers] == [0.75, 0.68]


def test_a_document_contradicts_itself_only_in_like_words(searcher: Searcher) -> None:
    rents = [said(searcher, "rent.txt", number, mark, 0.9) for number, mark in enumerate(("the 1st", "the 5th"))]
    assert composed("When is the rent due?", rents, searcher).status == "conflicting"
    counts = [said(searcher, "count.txt", number, mark, 0.9) for number, mark in enumerate(("18", "20"))]
    assert composed("How many dead were there?", counts, searcher).status == "answered"


def test_equal_statements_are_one_answer_with_several_citations(searcher: Searcher) -> None:
    candidates = [said(searcher, "toll.txt", 0, "35", 0.9), said(searcher, "copy.txt", 0, "35", 0.8)]
    found = composed(TOLL, candidates, searcher)
    (answer,) = found.answers
    assert found.status == "answered"
    assert [each.source for each in answer.citations[0].also] == ["copy.txt"]


def test_the_same_words_with_other_marks_are_one_answer(searcher: Searcher) -> None:
    candidates = [said(searcher, "toll.txt", 0, "35", 0.9), said(searcher, "shout.txt", 0, "35", 0.8)]
    (answer,) = composed(TOLL, candidates, searcher).answers
    assert answer.text == answer.citations[0].quote.exact
    (other,) = answer.citations[0].also
    assert other.quote.exact == "Officials said, that 35 people were killed in the Strike!"


def test_nothing_sure_enough_is_an_abstention(searcher: Searcher) -> None:
    unsure = said(searcher, "toll.txt", 0, "35", 0.2)
    assert composed(TOLL, [unsure], searcher, threshold=0.5) == ("abstained", [])
