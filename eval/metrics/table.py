"""The table of metrics: names, directions, and how each is computed from scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from eval.metrics.scoring import Score
from eval.metrics.selective import Bools, Floats, aurc, auroc, calibration_error, coverage_at

PRECISION = 0.9  # precision at which coverage is reported


class Metric(Struct, frozen=True):
    name: str
    group: str
    meaning: str
    higher_is_better: bool = True


METRICS = (
    Metric("recall@1", "Retrieval", "share of needed passages (or documents, if the set judges documents) at rank 1"),
    Metric("recall@5", "Retrieval", "… among the first 5"),
    Metric("recall@10", "Retrieval", "… among the first 10"),
    Metric("recall@20", "Retrieval", "… among the first 20"),
    Metric("MRR@10", "Retrieval", "reciprocal rank of the first needed passage, 0 beyond 10"),
    Metric("nDCG@10", "Retrieval", "normalised discounted cumulative gain of the first 10"),
    Metric("hit@1", "Answers", "the first answer cites a sentence that contains a gold answer"),
    Metric("hit@3", "Answers", "… one of the first 3 answers"),
    Metric("citation precision", "Answers", "share of cited sentences that contain an answer or its evidence"),
    Metric("citation recall", "Answers", "share of needed sentences that are cited"),
    Metric("exact match", "Answers", "the highlight is the gold span, normalised as in SQuAD; none counts as 0"),
    Metric("token F1", "Answers", "token overlap of highlight and gold span"),
    Metric("exact citations", "Citations", "all three ranges match the quote; less than 1 is a bug"),
    Metric("status accuracy", "Knowing when not to answer", "answered, conflicting or abstained, as expected"),
    Metric("AUROC", "Knowing when not to answer", "confidence tells answerable from unanswerable questions"),
    Metric("AURC", "Knowing when not to answer", "area under the risk-coverage curve", higher_is_better=False),
    Metric("coverage@90%", "Knowing when not to answer", "share of questions answered with a precision of 90 %"),
    Metric("abstention precision", "Knowing when not to answer", "share of abstentions that are right"),
    Metric("abstention recall", "Knowing when not to answer", "share of unanswerable questions abstained from"),
    Metric("conflict precision", "Knowing when not to answer", "share of reported conflicts that exist"),
    Metric("conflict recall", "Knowing when not to answer", "share of existing conflicts that are reported"),
    Metric("ECE", "Calibration", "expected calibration error, 10 bins of equal mass", higher_is_better=False),
)
BY_NAME = {metric.name: metric for metric in METRICS}


class Columns(Struct, frozen=True):
    """Scores as arrays over the questions, so that resampling is indexing."""

    names: tuple[str, ...]
    values: Floats  # [questions, names]; NaN if a measure does not apply to a question
    confidence: Floats
    right: Bools
    answerable: Bools
    expected: NDArray[np.str_]
    statuses: NDArray[np.str_]
    citations: NDArray[np.int64]
    exact: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Columns:
        names = tuple(metric.name for metric in METRICS if any(metric.name in score.values for score in scores))
        return cls(
            names,
            np.array([[score.values.get(name, np.nan) for name in names] for score in scores]),
            np.array([score.confidence for score in scores]),
            np.array([score.right for score in scores]),
            np.array([score.answerable for score in scores]),
            np.array([score.expected for score in scores]),
            np.array([score.given for score in scores]),
            np.array([score.citations for score in scores]),
            np.array([score.exact for score in scores]),
        )

    def take(self, rows: NDArray[np.int64]) -> Columns:
        return Columns(
            self.names,
            *(getattr(self, field)[rows] for field in self.__struct_fields__[1:]),
        )


def measure(columns: Columns) -> dict[str, float]:
    """All metrics that the questions allow, in table order. Metrics that do not apply are left out, never NaN."""
    means = _means(columns)
    if columns.citations.sum():
        means["exact citations"] = float(columns.exact.sum() / columns.citations.sum())
    if "status accuracy" in means:
        means |= _knowing(columns)
    return {metric.name: means[metric.name] for metric in METRICS if metric.name in means}


def _means(columns: Columns) -> dict[str, float]:
    """Each measure's mean over the questions it applies to."""
    applies = ~np.isnan(columns.values)
    sums, counts = np.where(applies, columns.values, 0.0).sum(axis=0), applies.sum(axis=0)
    return {name: float(total / count) for name, total, count in zip(columns.names, sums, counts, strict=True) if count}


def _knowing(columns: Columns) -> dict[str, float]:
    confidence, right = columns.confidence, columns.right
    values = {
        "AURC": aurc(confidence, right),
        f"coverage@{PRECISION:.0%}": coverage_at(PRECISION, confidence, right),
        "ECE": calibration_error(confidence, right),
    }
    if (area := auroc(confidence, columns.answerable)) is not None:
        values["AUROC"] = area
    for status, name in (("abstained", "abstention"), ("conflicting", "conflict")):
        expected, given_status = columns.expected == status, columns.statuses == status
        if expected.any():
            both = float((expected & given_status).sum())
            values[f"{name} precision"] = both / max(
                int(given_status.sum()), 1
            )  # no conflict reported: 0, not undefined
            values[f"{name} recall"] = both / int(expected.sum())
    return values
