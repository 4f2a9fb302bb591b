"""The trained reader's output for every question of a test set, computed once and saved, so that fitting is fast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rich.progress import track

from eval.datasets.dataset import Gold, Question
from eval.metrics.spans import token_f1
from eval.training.fitting import group_of
from index.collections.protocols import Searcher
from index.search.terms import words
from index.types import Hit, Span
from service.reader.calibration import Floats
from service.reader.network import Network
from service.reader.neural import gather
from service.reader.span_features import Evidence, table


class QuestionReading(Struct, frozen=True):
    """A question, and all sentences of its retrieved passages, in the order of retrieval."""

    id: str
    dataset: str
    group: str
    answerable: bool
    evidence: list[Evidence]
    right: list[bool]  # for each sentence, whether it contains a gold answer
    overlap: list[float]  # token F1 of each highlight with its best gold answer
    texts: list[str] = []  # the text of each sentence
    rarity: dict[str, float] = {}  # rarity of each word of the question in the collection
    needed: list[list[list[int]]] = []  # [alternatives][pieces of evidence][sentences]

    @property
    def features(self) -> Floats:
        return table(self.evidence)

    @property
    def flags(self) -> NDArray[np.bool_]:
        return np.array(self.right, bool)

    def first(self, passages: int) -> QuestionReading:
        """The same reading, as if only the first `passages` passages had been read."""
        numbers = [i for i, each in enumerate(self.evidence) if each.hit < passages]
        if len(numbers) == len(self.evidence):
            return self
        position = {before: after for after, before in enumerate(numbers)}
        return msgspec.structs.replace(
            self,
            evidence=[self.evidence[i] for i in numbers],
            right=[self.right[i] for i in numbers],
            overlap=[self.overlap[i] for i in numbers],
            texts=[self.texts[i] for i in numbers] if self.texts else [],
            needed=[[[position[i] for i in piece if i in position] for piece in pieces] for pieces in self.needed],
        )


def read_questions(
    network: Network,
    searcher: Searcher,
    dataset: str,
    questions: Sequence[Question],
    depth: int,
    *,
    together: bool = False,
) -> list[QuestionReading]:
    """`together`: the gold answers of a question form one answer, instead of being alternatives."""
    return [
        read_question(network, searcher, dataset, each, depth, together=together) for each in track(questions, dataset)
    ]


def read_question(
    network: Network, searcher: Searcher, dataset: str, question: Question, depth: int, *, together: bool = False
) -> QuestionReading:
    hits = searcher.search(question.text, depth)
    evidence, _ = gather(network, question.text, hits, searcher)
    right = [any(holds(each, gold, hits) for gold in question.answers) for each in evidence]
    overlap = [highlight_f1(each, question, searcher) if ok else 0.0 for each, ok in zip(evidence, right, strict=True)]
    alternatives = [question.answers] if together and question.answers else list(question.needed)
    needed = [
        [[place for place, each in enumerate(evidence) if holds(each, gold, hits)] for gold in pieces]
        for pieces in alternatives
    ]
    texts = [searcher.content(each.document).text[slice(*each.span)] for each in evidence]
    rarity = {word: searcher.rarity(word) for word in dict.fromkeys(words(question.text))}
    group = f"{dataset}/{group_of(question)}"
    return QuestionReading(
        question.id, dataset, group, question.answerable, evidence, right, overlap, texts, rarity, needed
    )


def holds(each: Evidence, gold: Gold, hits: Sequence[Hit]) -> bool:
    return hits[each.hit].passage.document.source == gold.doc and touch(each.span, gold.start, gold.end)


def touch(span: Span, start: int, end: int) -> bool:
    return span.start < end and start < span.end


def highlight_f1(each: Evidence, question: Question, searcher: Searcher) -> float:
    marked = searcher.content(each.document).text[slice(*each.highlight)]
    return max((token_f1(marked, gold.text) for gold in question.answers), default=0.0)


def save_readings(readings: Sequence[QuestionReading], path: Path) -> None:
    path.write_bytes(msgspec.json.encode(list(readings)))


def load_readings(path: Path) -> list[QuestionReading]:
    return msgspec.json.decode(path.read_bytes(), type=list[QuestionReading])
