"""The test sets of everyday questions and of contradictions match their documentation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from eval.datasets.dataset import Gold
from eval.datasets.loading import load

DATA = Path(__file__).parent.parent / "eval" / "data"
REAL = DATA / "real"
CORPUS = REAL / "corpus"


class Labelled(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    kind: str
    question: str
    answers: tuple[Gold, ...]
    answerable: bool
    expected: str
    accept: tuple[str, ...] | None
    evidence: tuple[tuple[Gold, ...], ...] = ()
    complete: tuple[str, ...] = ()
    about_doc: str | None = None

    @property
    def cited(self) -> list[Gold]:
        return [gold for alternative in self.evidence for gold in alternative]


class Side(Struct, frozen=True, forbid_unknown_fields=True):
    doc: str
    text: str
    quote: str
    answer: str
    start: int


class Pair(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    kind: str
    relation: str
    question: str
    first: Side
    second: Side
    conflicting: bool


def plain(text: str) -> str:
    """Ignore case and runs of white space."""
    return " ".join(text.split()).casefold()


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    files = (path for path in CORPUS.rglob("*") if path.is_file())
    return {path.relative_to(CORPUS).as_posix(): path.read_bytes().decode() for path in files}


@pytest.fixture(scope="module")
def questions() -> list[Labelled]:
    lines = (REAL / "questions.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Labelled) for line in lines]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    lines = (DATA / "conflicts" / "documents.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Pair) for line in lines]


def counts(page: str) -> dict[str, int]:
    """The rows of a table with a name in backticks and a number."""
    return {name: int(number) for name, number in re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)}


def test_the_set_loads_with_nothing_dropped_and_its_kinds_as_types(questions: list[Labelled]) -> None:
    found = load(REAL)
    assert found.dropped == []
    assert [(each.id, each.type) for each in found.questions] == [(each.id, each.kind) for each in questions]


def test_every_span_slices_to_its_text(questions: list[Labelled], documents: dict[str, str]) -> None:
    for question in questions:
        for gold in (*question.answers, *question.cited):
            assert documents[gold.doc][gold.start : gold.end] == gold.text, question.id


def test_every_answer_lies_in_evidence_of_its_question(questions: list[Labelled]) -> None:
    for question in questions:
        for gold in question.answers:
            enclosing = [e for e in question.cited if e.doc == gold.doc and e.start <= gold.start and gold.end <= e.end]
            assert enclosing, question.id


def elsewhere(text: str, question: Labelled, documents: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Occurrences of the text outside the evidence of the question."""
    pattern = re.compile(r"\s+".join(map(re.escape, text.split())), re.IGNORECASE)
    for name, document in documents.items():
        for match in pattern.finditer(document):
            if not any(e.doc == name and e.start <= match.start() and match.end() <= e.end for e in question.cited):
                yield name, match.start()


def test_accepted_texts_stand_in_the_evidence_and_nowhere_else(
    questions: list[Labelled], documents: dict[str, str]
) -> None:
    for question in questions:
        for text in question.accept or ():
            assert any(plain(text) in plain(gold.text) for gold in question.cited), (question.id, text)
            assert list(elsewhere(text, question, documents)) == [], (question.id, text)


def test_complete_answers_can_be_put_together_from_one_alternative(questions: list[Labelled]) -> None:
    for question in questions:
        if question.complete:
            whole = [plain(" ".join(gold.text for gold in alternative)) for alternative in question.evidence]
            assert any(all(plain(text) in each for text in question.complete) for each in whole), question.id


def test_questions_that_cannot_be_answered_accept_nothing(questions: list[Labelled], documents: dict[str, str]) -> None:
    for question in questions:
        if question.kind == "unanswerable":
            assert (question.answerable, question.expected, question.accept) == (False, "abstained", None)
            assert not question.answers
            assert not question.evidence
            assert not question.complete
            assert question.about_doc in documents
        else:
            assert (question.answerable, question.expected) == (True, "answered")
            assert question.answers
            assert question.accept


def test_ids_and_questions_are_unique_and_no_question_is_copied(
    questions: list[Labelled], documents: dict[str, str]
) -> None:
    assert len({each.id for each in questions}) == len(questions)
    assert len({plain(each.question) for each in questions}) == len(questions)
    asked = [each for each in questions if each.kind != "keywords" and len(each.question.split()) > 3]
    everything = plain("\n".join(documents.values()))
    assert [each.id for each in asked if plain(each.question) in everything] == []


def test_the_set_is_as_large_and_as_varied_as_its_page_says(
    questions: list[Labelled], documents: dict[str, str]
) -> None:
    page = (REAL / "README.md").read_text("utf-8")
    kinds = Counter(each.kind for each in questions)
    assert counts(page) == kinds
    assert f"{len(questions)} questions on the {len(documents)} documents" in page
    assert f"of which {kinds['unanswerable']} have no answer" in page
    assert len(questions) >= 300
    assert kinds["unanswerable"] >= 60
    assert min(kinds.values()) >= 10


def test_contradictions_and_look_alikes_are_balanced(pairs: list[Pair]) -> None:
    page = (DATA / "conflicts" / "README.md").read_text("utf-8")
    assert counts(page) == Counter(each.relation for each in pairs)
    assert len({each.id for each in pairs}) == len(pairs) == 60
    assert [each.conflicting for each in pairs].count(True) == 30
    assert all(each.conflicting == (each.relation == "contradiction") for each in pairs)
    assert "number" not in {each.kind for each in pairs}


def test_both_sides_of_a_pair_hold_their_answer(pairs: list[Pair]) -> None:
    for pair in pairs:
        assert pair.first.doc != pair.second.doc
        for side in (pair.first, pair.second):
            assert side.text[side.start : side.start + len(side.answer)] == side.answer, pair.id
            assert side.answer in side.quote, pair.id
            assert side.quote in side.text, pair.id
