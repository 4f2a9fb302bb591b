"""The baseline reader: two fitted logistic curves, no trained network.

A sentence is scored by its similarity to the question in meaning (the encoder's cosine) and in words (shared words,
weighted by rarity), alone and with its neighbours, and by its passage. A second curve turns the scores of the best
sentences into the calibrated probability that the first is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files

import msgspec
import numpy as np

from index.collections.protocols import Searcher
from index.search.terms import words
from index.types import Hit, Span
from service.reader.calibration import Fit, Floats
from service.reader.reader import Candidate, Line, Operation, Reading, lines_of
from service.scheduling.deadline import Deadline
from service.telemetry.metrics import PASSAGES

# `make bench-thresholds` shows what NEIGHBOUR_GAIN does.
NEIGHBOUR_GAIN = 0.3  # share of the question's words that a neighbour must add to be cited too
READ_AHEAD = 10  # passages that are read


class FittedReader:
    """Scores sentences with a fit; by default, the packaged one."""

    name = "fitted"

    def __init__(self, fit: Fit | None = None) -> None:
        packaged = files("service.reader").joinpath("weights", "fitted.json").read_bytes()
        self._fit = fit or msgspec.json.decode(packaged, type=Fit)
        self.sha256 = hashlib.sha256(msgspec.json.encode(self._fit)).hexdigest()
        self.threshold = self._fit.threshold
        self.operation: Operation | None = None

    def read(
        self,
        question: str,
        hits: Sequence[Hit],
        searcher: Searcher,
        deadline: Deadline | None = None,  # noqa: ARG002  # it reads all or nothing
    ) -> Reading:
        hits = hits[:READ_AHEAD]
        PASSAGES.observe(len(hits))
        lines = lines_of(hits, searcher)
        if not lines:
            return Reading([])
        support = Support(question, lines, hits, searcher)
        logits = self._fit.sentence.logits(support.features())
        order = sorted(range(len(lines)), key=lambda i: (-logits[i], lines[i].hit, lines[i].span))
        confidences = self._fit.confidence.probability(confidence_features(logits[order]))
        # Confidence never increases down the ranking, even if the second curve says so.
        confidences = np.minimum.accumulate(confidences)
        return Reading([support.candidate(i, float(c)) for i, c in zip(order, confidences, strict=True)])


class Support:
    """The words that the question shares with each line."""

    def __init__(self, question: str, lines: Sequence[Line], hits: Sequence[Hit], searcher: Searcher) -> None:
        self._lines = lines
        self._hits = hits
        self._index_of = {(line.document, line.number): i for i, line in enumerate(lines)}
        vectors = searcher.encode([line.text for line in lines])
        self._cosines = (vectors @ searcher.encode_question(question)).astype(np.float64)
        question_words = dict.fromkeys(words(question))
        rarities = np.array([searcher.rarity(word) for word in question_words])
        self._weights = rarities / max(rarities.sum(), 1e-9)
        self._shared = np.array(
            [[word in held for word in question_words] for held in map(set, map(words, texts(lines)))]
        )
        self._lengths = np.array([len(line.text) for line in lines], np.float64)

    def features(self) -> Floats:
        """[lines, 7]: similarity in meaning and in words, alone and with neighbours, and the passage.

        The columns: cosine, the better neighbour's cosine, shared words, words shared together with both neighbours,
        reciprocal rank of the passage, cosine of the passage, logarithm of the length in code points.
        """
        around = [self._neighbours(i) for i in range(len(self._lines))]
        beside = [max((self._cosines[j] for j in near), default=0.0) for near in around]
        together = [self._coverage([i, *near]) for i, near in enumerate(around)]
        alone = [self._coverage([i]) for i in range(len(self._lines))]
        ranks = [1 / (1 + line.hit) for line in self._lines]
        passages = [self._hits[line.hit].cosine or 0.0 for line in self._lines]
        columns = [self._cosines, beside, alone, together, ranks, passages, np.log1p(self._lengths) / 5]
        return np.array(columns, np.float64).T

    def candidate(self, i: int, confidence: float) -> Candidate:
        """The line, with the neighbour that adds what it lacks, if there is one."""
        line = self._lines[i]
        alone = self._coverage([i])
        gains = [(self._coverage([i, j]) - alone, j) for j in self._neighbours(i)]
        run = [line, *(self._lines[j] for gain, j in sorted(gains)[-1:] if gain >= NEIGHBOUR_GAIN)]
        first, last = min(run, key=lambda each: each.number), max(run, key=lambda each: each.number)
        return Candidate(line.document, first.number, last.number, Span(first.span.start, last.span.end), confidence)

    def _neighbours(self, i: int) -> list[int]:
        line = self._lines[i]
        near = (self._index_of.get((line.document, line.number + step)) for step in (-1, 1))
        return [j for j in near if j is not None]

    def _coverage(self, rows: list[int]) -> float:
        """The share of the question's words, weighted by rarity, that these lines contain together."""
        return float(self._shared[rows].any(axis=0) @ self._weights)


def texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def confidence_features(logits: Floats) -> Floats:
    """Logits [n], descending, to [n, 3]: each, its lead over the next, and the first's lead over the mean of ten."""
    following = np.append(logits[1:], logits[-1:] - 1)
    return np.stack([logits, logits - following, logits - logits[:10].mean()], axis=1)
