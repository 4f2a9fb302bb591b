"""Latency by stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from eval.runs.run import Times

STAGES = ("retrieve", "read", "total", "wall")


class Latency(Struct, frozen=True):
    """Milliseconds at three percentiles."""

    p50: float
    p95: float
    p99: float


class TimeSummary(Struct, frozen=True):
    stages: dict[str, Latency]
    questions_per_second: float


def percentiles(milliseconds: Sequence[float]) -> Latency:
    return Latency(*(float(each) for each in np.percentile(np.array(milliseconds), (50, 95, 99))))


def summary(times: Sequence[Times], concurrency: int) -> TimeSummary:
    """By Little's law, throughput is the number of questions in flight divided by their mean latency."""
    stages = {stage: percentiles([getattr(each, stage) for each in times]) for stage in STAGES}
    mean = float(np.mean([each.wall for each in times]))
    return TimeSummary(stages, 1000 * concurrency / mean if mean else 0.0)
