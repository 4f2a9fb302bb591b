"""The trained reader: one network reads question and passage together, once.

It says which sentence answers, which span of it, and whether there is an answer at all. Passages are read in order of
relevance, until the rest would hardly change the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from index.collections.protocols import Searcher
from index.search.terms import words
from index.text.passages import context
from index.types import Hit, Span
from service.errors import ReaderDamaged
from service.reader.calibration import Floats, Logistic
from service.reader.companions import COMPANION_FEATURES, MOST, companion_features
from service.reader.confidence import CONFIDENCE_FEATURES, base_features, confidence_features
from service.reader.network import Network
from service.reader.reader import Candidate, Operation, Reading
from service.reader.span_features import FEATURES, Evidence, evidence_of, rendered, table
from service.scheduling.deadline import Deadline
from service.scheduling.fair_scheduler import Flow
from service.telemetry.metrics import PASSAGES

CALIBRATION = "calibration.json"
WAVE = 2  # passages read at once, before the next look at whether that is enough
CONSIDERED = 30  # sentences, the best, that may be companions
STAY_FEATURES = 7
CERTAIN = 1e-6  # a confidence is taken to be this far from 0 and 1


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """Turns the network's logits into a ranking and a confidence; fitted by `pincite calibrate`."""

    reader_sha256: str  # of the network that it belongs to
    sentence: Logistic  # how much speaks for a sentence
    confidence: Logistic  # that it answers
    companion: Logistic  # that the answer needs a sentence beside the best one
    needed: float  # the probability from which it is cited
    stays: Logistic  # that the passages not read yet leave the best sentence the best
    enough: float  # the probability from which reading on is given up
    threshold: float
    precision: float  # of the answers shown at the threshold, the share that is right
    coverage: float  # the share of questions that are answered at the threshold
    depth: int  # passages read at most
    provenance: dict[str, object]


class Ranked(Struct, frozen=True):
    """Each sentence once, best first, with its logit and the probability that it answers."""

    evidence: list[Evidence]
    logits: Floats
    confidences: Floats


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

    @property
    def operation(self) -> Operation:
        return Operation(self.calibration.precision, self.calibration.coverage)

    def read(self, question: str, hits: Sequence[Hit], searcher: Searcher, deadline: Deadline | None = None) -> Reading:
        fit = self.calibration
        evidence: list[Evidence] = []
        hits = hits[: fit.depth]
        ranked = rank(evidence, fit)
        stop = unread = 0
        with self.network.flow(deadline) as flow:
            for start, stop in waves(len(hits)):
                evidence_read, unread = gather(
                    self.network, question, hits[start:stop], searcher, first=start, flow=flow
                )
                evidence += evidence_read
                ranked = rank(evidence, fit)
                if unread or staying(ranked, stop, fit) >= fit.enough:
                    break
        PASSAGES.observe(stop - unread)
        candidates = [candidate(*each) for each in zip(ranked.evidence, ranked.confidences, strict=True)]
        chosen = [candidates[place] for place in companions(question, ranked, searcher, fit)]
        return Reading(candidates, read=flow.runs, cut=unread > 0, companions=chosen)


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
    evidence: list[Evidence] = []
    for place, (hit, windows) in enumerate(zip(hits, outputs, strict=True), start=first):
        evidence += evidence_of(hit, place, windows, searcher)
    return evidence, sum(not windows for windows in outputs)


def packaged() -> Path:
    """The folder of the reader that comes with Pincite."""
    return Path(__file__).parent / "weights"


def waves(count: int) -> list[tuple[int, int]]:
    """What is read together: 5 -> 0 to 2, 2 to 4, 4 to 5."""
    return [(start, min(start + WAVE, count)) for start in range(0, count, WAVE)]


def above(hit: Hit) -> str:
    return context(hit.passage.document.title, hit.passage.passage.headings)


def rank(evidence: Sequence[Evidence], fit: Calibration) -> Ranked:
    order, logits = ordered(evidence, fit.sentence)
    if not order:
        return Ranked([], logits, logits)
    # A later answer is never surer than an earlier one, whatever the second curve makes of their logits.
    confidences = np.minimum.accumulate(fit.confidence.probability(confidence_features(logits, order)))
    return Ranked(order, logits, confidences)


def ordered(evidence: Sequence[Evidence], curve: Logistic) -> tuple[list[Evidence], Floats]:
    """Each sentence once, best first, with its logit [n]: the highest of the passages that hold it."""
    logits = curve.logits(table(evidence))
    best: dict[tuple[int, Span], int] = {}
    for place in sorted(range(len(evidence)), key=lambda i: (-logits[i], evidence[i].hit, evidence[i].span)):
        best.setdefault((evidence[place].document, evidence[place].span), place)
    places = list(best.values())
    return [evidence[place] for place in places], logits[places]


def staying(ranked: Ranked, read: int, fit: Calibration) -> float:
    """The probability that the passages after the first `read` leave the best sentence the best; 0 without any."""
    if not ranked.evidence:
        return 0.0
    return float(fit.stays.probability(stay_features(ranked, read, fit))[0])


def stay_features(ranked: Ranked, read: int, fit: Calibration) -> Floats:
    """[1, STAY_FEATURES]: how sure the best sentence is, its leads, its passage, and how much has been read."""
    first = base_features(ranked.logits, ranked.evidence)[0]
    confidence = np.clip(ranked.confidences[0], CERTAIN, 1 - CERTAIN)
    sure = np.log(confidence / (1 - confidence))
    done = read / fit.depth
    return np.array([[sure, *first[:4], done, sure * done]])


def companions(question: str, ranked: Ranked, searcher: Searcher, fit: Calibration) -> list[int]:
    """The places in the ranking of the sentences that the first needs beside it, in that order."""
    evidence = ranked.evidence[:CONSIDERED]
    if len(evidence) < 2:  # the first is alone
        return []
    texts = [searcher.content(each.document).text[slice(*each.span)] for each in evidence]
    rarity = {word: searcher.rarity(word) for word in dict.fromkeys(words(question))}
    features = companion_features(ranked.logits[: len(evidence)], evidence, texts, rarity)
    return chosen_companions(fit.companion.probability(features), fit.needed)


def chosen_companions(probabilities: Floats, needed: float) -> list[int]:
    """Places in the ranking, from 1: at most MOST, the likeliest of those that reach `needed`, in their order."""
    likeliest = np.argsort(-probabilities, kind="stable")[:MOST]
    return sorted(int(place) + 1 for place in likeliest if probabilities[place] >= needed)


def candidate(evidence: Evidence, confidence: float) -> Candidate:
    number = evidence.number
    return Candidate(evidence.document, number, number, evidence.span, float(confidence), evidence.highlight)


def read_calibration(path: Path, network: str) -> Calibration:
    try:
        calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} cannot be read ({error})") from error
    if calibration.reader_sha256 != network:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} was fitted to another reader")
    curves = (calibration.sentence, calibration.confidence, calibration.companion, calibration.stays)
    widths = (FEATURES, CONFIDENCE_FEATURES, COMPANION_FEATURES, STAY_FEATURES)
    if tuple(len(curve.weights) for curve in curves) != widths or calibration.depth < 1:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} was not made by this version")
    return calibration
