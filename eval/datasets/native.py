"""Our own layout: `questions.jsonl`, and the documents in `corpus/` or where `dataset.json` says.

    {"id": "1", "question": "Who?", "answers": [{"doc": "a.txt", "text": "Ann", "start": 4}], "answerable": true}

Optional: `evidence` (alternatives, each a list of spans that are all needed), `type` (or `kind`, or `attribute`),
`expected`, and `about_doc`. In `dataset.json`: `name`, and `corpus`, a path relative to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from eval.datasets.dataset import Corpus, Dataset, Gold, Question, checked
from eval.errors import DatasetDamaged, DatasetNotFound, UnknownFormat

FORMAT = "pincite"
T = TypeVar("T")


class Manifest(Struct, frozen=True):
    name: str | None = None
    corpus: str | None = None
    format: str = FORMAT


class Line(Struct, frozen=True):
    id: str
    question: str
    answers: tuple[Gold, ...]
    answerable: bool
    type: str | None = None
    kind: str | None = None
    attribute: str | None = None
    expected: str | None = None
    evidence: tuple[tuple[Gold, ...], ...] = ()
    about_doc: str | None = None

    def as_question(self) -> Question:
        return Question(
            id=self.id,
            text=self.question,
            answers=self.answers,
            answerable=self.answerable,
            type=self.type or self.kind or self.attribute,
            expected=self.expected,
            evidence=self.evidence,
            about=self.about_doc,
        )


def recognises(path: Path) -> bool:
    return (path / "questions.jsonl").is_file()


def read(path: Path) -> Dataset:
    """Raises DatasetDamaged, DatasetNotFound if there is no corpus, UnknownFormat for another `format`."""
    manifest = _manifest(path / "dataset.json")
    if manifest.format != FORMAT:
        raise UnknownFormat(path=path)
    corpus = (path / (manifest.corpus or "corpus")).resolve()
    if not corpus.is_dir():
        raise DatasetNotFound(path=corpus)
    lines = list(json_lines(path / "questions.jsonl", Line))
    questions, dropped = checked([line.as_question() for line in lines], Corpus(corpus))
    return Dataset(manifest.name or path.resolve().name, path, corpus, questions, dropped)


def _manifest(path: Path) -> Manifest:
    if not path.is_file():
        return Manifest()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise DatasetDamaged(path=path, place="as a whole", reason=error) from error


def json_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """The lines of a JSONL file, without blank ones. Raises DatasetDamaged with the line number."""
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                yield decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise DatasetDamaged(path=path, place=f"line {number}", reason=error) from error
