"""What the trained reader sees of every question of a test set, gathered once and kept, so that fitting is quick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rich.progress import track

from eval.datasets.dataset import Question
from eval.metrics.spans import token_f1
from eval.training.fitting import group_of
from index.search.searcher import Searcher
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

    @property
    def features(self) -> Floats:
        return table(self.evidence)

    @property
    def flags(self) -> NDArray[np.bool_]:
        return np.array(self.right, bool)

    def first(self, passages: int) -> Seen:
        """What is seen of it where fewer passages are read."""
        kept = [i for i, each in enumerate(self.evidence) if each.hit < passages]
        return msgspec.structs.replace(
            self,
            evidence=[self.evidence[i] for i in kept],
            right=[self.right[i] for i in kept],
            overlap=[self.overlap[i] for i in kept],
        )


def see_all(
    network: Network, searcher: Searcher, dataset: str, questions: Sequence[Question], depth: int
) -> list[Seen]:
    seen = []
    for question in track(questions, dataset):
        hits = searcher.search(question.text, depth)
        evidence, _ = gather(network, question.text, hits, searcher)
        right = [is_right(each, question, hits) for each in evidence]
        overlap = [
            highlight_f1(each, question, searcher) if ok else 0.0 for each, ok in zip(evidence, right, strict=True)
        ]
        seen.append(Seen(question.id, dataset, group_of(question), question.answerable, evidence, right, overlap))
    return seen


def is_right(each: Evidence, question: Question, hits: Sequence[Hit]) -> bool:
    source = hits[each.hit].passage.document.source
    return any(source == gold.doc and touch(each.span, gold.start, gold.end) for gold in question.answers)


def touch(span: Span, start: int, end: int) -> bool:
    return span.start < end and start < span.end


def highlight_f1(each: Evidence, question: Question, searcher: Searcher) -> float:
    words = searcher.content(each.document).text[slice(*each.highlight)]
    return max((token_f1(words, gold.text) for gold in question.answers), default=0.0)


def keep(seen: Sequence[Seen], path: Path) -> None:
    path.write_bytes(msgspec.json.encode(list(seen)))


def kept(path: Path) -> list[Seen]:
    return msgspec.json.decode(path.read_bytes(), type=list[Seen])
