"""How well confidence separates right from wrong answers: ranking, selective prediction, calibration.

Everywhere `confidence` is float [n] and `right` is bool [n]. Equal confidences count as one group, so results do not
depend on the order of the questions.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BINS = 10


class Curve(Struct, frozen=True):
    """The risk-coverage curve: if the most confident `coverage` is answered, the share `risk` of it is wrong."""

    coverage: Floats
    risk: Floats
    ends: Bools  # possible thresholds: not inside a group of equal confidences


class Bin(Struct, frozen=True):
    confidence: float  # mean
    accuracy: float
    size: int


def auroc(score: Floats, positive: Bools) -> float | None:
    """The probability that a positive scores above a negative, ties half; None if there is only one class."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(score)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def risk_coverage(confidence: Floats, right: Bools) -> Curve:
    """Within a group of equal confidences, the risk is the expected one in random order."""
    ordered, wrong = _by_confidence(confidence, right)
    count = np.arange(1, len(ordered) + 1)
    ends = np.append(ordered[1:] != ordered[:-1], True)
    return Curve(count / len(ordered), np.cumsum(wrong) / count, ends)


def aurc(confidence: Floats, right: Bools) -> float:
    """The area under the risk-coverage curve (Geifman and El-Yaniv, 2017): the mean risk over all coverages."""
    return float(risk_coverage(confidence, right).risk.mean())


def coverage_at(precision: float, confidence: Floats, right: Bools) -> float:
    """The largest coverage of a threshold with at least this precision."""
    curve = risk_coverage(confidence, right)
    reached = curve.ends & (curve.risk <= 1 - precision + 1e-12)
    return float(curve.coverage[reached].max(initial=0.0))


def reliability(confidence: Floats, right: Bools, bins: int = BINS) -> list[Bin]:
    """Bins of equal mass, least confident first."""
    ordered, wrong = _by_confidence(confidence, right)
    parts = zip(np.array_split(ordered[::-1], bins), np.array_split(1 - wrong[::-1], bins), strict=True)
    return [Bin(float(sure.mean()), float(good.mean()), len(sure)) for sure, good in parts if len(sure)]


def calibration_error(confidence: Floats, right: Bools, bins: int = BINS) -> float:
    """The expected calibration error: |mean confidence - accuracy| over the bins, weighted by their sizes."""
    parts = reliability(confidence, right, bins)
    return sum(each.size * abs(each.confidence - each.accuracy) for each in parts) / len(confidence)


def _by_confidence(confidence: Floats, right: Bools) -> tuple[Floats, Floats]:
    """The confidences in descending order, and for each the error rate in its group of equals."""
    distinct, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right, minlength=len(distinct)) / size
    return np.repeat(-distinct, size), np.repeat(wrong, size)
