"""The report of the soak test."""

from __future__ import annotations

from collections import Counter

from eval.benchmarks.soak import Soaked, report


def test_growth_failures_and_latency_are_told_from_the_two_windows_that_are_compared() -> None:
    soaked = Soaked(
        answered=[(second, 20.0 if second < 1800 else 25.0) for second in range(3600)],
        failed=Counter({"POST 503": 2}),
        changed=7200,
        samples=[(second, 600.0 if second < 2000 else 606.0, 40, 50) for second in range(0, 3600, 10)],
    )
    result = report("some set", 10.0, soaked, 60.0)
    assert "8.0 a second, which is 80% of the 10.0" in result
    assert "failed calls: 2 × POST 503." in result
    assert "10 minutes from minute 20 | the last 10 minutes" in result
    assert "| memory, MiB | 600.0 | 606.0 | +1.0% |" in result
    assert "| threads | 40.0 | 40.0 | +0.0% |" in result
    assert "| p50, ms | 20 | 25 | +25.0% |" in result
