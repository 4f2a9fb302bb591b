"""The statistics against values computed by hand, other implementations, and their guarantees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, false_discovery_control

from eval.metrics.scoring import Score
from eval.metrics.statistics import bootstrap_p, differences, holm, intervals, mcnemar, resamples
from eval.metrics.table import Columns


def columns(hits: list[float], confidence: float = 0.5) -> Columns:
    return Columns.of(
        [
            Score(str(n), None, True, "answered", "answered", confidence, {"hit@1": hit, "token F1": hit / 2})
            for n, hit in enumerate(hits)
        ]
    )


def test_mcnemar_by_hand() -> None:
    a = np.array([True] * 5 + [False] * 5)
    b = np.array([True] * 4 + [False] + [True] * 4 + [False])
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 5) / 32)  # 4 won, 1 lost: two tails of a fair coin
    assert mcnemar(a, a) == 1.0


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_never_milder_than_false_discovery_control(p: dict[str, float]) -> None:
    adjusted = holm(p)
    milder = false_discovery_control(list(p.values()))
    for name, lower in zip(p, milder, strict=True):
        assert lower - 1e-12 <= adjusted[name] <= 1.0
        assert adjusted[name] <= min(1.0, p[name] * len(p)) + 1e-12  # Bonferroni is never less strict


def test_an_interval_is_that_of_scipys_bootstrap() -> None:
    hits = np.random.default_rng(1).random(200).round()
    ours = intervals(columns(hits.tolist()))["hit@1"]
    theirs = bootstrap((hits,), np.mean, method="percentile", n_resamples=5000, rng=2).confidence_interval
    assert ours.value == pytest.approx(hits.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_the_same_seed_draws_the_same() -> None:
    first, second = ([rows.tolist() for rows in resamples(10, 5, seed=3)] for _ in range(2))
    assert first == second
    assert first != [rows.tolist() for rows in resamples(10, 5, seed=4)]


def test_bootstrap_p_counts_the_other_side_and_is_never_nought() -> None:
    assert bootstrap_p([1.0] * 99) == pytest.approx(2 / 100)
    assert bootstrap_p([1.0] * 50 + [-1.0] * 49) == 1.0
    assert bootstrap_p([0.0] * 99) == 1.0


def test_equal_runs_do_not_differ_and_are_not_tested() -> None:
    run = columns([1.0, 0.0] * 20)
    for each in differences(run, run, count=50):
        assert (each.value, each.low, each.high, each.p, each.test) == (0.0, 0.0, 0.0, 1.0, "none")


def test_a_metric_that_is_right_or_wrong_gets_mcnemar_and_any_other_the_bootstrap() -> None:
    found = {
        each.metric: each for each in differences(columns([1.0] * 40), columns([1.0] * 28 + [0.0] * 12), count=200)
    }
    assert found["hit@1"].test == "McNemar"
    assert found["hit@1"].p == pytest.approx(2 / 2**12)
    assert found["token F1"].test == "bootstrap"
    assert found["token F1"].high < 0


def test_the_interval_of_a_chance_difference_covers_nought_nineteen_times_in_twenty() -> None:
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        a, b = (columns(random.integers(0, 2, 60).astype(float).tolist()) for _ in range(2))
        change = next(each for each in differences(a, b, count=200, seed=seed) if each.metric == "hit@1")
        covered += change.low <= 0 <= change.high
    assert 88 <= covered <= 100
