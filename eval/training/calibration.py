"""Calibrates the trained reader: which of its logits say how much, how sure its first answer is, when to stop reading.

    python -m eval.training.calibration ../shared/data/dev/squad2 ../shared/data/dev/fairytaleqa --out service/weights

Every figure reported comes from folds that were not fitted on; the folds part the documents, not the questions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from eval.metrics.selective import auroc, calibration_error, coverage_at
from eval.training.logistic import fit_choice, fit_logistic, folds
from eval.training.reading import Seen
from service.reader.calibration import Floats, Logistic
from service.reader.neural import CONFIDENCE_FEATURES, Calibration, confidence_features, waves

FOLDS = 5
PRECISION = 0.9  # of the answers given, the share that shall be right
KEPT = 0.9  # of the right answers, the share shown where that precision is out of reach
SAME = 0.995  # of the questions, the share whose first answer stays the same where reading stops early
DEPTH, FIRST = 10, 4
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows to fit on, rows left out
TINY = 1e-9
NEVER = 1.1  # a confidence that is not reached


class First(Struct, frozen=True):
    """The first answer to a question: what its confidence is made of, and whether it is right."""

    features: Floats
    right: bool
    place: int  # among the evidence; -1 where there is none


def fit_sentences(seen: Sequence[Seen]) -> Logistic:
    """From answerable questions, to choose among the sentences of each; every set weighs as much as another."""
    used = [each for each in seen if any(each.right)]
    counts = {name: sum(each.dataset == name for each in used) for name in {each.dataset for each in used}}
    return fit_choice(
        np.concatenate([each.features for each in used]),
        np.concatenate([each.flags for each in used]),
        np.repeat(np.arange(len(used)), [len(each.right) for each in used]),
        np.array([len(used) / len(counts) / counts[each.dataset] for each in used]),
    )


def fit_confidence(features: Floats, right: NDArray[np.bool_]) -> Logistic:
    """A logistic curve whose weights cost alike, whatever the scale of a feature."""
    scale = np.maximum(features.std(axis=0), TINY)
    curve = fit_logistic((features - features.mean(axis=0)) / scale, right)
    weights = np.array(curve.weights) / scale
    return Logistic(weights.tolist(), curve.bias - float(weights @ features.mean(axis=0)))


def first_answer(curve: Logistic, each: Seen) -> First:
    """As `service.reader.neural.rank` finds it."""
    if not each.evidence:
        return First(np.zeros(CONFIDENCE_FEATURES), right=False, place=-1)
    logits = curve.logits(each.features)
    order, taken = [], set()
    for place in sorted(range(len(logits)), key=lambda i: (-logits[i], each.evidence[i].hit, each.evidence[i].span)):
        key = (each.evidence[place].document, each.evidence[place].span)
        if key not in taken:
            taken.add(key)
            order.append(place)
    features = confidence_features(logits[order], each.features[order])[0]
    return First(features, each.right[order[0]], order[0])


def answer_key(each: Seen, first: First) -> tuple[int, tuple[int, int]] | None:
    if first.place < 0:
        return None
    evidence = each.evidence[first.place]
    return evidence.document, tuple(evidence.span)  # type: ignore[return-value]


class Crossed(Struct, frozen=True):
    """Of each question, by curves not fitted on its document: the first answer and its confidence."""

    firsts: list[First]
    confidence: Floats

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.array([each.right for each in self.firsts], bool)


def cross_fit(seen: Sequence[Seen]) -> Crossed:
    answering = {each.group for each in seen if any(each.right)}
    # With fewer documents than folds, some fold would have no answer to be fitted on.
    groups = [each.group if len(answering) >= FOLDS else each.id for each in seen]
    return crossed(seen, list(folds(groups, FOLDS)))


def crossed(seen: Sequence[Seen], parted: Sequence[Fold]) -> Crossed:
    firsts: dict[int, First] = {}
    for fitted_on, rest in parted:
        curve = fit_sentences([seen[i] for i in fitted_on])
        firsts |= {int(i): first_answer(curve, seen[i]) for i in rest}
    features = np.array([firsts[i].features for i in range(len(seen))])
    right = np.array([firsts[i].right for i in range(len(seen))], bool)
    confidence = np.zeros(len(seen))
    for fitted_on, rest in parted:
        confidence[rest] = fit_confidence(features[fitted_on], right[fitted_on]).probability(features[rest])
    return Crossed([firsts[i] for i in range(len(seen))], confidence)


def calibrate(seen: Sequence[Seen], reader_sha256: str, fingerprints: dict[str, str]) -> Calibration:
    """Curves fitted on all questions, and a provenance with the figures of the folds."""
    whole = [each.first(DEPTH) for each in seen]
    left_out = cross_fit(whole)
    sentence = fit_sentences(whole)
    threshold = threshold_of(left_out.confidence, left_out.right)
    shown = left_out.right[left_out.confidence >= threshold]
    precision_at = float(shown.mean()) if len(shown) else 1.0
    fit = Calibration(
        reader_sha256=reader_sha256,
        sentence=sentence,
        confidence=fit_confidence(np.array([each.features for each in left_out.firsts]), left_out.right),
        threshold=threshold,
        depth=DEPTH,
        first=FIRST,
        enough=NEVER,
        provenance={
            "precision_at_threshold": precision_at,
            "fitted_on": fingerprints,
            "figures_on_documents_left_out": figures(whole, left_out),
        },
    )
    enough, read = early_exit(whole, fit)
    fit.provenance["passages_read_on_average"] = read
    return Calibration(**{**{f: getattr(fit, f) for f in fit.__struct_fields__}, "enough": enough})


def threshold_of(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """The lowest confidence from which on `PRECISION` of the answers are right.

    Where that would hold back more than half of the right answers, the one that shows `KEPT` of them; 1 where none is
    right.
    """
    if not right.any():
        return 1.0
    order = np.argsort(-confidence, kind="stable")
    precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= PRECISION
    shown = np.flatnonzero(precise)[-1] + 1 if precise.any() else 0
    if 2 * right[order[:shown]].sum() >= right.sum():
        return round(float(confidence[order][shown - 1]), 3)
    return round(float(np.quantile(confidence[right], 1 - KEPT)), 3)


def early_exit(seen: Sequence[Seen], fit: Calibration) -> tuple[float, float]:
    """The lowest confidence at which to stop that leaves `SAME` of the first answers, and the passages then read."""
    paths = [path_of(each, fit) for each in seen]
    for enough in [*np.arange(0.30, 1.0, 0.01), NEVER]:
        stops = [next((step for step in path if step[1] >= enough), path[-1]) for path in paths]
        same = np.mean([stop[2] == path[-1][2] for stop, path in zip(stops, paths, strict=True)])
        if same >= SAME:
            return round(float(enough), 3), float(np.mean([stop[0] for stop in stops]))
    return NEVER, float(fit.depth)


def path_of(each: Seen, fit: Calibration) -> list[tuple[int, float, object]]:
    """After every wave: passages read, confidence of the first answer, which it is."""
    steps: list[tuple[int, float, object]] = []
    count = min(fit.depth, 1 + max((e.hit for e in each.evidence), default=0))
    for _, stop in waves(count, fit.first):
        part = each.first(stop)
        first = first_answer(fit.sentence, part)
        steps.append((stop, float(fit.confidence.probability(first.features[None])[0]), answer_key(part, first)))
    return steps


def figures(seen: Sequence[Seen], found: Crossed) -> dict[str, dict[str, float | None]]:
    names = np.array([each.dataset for each in seen])
    chosen = {name: names == name for name in sorted(set(names))} | {"all": np.ones(len(names), bool)}
    return {name: figures_of(seen, found, np.flatnonzero(rows)) for name, rows in chosen.items()}


def figures_of(seen: Sequence[Seen], found: Crossed, rows: NDArray[np.intp]) -> dict[str, float | None]:
    right, confidence = found.right[rows], found.confidence[rows]
    answerable = np.array([seen[i].answerable for i in rows], bool)
    overlaps = [seen[i].overlap[found.firsts[i].place] if found.firsts[i].place >= 0 else 0.0 for i in rows]
    return {
        "questions": float(len(rows)),
        "hit@1": float(right[answerable].mean()),
        "span F1": float(np.array(overlaps)[answerable].mean()),
        "AUROC": auroc(confidence, answerable),
        "AUROC of being right": auroc(confidence, right),
        "coverage@90%": coverage_at(PRECISION, confidence, right),
        "ECE": calibration_error(confidence, right),
    }
