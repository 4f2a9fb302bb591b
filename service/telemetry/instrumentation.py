"""Instruments answering: times and traces each stage, and counts each answer.

It records no words of a question.
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
    """Time a stage in the metrics, and as a span in the trace, if there is one."""
    with span(name), metrics.STAGE.labels(name).time():
        yield


def counted(ask: Callable[Concatenate[T, AskRequest, P], AskResponse]) -> Callable[..., AskResponse]:
    """Decorate the method that answers a question: count the outcome, and trace it as the span `ask`."""

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
    """Count who waits for a thread, and for how long."""
    begun = time.perf_counter()
    metrics.QUEUE.inc()
    try:
        yield
    finally:
        metrics.QUEUE.dec()
        metrics.WAITED.observe(time.perf_counter() - begun)
