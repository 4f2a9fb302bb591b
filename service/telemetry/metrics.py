"""Prometheus metrics. Units are seconds and bytes; no label takes a value that a caller can choose.

Metrics are global to the process, as in prometheus_client and Litestar's plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from index.collections.protocols import Searcher

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for when each of the others began, which nobody asks for

STAGES = ("retrieve", "read", "compose", "choose")
STATUSES = ("answered", "conflicting", "abstained")
CHOICE = ("chosen", "none")
NO_CHOICE = (
    *("timeout", "unreachable", "status", "too-large", "malformed"),  # failures of the endpoint
    *("not-numbers", "unknown-number", "repeated", "too-many"),  # failures of the model's reply
    *("deadline", "busy", "left-alone"),  # it was not asked, or not waited for
)

STAGE = Histogram("pincite_stage_duration_seconds", "Duration of a stage of an answer", ["stage"], buckets=SECONDS)
SKIPPED = Counter("pincite_stages_skipped", "Stages skipped, for lack of time or of a usable choice", ["stage"])
QUEUE = Gauge("pincite_queue_length", "Calls waiting for a thread", multiprocess_mode="livesum")
WAITED = Histogram("pincite_queue_wait_seconds", "Time a call waited for a thread", buckets=SECONDS)
ANSWERS = Counter("pincite_answers", "Questions by outcome", ["status"])
CONFIDENCE = Histogram(
    "pincite_answer_confidence",
    "Probability that the best candidate is right, shown or not",
    buckets=[number / 20 for number in range(1, 21)],
)
PASSAGES = Histogram("pincite_passages_read", "Passages read for a question", buckets=(0, 1, 2, 4, 6, 8, 12, 16, 20))
PAIRS = Histogram(
    "pincite_pairs_read", "Question-passage pairs read for a question", buckets=(0, 1, 2, 4, 8, 16, 32, 64)
)
CHOICES = Counter("pincite_choices", "Choices requested from the language model, by outcome", ["outcome"])
LEFT_ALONE = Gauge(
    "pincite_chooser_left_alone",
    "Whether the circuit breaker of the language model is open",
    multiprocess_mode="livesum",
)
CACHE = Counter("pincite_answer_cache_lookups", "Lookups in the answer cache", ["result"])
CACHE_BYTES = Gauge("pincite_answer_cache_bytes", "Memory used by the answer cache", multiprocess_mode="livesum")

for name in STAGES:
    STAGE.labels(name)
for name in STATUSES:
    ANSWERS.labels(name)  # so that rates start at 0, not at the first event
for name in ("hit", "miss"):
    CACHE.labels(name)
for name in (*CHOICE, *NO_CHOICE):
    CHOICES.labels(name)
for name in ("retrieve", "read", "read-on", "choose"):
    SKIPPED.labels(name)


class IndexCollector(Collector):
    """Gauges for the collections' current state. Series of old versions disappear."""

    def __init__(self, searchers: Mapping[str, Searcher]) -> None:
        self._searchers = searchers

    def collect(self) -> Iterable[Metric]:
        info = InfoMetricFamily("pincite_index", "The version of the index that a collection answers from")
        documents = GaugeMetricFamily("pincite_index_documents", "Documents in a collection", labels=["collection"])
        passages = GaugeMetricFamily("pincite_index_passages", "Passages in a collection", labels=["collection"])
        for name, searcher in self._searchers.items():
            encoder = searcher.encoder.name
            info.add_metric([], {"collection": name, "version": searcher.version, "encoder": encoder})
            documents.add_metric([name], searcher.document_count)
            passages.add_metric([name], searcher.passages)
        return [info, documents, passages]


def index_metrics(searchers: Mapping[str, Searcher]) -> bytes:
    """The gauges of the collections in the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(IndexCollector(searchers))
    return generate_latest(registry)
