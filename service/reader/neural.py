"""The trained reader: one network reads question and passage together, once.

It says which sentence answers, which span of it, and whether there is an answer at all. Passages are read in order of
relevance, until the rest would hardly change the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from index.collections.protocols import Searcher
from index.text.passages import context
from index.types import Hit, Span
from service.errors import ReaderDamaged
from service.reader.calibration import Floats, Logistic
from service.reader.network import Network
from service.reader.reader import Candidate, Reading
from service.reader.span_features import FEATURES, Evidence, evidence_of, rendered, table
from service.scheduling.deadline import Deadline
from service.scheduling.fair_scheduler import Flow
from service.telemetry.metrics import PASSAGES

CALIBRATION = "calibration.json"
CONFIDENCE_FEATURES = 7


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """Turns the network's logits into a ranking and a confidence; fitted by `pincite calibrate`."""

    reader_sha256: str  # of the network that it belongs to
    sentence: Logistic  # how much speaks for a sentence
    confidence: Logistic  # that the best one answers
    threshold: float
    depth: int  # passages read at most
    first: int  # passages read at once, before the first look at whether that is enough
    enough: float  # the confidence from which reading on is given up
    provenance: dict[str, object]


class TrainedReader:
    """The reader in `folder`; the packaged one unless another is given."""

    def __init__(
        self,
        folder: Path | None = None,
        calibration: Path | None = None,
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
        """`calibration`: replaces the reader's own. `device`: a GPU. Raises ReaderDamaged or NoDevice."""
        folder = folder or packaged()
        self.network = network_on(device, folder) if device else Network(folder, threads)
        self.calibration = read_calibration(calibration or folder / CALIBRATION, self.network.sha256)
        fitted = msgspec.json.encode(self.calibration)
        self.sha256 = sha256(self.network.sha256.encode() + fitted).hexdigest()

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def threshold(self) -> float:
        return self.calibration.threshold

    def read(self, question: str, hits: Sequence[Hit], searcher: Searcher, deadline: Deadline | None = None) -> Reading:
        fit = self.calibration
        evidence: list[Evidence] = []
        hits = hits[: fit.depth]
        ranked: list[tuple[Evidence, float]] = []
        stop = unread = 0
        with self.network.flow(deadline) as flow:
            for start, stop in waves(len(hits), fit.first):
                found, unread = gather(self.network, question, hits[start:stop], searcher, first=start, flow=flow)
                evidence += found
                ranked = rank(evidence, fit)
                if unread or (ranked and ranked[0][1] >= fit.enough):
                    break
        PASSAGES.observe(stop - unread)
        return Reading([candidate(each, confidence) for each, confidence in ranked], read=flow.runs, cut=unread > 0)


def network_on(device: str, folder: Path) -> Network:
    """The network on a GPU, which imports torch."""
    from service.reader.torch_batches import BatchedNetwork

    return BatchedNetwork(folder, device)


def gather(
    network: Network,
    question: str,
    hits: Sequence[Hit],
    searcher: Searcher,
    *,
    first: int = 0,
    flow: Flow | None = None,
) -> tuple[list[Evidence], int]:
    """Every sentence of these passages, of which the first has the rank `first`; how many there was no time to read."""
    outputs = network.read(question, [(above(hit), rendered(hit, searcher).text) for hit in hits], flow)
    found: list[Evidence] = []
    for place, (hit, windows) in enumerate(zip(hits, outputs, strict=True), start=first):
        found += evidence_of(hit, place, windows, searcher)
    return found, sum(not windows for windows in outputs)


def packaged() -> Path:
    """The folder of the reader that comes with Pincite."""
    return Path(__file__).parents[1] / "weights"


def waves(count: int, first: int) -> list[tuple[int, int]]:
    """What is read together: `first` passages, then two at a time: (7, 4) -> 0 to 4, 4 to 6, 6 to 7."""
    edges = [0, *range(min(first, count), count, 2), count]
    return [(start, stop) for start, stop in pairwise(edges) if stop > start]


def above(hit: Hit) -> str:
    return context(hit.passage.document.title, hit.passage.passage.headings)


def rank(evidence: Sequence[Evidence], fit: Calibration) -> list[tuple[Evidence, float]]:
    """Each sentence once, best first, with the probability that it answers."""
    if not evidence:
        return []
    logits = fit.sentence.logits(table(evidence))
    best: dict[tuple[int, Span], int] = {}
    for place in sorted(range(len(evidence)), key=lambda i: (-logits[i], evidence[i].hit, evidence[i].span)):
        best.setdefault((evidence[place].document, evidence[place].span), place)
    order = list(best.values())
    features = confidence_features(logits[order], table([evidence[i] for i in order]))
    # A later answer is never surer than an earlier one, whatever the second curve makes of their logits.
    confidences = np.minimum.accumulate(fit.confidence.probability(features))
    return [(evidence[i], float(c)) for i, c in zip(order, confidences, strict=True)]


def confidence_features(logits: Floats, features: Floats) -> Floats:
    """What the confidence of each sentence is made of: its logit, its lead over the next, what the network said.

    logits [n], descending; features [n, FEATURES] -> [n, CONFIDENCE_FEATURES].
    """
    following = np.append(logits[1:], logits[-1:] - 1)
    lead = np.minimum(logits - following, 5.0)
    return np.column_stack([logits, lead, features[:, :5]])


def candidate(evidence: Evidence, confidence: float) -> Candidate:
    return Candidate(evidence.document, evidence.number, evidence.number, evidence.span, confidence, evidence.highlight)


def read_calibration(path: Path, network: str) -> Calibration:
    try:
        calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} cannot be read ({error})") from error
    if calibration.reader_sha256 != network:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} was fitted to another reader")
    widths = len(calibration.sentence.weights), len(calibration.confidence.weights)
    if widths != (FEATURES, CONFIDENCE_FEATURES) or min(calibration.depth, calibration.first) < 1:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} was not made by this version")
    return calibration
