"""Significance: bootstrap over questions, McNemar's test, Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.stats import binomtest

from eval.metrics.selective import Bools
from eval.metrics.table import Columns, measure

SEED = 20261
RESAMPLES = 2000
LEVEL = 0.95
NOT_TESTED = "none"


class Interval(Struct, frozen=True):
    """A value and its percentile bootstrap interval."""

    value: float
    low: float
    high: float


class Difference(Struct, frozen=True):
    """B minus A. `p` is two-sided, before correction."""

    metric: str
    a: float
    b: float
    low: float
    high: float
    p: float
    test: str  # McNemar, bootstrap, or none if nothing differs

    @property
    def value(self) -> float:
        return self.b - self.a


def resamples(questions: int, count: int = RESAMPLES, seed: int = SEED) -> Iterator[NDArray[np.int64]]:
    """`count` resamples of row numbers; deterministic."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        yield random.integers(0, questions, questions)


def intervals(columns: Columns, count: int = RESAMPLES, seed: int = SEED) -> dict[str, Interval]:
    """Each metric with its interval. Resamples that leave a metric undefined are not counted."""
    values = measure(columns)
    drawn = [measure(columns.take(rows)) for rows in resamples(len(columns.right), count, seed)]
    return {
        name: Interval(value, *_bounds([each[name] for each in drawn if name in each]))
        for name, value in values.items()
    }


def differences(a: Columns, b: Columns, count: int = RESAMPLES, seed: int = SEED) -> list[Difference]:
    """Compare B with A on the same questions in the same order, for each metric that both have.

    Metrics that are right or wrong per question use McNemar's exact test, all others the bootstrap.
    """
    before, after = measure(a), measure(b)
    drawn = [(measure(a.take(rows)), measure(b.take(rows))) for rows in resamples(len(a.right), count, seed)]
    results = []
    for name in (name for name in before if name in after):
        changes = [with_b[name] - with_a[name] for with_a, with_b in drawn if name in with_a and name in with_b]
        p, test = _tested(_outcomes(a, b, name), changes)
        results.append(Difference(name, before[name], after[name], *_bounds(changes), p, test))
    return results


def mcnemar(a: Bools, b: Bools) -> float:
    """McNemar's exact p-value, from the questions where A and B differ."""
    won, lost = int((b & ~a).sum()), int((a & ~b).sum())
    return float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0


def bootstrap_p(changes: Sequence[float]) -> float:
    """Two-sided: how often resampling reverses the difference; never 0, because the number of resamples is finite."""
    drawn = np.array(changes)
    smaller = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(drawn) + 1))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values by Holm's step-down method (1979): {a: .01, b: .04, c: .03} -> {a: .03, b: .06, c: .06}."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}


def _tested(outcomes: tuple[Bools, Bools] | None, changes: Sequence[float]) -> tuple[float, str]:
    if not any(changes):
        return 1.0, NOT_TESTED
    return (mcnemar(*outcomes), "McNemar") if outcomes else (bootstrap_p(changes), "bootstrap")


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.array(values), (tail, 1 - tail))
    return float(low), float(high)


def _outcomes(a: Columns, b: Columns, name: str) -> tuple[Bools, Bools] | None:
    """Right or wrong for each question that the metric applies to; None if other values occur."""
    if name not in a.names or name not in b.names:
        return None
    ours, theirs = a.values[:, a.names.index(name)], b.values[:, b.names.index(name)]
    applies = ~np.isnan(ours) & ~np.isnan(theirs)
    ours, theirs = ours[applies], theirs[applies]
    if not np.isin(ours, (0.0, 1.0)).all() or not np.isin(theirs, (0.0, 1.0)).all():
        return None
    return ours == 1.0, theirs == 1.0
