"""What the trained reader sees of every question of a test set, gathered once and kept, so that fitting is quick."""

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


class Seen(Struct, frozen=True):
    """A question, and every sentence of the passages found for it, in the order in which they were found."""

    id: str
    dataset: str
    group: str
    answerable: bool
    evidence: list[Evidence]
    right: list[bool]  # of each sentence
    overlap: list[float]  # token F1 of each highlight with the best gold answer
    texts: list[str] = []  # of each sentence
    rarity: dict[str, float] = {}  # of the words of the question, in its collection
    needed: list[list[list[int]]] = []  # alternatives, the pieces of each, the sentences that hold a part of the piece

    @property
    def features(self) -> Floats:
        return table(self.evidence)

    @property
    def flags(self) -> NDArray[np.bool_]:
        return np.array(self.right, bool)

    def first(self, passages: int) -> Seen:
        """What is seen of it where fewer passages are read."""
        kept = [i for i, each in enumerate(self.evidence) if each.hit < passages]
        if len(kept) == len(self.evidence):
            return self
        now = {before: after for after, before in enumerate(kept)}
        return msgspec.structs.replace(
            self,
            evidence=[self.evidence[i] for i in kept],
            right=[self.right[i] for i in kept],
            overlap=[self.overlap[i] for i in kept],
            texts=[self.texts[i] for i in kept] if self.texts else [],
            needed=[[[now[i] for i in piece if i in now] for piece in pieces] for pieces in self.needed],
        )


def see_all(
    network: Network,
    searcher: Searcher,
    dataset: str,
    questions: Sequence[Question],
    depth: int,
    *,
    together: bool = False,
) -> list[Seen]:
    """`together`: the answers of a question are no alternatives, but the sentences of one answer."""
    return [see(network, searcher, dataset, each, depth, together=together) for each in track(questions, dataset)]


def see(
    network: Network, searcher: Searcher, dataset: str, question: Question, depth: int, *, together: bool = False
) -> Seen:
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
    return Seen(question.id, dataset, group, question.answerable, evidence, right, overlap, texts, rarity, needed)


def holds(each: Evidence, gold: Gold, hits: Sequence[Hit]) -> bool:
    return hits[each.hit].passage.document.source == gold.doc and touch(each.span, gold.start, gold.end)


def touch(span: Span, start: int, end: int) -> bool:
    return span.start < end and start < span.end


def highlight_f1(each: Evidence, question: Question, searcher: Searcher) -> float:
    marked = searcher.content(each.document).text[slice(*each.highlight)]
    return max((token_f1(marked, gold.text) for gold in question.answers), default=0.0)


def keep(seen: Sequence[Seen], path: Path) -> None:
    path.write_bytes(msgspec.json.encode(list(seen)))


def kept(path: Path) -> list[Seen]:
    return msgspec.json.decode(path.read_bytes(), type=list[Seen])
