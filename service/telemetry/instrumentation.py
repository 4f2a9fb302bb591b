"""The one place where answering is watched: each stage timed and traced, each answer counted.

Nothing of a question's words is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from service.schema import AskRequest, AskResponse
from service.telemetry import metrics
from service.telemetry.tracing import span

T = TypeVar("T")
P = ParamSpec("P")


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What is done within goes into the metrics with its time, and into the trace where there is one."""
    with span(name), metrics.STAGE.labels(name).time():
        yield


def counted(ask: Callable[Concatenate[T, AskRequest, P], AskResponse]) -> Callable[..., AskResponse]:
    """For the method that answers a question: what came of each is counted, and traced as the span `ask`."""

    @wraps(ask)
    def counting(self: T, request: AskRequest, /, *args: P.args, **kwargs: P.kwargs) -> AskResponse:
        with span("ask") as traced:
            response = ask(self, request, *args, **kwargs)
            metrics.ANSWERS.labels(response.status).inc()
            metrics.CONFIDENCE.observe(response.confidence)
            for skipped in response.skipped:
                metrics.SKIPPED.labels(skipped).inc()
            if traced is not None:
                traced.set_attribute("pincite.request_id", response.request_id)
                traced.set_attribute("pincite.status", response.status)
                traced.set_attribute("pincite.confidence", response.confidence)
                traced.set_attribute("pincite.index_version", response.index.version)
                traced.set_attribute("pincite.skipped", response.skipped)
            return response

    return counting


@contextmanager
def queueing() -> Iterator[None]:
    """Counts who waits for a thread, and for how long."""
    begun = time.perf_counter()
    metrics.QUEUE.inc()
    try:
        yield
    finally:
        metrics.QUEUE.dec()
        metrics.WAITED.observe(time.perf_counter() - begun)
