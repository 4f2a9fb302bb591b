"""Questions with texts of which a right answer holds one: a folder with `corpus/` and `questions.jsonl`.

    {"corpus": "bylaws", "kind": "number", "question": "How long may it last?", "accept": ["14 days"]}

An answer stands wherever one of the texts does, case and white space aside; where `accept` is null, nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from eval.datasets.dataset import Corpus, Dataset, Gold, Question, checked
from eval.datasets.native import json_lines
from eval.errors import DatasetNotFound


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    question: str
    accept: list[str] | None
    kind: str | None = None
    corpus: str = ""


def recognises(path: Path) -> bool:
    file = path / "questions.jsonl"
    if not file.is_file():
        return False
    with file.open("rb") as lines:
        first = next((line for line in lines if line.strip()), b"")
    try:
        msgspec.json.decode(first, type=Line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def read(path: Path) -> Dataset:
    """Raises DatasetDamaged, or DatasetNotFound where there is no corpus. A text that stands nowhere is dropped."""
    corpus = (path / "corpus").resolve()
    if not corpus.is_dir():
        raise DatasetNotFound(path=corpus)
    texts = Corpus(corpus)
    sources = sorted(file.relative_to(corpus).as_posix() for file in corpus.rglob("*") if file.is_file())
    documents = {source: text for source in sources if (text := texts.text(source)) is not None}
    name = path.resolve().name
    loaded = []
    for number, line in enumerate(json_lines(path / "questions.jsonl", Line), start=1):
        golds = tuple(gold for text in line.accept or () for gold in places(text, documents))
        answerable = line.accept is not None
        loaded.append(Question(f"{name}-{number}", line.question, golds, answerable, type=line.kind))
    questions, dropped = checked(loaded, texts)
    return Dataset(name, path, corpus, questions, dropped)


def places(text: str, documents: dict[str, str]) -> Iterator[Gold]:
    words = text.split()
    if not words:
        return
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    for source, content in documents.items():
        for match in pattern.finditer(content):
            yield Gold(source, match[0], match.start())
