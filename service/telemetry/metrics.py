"""What Prometheus is told. Units are seconds and bytes; no label takes a value that a caller can make up.

The counts belong to the process, as everything does that prometheus_client and Litestar's own plugin count.
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
    *("timeout", "unreachable", "status", "too-large", "malformed"),  # of the endpoint
    *("not-numbers", "unknown-number", "repeated", "too-many"),  # of what the model wrote
    *("deadline", "busy", "left-alone"),  # it was not asked, or not waited for
)

STAGE = Histogram("pincite_stage_duration_seconds", "Time that a stage of an answer took", ["stage"], buckets=SECONDS)
SKIPPED = Counter("pincite_stages_skipped", "Stages left out for want of time, or of a choice", ["stage"])
QUEUE = Gauge("pincite_queue_length", "Calls that wait for a thread", multiprocess_mode="livesum")
WAITED = Histogram("pincite_queue_wait_seconds", "Time that a call waited for a thread", buckets=SECONDS)
ANSWERS = Counter("pincite_answers", "Questions by what they came to", ["status"])
CONFIDENCE = Histogram(
    "pincite_answer_confidence",
    "Probability that the best candidate is right, shown or not",
    buckets=[number / 20 for number in range(1, 21)],
)
PASSAGES = Histogram("pincite_passages_read", "Passages read for a question", buckets=(0, 1, 2, 4, 6, 8, 12, 16, 20))
PAIRS = Histogram(
    "pincite_pairs_read", "Pairs of question and passage read for a question", buckets=(0, 1, 2, 4, 8, 16, 32, 64)
)
CHOICES = Counter("pincite_choices", "Questions with a choice for a language model, by what came of it", ["outcome"])
LEFT_ALONE = Gauge(
    "pincite_chooser_left_alone",
    "Whether the language model is left alone, as it failed of late",
    multiprocess_mode="livesum",
)
CACHE = Counter("pincite_answer_cache_lookups", "Questions looked up in the answer cache", ["result"])
CACHE_BYTES = Gauge("pincite_answer_cache_bytes", "Memory of the answer cache", multiprocess_mode="livesum")

for name in STAGES:
    STAGE.labels(name)
for name in STATUSES:
    ANSWERS.labels(name)  # so that a rate begins at 0, not with the first of its kind
for name in ("hit", "miss"):
    CACHE.labels(name)
for name in (*CHOICE, *NO_CHOICE):
    CHOICES.labels(name)
for name in ("retrieve", "read", "read-on", "choose"):
    SKIPPED.labels(name)


class IndexCollector(Collector):
    """What the collections hold at this moment. A version that has passed leaves nothing behind."""

    def __init__(self, searchers: Mapping[str, Searcher]) -> None:
        self._searchers = searchers

    def collect(self) -> Iterable[Metric]:
        info = InfoMetricFamily("pincite_index", "The version that a collection answers from")
        documents = GaugeMetricFamily("pincite_index_documents", "Documents of a collection", labels=["collection"])
        passages = GaugeMetricFamily("pincite_index_passages", "Passages of a collection", labels=["collection"])
        for name, searcher in self._searchers.items():
            encoder = searcher.encoder.name
            info.add_metric([], {"collection": name, "version": searcher.version, "encoder": encoder})
            documents.add_metric([name], searcher.document_count)
            passages.add_metric([name], searcher.passages)
        return [info, documents, passages]


def index_metrics(searchers: Mapping[str, Searcher]) -> bytes:
    """In the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(IndexCollector(searchers))
    return generate_latest(registry)
