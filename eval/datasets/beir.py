"""Reads BEIR folders: `corpus.jsonl`, `queries.jsonl`, and document judgements in `qrels.tsv` or `qrels/test.tsv`."""

from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct, field

from eval.datasets.dataset import Dataset, Question
from eval.datasets.native import json_lines
from eval.errors import DatasetDamaged


class Entry(Struct, frozen=True):
    id: str = field(name="_id")
    text: str
    title: str = ""

    @property
    def source(self) -> str:
        return source_of(self.id)

    def as_markdown(self) -> str:
        """A document with its title as a heading, so that it becomes the document's title."""
        title = " ".join(self.title.split())
        return f"# {title}\n\n{self.text}" if title else self.text


def recognises(path: Path) -> bool:
    return (path / "corpus.jsonl").is_file() and (path / "queries.jsonl").is_file() and _qrels(path) is not None


def read(path: Path) -> Dataset:
    """Raises DatasetDamaged."""
    documents = {entry.source: entry.as_markdown() for entry in json_lines(path / "corpus.jsonl", Entry)}
    relevant, dropped = _relevant(path, documents)
    queries = {entry.id: entry.text for entry in json_lines(path / "queries.jsonl", Entry)}
    questions = [Question(query, text) for query, text in queries.items() if query in relevant and text.strip()]
    dropped += [f"{query}: no document is judged relevant" for query in queries if query not in relevant]
    return Dataset(path.resolve().name, path, None, questions, dropped, documents, relevant)


def source_of(document: str) -> str:
    """`a/1` -> `a%2F1.md`."""
    return quote(document, safe=" ") + ".md"


def _qrels(path: Path) -> Path | None:
    places = (path / "qrels.tsv", path / "qrels" / "test.tsv")
    return next((place for place in places if place.is_file()), None)


def _relevant(path: Path, documents: dict[str, str]) -> tuple[dict[str, dict[str, int]], list[str]]:
    """The positive grades by query and source, and what was dropped."""
    qrels = _qrels(path)
    if qrels is None:
        raise DatasetDamaged(path=path, place="qrels", reason="there are no judgements")
    relevant: dict[str, dict[str, int]] = {}
    dropped: list[str] = []
    with qrels.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t"), start=1):
            if number == 1 and row[-1:] == ["score"]:
                continue
            try:
                query, document, grade = row[0], source_of(row[-2]), int(row[-1])
            except (IndexError, ValueError) as error:
                raise DatasetDamaged(path=qrels, place=f"line {number}", reason=f"not a judgement: {row}") from error
            if document not in documents:
                dropped.append(f"{query}: document {row[-2]!r} does not exist")
            elif grade > 0:
                relevant.setdefault(query, {})[document] = grade
    return relevant, dropped
