"""SQuAD 1.1 and 2.0: one JSON file with its articles. Each becomes a document, its paragraphs split by blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Struct

from eval.datasets.dataset import Corpus, Dataset, Gold, Question, checked
from eval.errors import DatasetDamaged

BETWEEN = "\n\n"  # between paragraphs


class Answer(Struct, frozen=True):
    text: str
    answer_start: int


class Entry(Struct, frozen=True):
    id: str
    question: str
    answers: list[Answer] = []
    is_impossible: bool = False


class Paragraph(Struct, frozen=True):
    context: str
    qas: list[Entry] = []


class Article(Struct, frozen=True):
    paragraphs: list[Paragraph]
    title: str = "untitled"


class File(Struct, frozen=True):
    data: list[Article]
    version: str | None = None


def recognises(path: Path) -> bool:
    return path.is_file() and path.suffix == ".json"


def read(path: Path) -> Dataset:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DatasetDamaged(path=path, place="as a SQuAD file", reason=error) from error
    documents: dict[str, str] = {}
    questions: list[Question] = []
    for article in file.data:
        source = _free_name(article.title, documents)
        documents[source] = BETWEEN.join(paragraph.context for paragraph in article.paragraphs)
        questions.extend(_questions(article, source))
    usable, dropped = checked(questions, Corpus(None, documents))
    return Dataset(path.stem, path, None, usable, dropped, documents)


def _questions(article: Article, source: str) -> Iterator[Question]:
    begin = 0
    for paragraph in article.paragraphs:
        for entry in paragraph.qas:
            golds = [Gold(source, answer.text, begin + answer.answer_start) for answer in entry.answers]
            answers = () if entry.is_impossible else tuple(dict.fromkeys(golds))  # annotators often agree
            about = source if entry.is_impossible else None
            yield Question(entry.id, entry.question, answers, answerable=not entry.is_impossible, about=about)
        begin += len(paragraph.context) + len(BETWEEN)


def _free_name(title: str, used_names: dict[str, str]) -> str:
    """A free file name: `AC/DC` -> `AC%2FDC.txt`, or `AC%2FDC-2.txt` if that is taken."""
    stem = quote(title, safe=" ,'()-_.")
    name, count = f"{stem}.txt", 1
    while name in used_names:
        count += 1
        name = f"{stem}-{count}.txt"
    return name
