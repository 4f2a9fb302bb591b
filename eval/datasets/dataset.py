"""A test set: questions, documents, and the spans that answer the questions.

On loading, every gold span is checked against its document. A span that does not match is dropped and reported.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from index.errors import DocumentError
from index.text.formats import extract

LONGEST_QUESTION = 2000  # characters, as in the HTTP contract


class Gold(Struct, frozen=True):
    """A span of a document that answers a question; `start` in code points of the document's text."""

    doc: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Question(Struct, frozen=True):
    """`answers` are alternatives. So are the items of `evidence`, each a tuple of spans that are all needed."""

    id: str
    text: str
    answers: tuple[Gold, ...] = ()
    answerable: bool = True
    type: str | None = None
    expected: str | None = None  # answered, conflicting or abstained
    evidence: tuple[tuple[Gold, ...], ...] = ()
    about: str | None = None  # the document that an unanswerable question is about

    @property
    def needed(self) -> tuple[tuple[Gold, ...], ...]:
        """The alternatives of spans to retrieve: the evidence, or else each answer alone."""
        return self.evidence or tuple((gold,) for gold in self.answers)

    @property
    def status(self) -> str:
        return self.expected or ("answered" if self.answerable else "abstained")


class Dataset(Struct, frozen=True, dict=True):
    """A checked test set. `dropped` lists what was left out, and why."""

    name: str
    path: Path
    corpus: Path | None  # the folder of the documents; None if they are part of the set, in `documents`
    questions: list[Question]
    dropped: list[str]
    documents: dict[str, str] = {}  # text by source
    relevant: dict[str, dict[str, int]] = {}  # grade by source by question id, for sets that judge documents

    @cached_property
    def sha256(self) -> str:
        """A hash of questions and judgements, in hexadecimal."""
        return sha256(msgspec.json.encode([self.questions, self.relevant], order="sorted")).hexdigest()

    @property
    def judges_documents(self) -> bool:
        return bool(self.relevant)


class Corpus:
    """The texts of a set's documents, read on demand."""

    def __init__(self, folder: Path | None, documents: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._texts: dict[str, str | None] = dict(documents or {})

    def text(self, source: str) -> str | None:
        """The text of a document; None if it does not exist or cannot be read."""
        if source not in self._texts:
            self._texts[source] = self._read(source)
        return self._texts[source]

    def _read(self, source: str) -> str | None:
        if self._folder is None:
            return None
        try:
            return extract((self._folder / source).read_bytes(), source).text
        except (OSError, DocumentError):
            return None


def write_corpus(dataset: Dataset, folder: Path) -> Path:
    """The folder to index: the set's own corpus, or `folder`, to which its documents are written."""
    if dataset.corpus is not None:
        return dataset.corpus
    folder.mkdir(parents=True, exist_ok=True)
    for source, text in dataset.documents.items():
        (folder / source).write_bytes(text.encode())
    return folder


def checked(questions: list[Question], corpus: Corpus) -> tuple[list[Question], list[str]]:
    """The questions with their matching spans, and what was dropped."""
    usable: list[Question] = []
    dropped: list[str] = []
    seen: set[str] = set()
    for question in questions:
        if reason := _unusable(question, seen):
            dropped.append(f"{question.id}: {reason}")
            continue
        seen.add(question.id)
        answers = tuple(gold for gold in question.answers if _matches_corpus(gold, question, corpus, dropped))
        evidence = tuple(
            alternative
            for alternative in question.evidence
            if all(_matches_corpus(gold, question, corpus, dropped) for gold in alternative)
        )
        if question.answerable and not answers:
            dropped.append(f"{question.id}: no answer of the question is left")
            continue
        usable.append(msgspec.structs.replace(question, answers=answers, evidence=evidence))
    return usable, dropped


def _unusable(question: Question, seen: set[str]) -> str | None:
    if question.id in seen:
        return "the id is not unique"
    if not question.text.strip() or len(question.text) > LONGEST_QUESTION:
        return f"the question is blank or longer than {LONGEST_QUESTION} characters"
    if question.expected not in (None, "answered", "conflicting", "abstained"):
        return f"expected is {question.expected!r}, not answered, conflicting or abstained"
    if not question.answerable and (question.answers or question.expected not in (None, "abstained")):
        return "the question is unanswerable but has an answer"
    return None


def _matches_corpus(gold: Gold, question: Question, corpus: Corpus, dropped: list[str]) -> bool:
    text = corpus.text(gold.doc)
    if text is None:
        dropped.append(f"{question.id}: document {gold.doc!r} does not exist")
    elif not gold.text or gold.start < 0 or text[gold.start : gold.end] != gold.text:
        dropped.append(f"{question.id}: {gold.text[:60]!r} is not at {gold.start} in {gold.doc}")
    else:
        return True
    return False
