"""Calibrates the trained reader: which sentence answers, how sure that is, what belongs to it, when to stop reading.

    python -m eval.training.calibrate ../shared/data/dev/squad2 ../shared/data/dev/real_docs --reader FOLDER

Every figure reported comes from folds that were not fitted on; the folds part the documents, not the questions. Sets
weigh alike, whatever their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from eval.metrics.selective import auroc, calibration_error, coverage_at
from eval.training.logistic import fit_choice, fit_logistic, folds
from eval.training.reading import Seen
from service.reader.calibration import Floats, Logistic
from service.reader.companions import COMPANION_FEATURES, companion_features
from service.reader.confidence import CONFIDENCE_FEATURES, confidence_features
from service.reader.neural import (
    CONSIDERED,
    STAY_FEATURES,
    Calibration,
    Ranked,
    chosen_companions,
    ordered,
    rank,
    stay_features,
    waves,
)
from service.reader.span_features import Evidence

FOLDS = 5
PRECISION = 0.9  # of the answers given: where coverage is reported
COST = 2.0  # right answers that a wrong one is worth, when the threshold is chosen
ABOUT = 0.05  # of the most that a threshold can be worth
SAME = 0.995  # of the questions, the share whose first answer stays the same where reading stops early
COMPANION_PRECISION = 1 / 3  # of the sentences cited beside a right one, the share that the evidence needs
DEPTH = 10
PENALTIES = {"sentence": 3.0, "confidence": 20.0, "companion": 1.0, "stays": 1.0}
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows to fit on, rows left out
Bools = NDArray[np.bool_]
TINY = 1e-9
NEVER = 1.1  # a probability that is not reached


class First(Struct, frozen=True):
    """The first answer to a question: what its confidence is made of, and whether it is right."""

    features: Floats
    right: bool
    place: int  # among the evidence; -1 where there is none


class Beside(Struct, frozen=True):
    """The other sentences of a question, best first."""

    places: list[int]  # among the evidence
    features: Floats  # [sentences, COMPANION_FEATURES]
    needed: Bools  # [sentences]


class Crossed(Struct, frozen=True):
    """Of each question, by curves not fitted on its document: the first answer, its confidence, its companions."""

    firsts: list[First]
    confidence: Floats
    beside: list[Beside]
    companions: list[Floats]  # the probability of each of `beside`

    @property
    def right(self) -> Bools:
        return np.array([each.right for each in self.firsts], bool)


def weights_of(seen: Sequence[Seen]) -> Floats:
    """Of each question [n], so that every set weighs as much as another; their mean is 1."""
    names = np.array([each.dataset for each in seen])
    kinds, place, counts = np.unique(names, return_inverse=True, return_counts=True)
    weights: Floats = len(names) / len(kinds) / counts[place]
    return weights


def fit_sentences(seen: Sequence[Seen]) -> Logistic:
    """From answerable questions, to choose among the sentences of each."""
    used = [each for each in seen if any(each.right)]
    return fit_choice(
        np.concatenate([each.features for each in used]),
        np.concatenate([each.flags for each in used]),
        np.repeat(np.arange(len(used)), [len(each.right) for each in used]),
        weights_of(used),
        PENALTIES["sentence"],
    )


def fit_curve(features: Floats, right: Bools, weights: Floats, penalty: float = 1.0) -> Logistic:
    """A logistic curve whose weights cost alike, whatever the scale of a feature."""
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), TINY)
    scale[features.max(axis=0) - features.min(axis=0) < TINY] = np.inf  # what never differs says nothing
    curve = fit_logistic((features - mean) / scale, right, weights, penalty)
    found = np.array(curve.weights) / scale
    return Logistic(found.tolist(), curve.bias - float(found @ mean))


def ranking_of(curve: Logistic, each: Seen) -> tuple[list[int], Floats]:
    """The places of the evidence, best first, each sentence once, and their logits; as the reader ranks them."""
    order, logits = ordered(each.evidence, curve)
    place_of = {id(evidence): place for place, evidence in enumerate(each.evidence)}
    return [place_of[id(evidence)] for evidence in order], logits


def first_answer(curve: Logistic, each: Seen) -> First:
    places, logits = ranking_of(curve, each)
    if not places:
        return First(np.zeros(CONFIDENCE_FEATURES), right=False, place=-1)
    features = confidence_features(logits, [each.evidence[place] for place in places])[0]
    return First(features, each.right[places[0]], places[0])


def beside(curve: Logistic, each: Seen) -> Beside:
    """What may stand beside the first answer, and whether the evidence that holds it needs that as well."""
    places, logits = ranking_of(curve, each)
    places = places[:CONSIDERED]
    if len(places) < 2:  # the first is alone
        return Beside([], np.zeros((0, COMPANION_FEATURES)), np.zeros(0, bool))
    ranked = [each.evidence[place] for place in places]
    features = companion_features(logits[: len(places)], ranked, [each.texts[place] for place in places], each.rarity)
    first, others = places[0], places[1:]
    needed = {place for pieces in each.needed for place in needed_beside(first, pieces, each.evidence)}
    keys = {key(each.evidence[place]) for place in needed}
    return Beside(others, features, np.array([key(each.evidence[place]) in keys for place in others], bool))


def needed_beside(first: int, pieces: Sequence[Sequence[int]], evidence: Sequence[Evidence]) -> Iterator[int]:
    """The sentences of those pieces that the first does not hold, where it holds any."""
    own = key(evidence[first])
    holding = [any(key(evidence[place]) == own for place in piece) for piece in pieces]
    if any(holding):
        for piece, held in zip(pieces, holding, strict=True):
            yield from () if held else piece


def key(evidence: Evidence) -> tuple[int, int]:
    return evidence.document, evidence.number


def cross_fit(seen: Sequence[Seen]) -> Crossed:
    answering = {each.group for each in seen if any(each.right)}
    # With fewer documents than folds, some fold would have no answer to be fitted on.
    groups = [each.group if len(answering) >= FOLDS else each.id for each in seen]
    return crossed(seen, list(folds(groups, FOLDS)))


def crossed(seen: Sequence[Seen], parted: Sequence[Fold]) -> Crossed:
    firsts: dict[int, First] = {}
    others: dict[int, Beside] = {}
    for fitted_on, rest in parted:
        curve = fit_sentences([seen[i] for i in fitted_on])
        firsts |= {int(i): first_answer(curve, seen[i]) for i in rest}
        others |= {int(i): beside(curve, seen[i]) for i in rest}
    features = np.array([firsts[i].features for i in range(len(seen))])
    right = np.array([firsts[i].right for i in range(len(seen))], bool)
    weights = weights_of(seen)
    confidence = np.zeros(len(seen))
    companions: dict[int, Floats] = {}
    for fitted_on, rest in parted:
        curve = fit_curve(features[fitted_on], right[fitted_on], weights[fitted_on], PENALTIES["confidence"])
        confidence[rest] = curve.probability(features[rest])
        companion = fit_companions([others[int(i)] for i in fitted_on], weights[fitted_on])
        companions |= {int(i): companion.probability(others[int(i)].features) for i in rest}
    places = range(len(seen))
    return Crossed(
        [firsts[i] for i in places], confidence, [others[i] for i in places], [companions[i] for i in places]
    )


def fit_companions(others: Sequence[Beside], weights: Floats) -> Logistic:
    features = np.concatenate([each.features for each in others])
    needed = np.concatenate([each.needed for each in others])
    each_row = np.concatenate([np.full(len(each.needed), weight) for each, weight in zip(others, weights, strict=True)])
    return fit_curve(features, needed, each_row, PENALTIES["companion"])


def calibrate(seen: Sequence[Seen], reader_sha256: str, fingerprints: dict[str, str]) -> Calibration:
    """Curves fitted on all questions, and a provenance with the figures of the folds."""
    whole = [each.first(DEPTH) for each in seen]
    weights = weights_of(whole)
    left_out = cross_fit(whole)
    threshold = threshold_of(left_out.confidence, left_out.right, weights)
    features = np.array([each.features for each in left_out.firsts])
    precision, coverage = operation(left_out.confidence, left_out.right, weights, threshold)
    fit = Calibration(
        reader_sha256=reader_sha256,
        sentence=fit_sentences(whole),
        confidence=fit_curve(features, left_out.right, weights, PENALTIES["confidence"]),
        companion=fit_companions(left_out.beside, weights),
        needed=needed_of(left_out),
        stays=Logistic([0.0] * STAY_FEATURES, 0.0),
        enough=NEVER,
        threshold=threshold,
        precision=precision,
        coverage=coverage,
        depth=DEPTH,
        provenance={
            "fitted_on": fingerprints,
            "figures_on_documents_left_out": figures(whole, left_out, threshold),
        },
    )
    return with_early_exit(whole, fit)


def threshold_of(confidence: Floats, right: Bools, weights: Floats) -> float:
    """Where the right answers shown, less COST times the wrong ones, weigh most; 1 where nothing is worth showing.

    The lowest of those that come within ABOUT of that: the most is a matter of chance there, and more is answered.
    """
    order = np.argsort(-confidence, kind="stable")
    worth = np.cumsum((weights * np.where(right, 1.0, -COST))[order])
    ends = np.append(confidence[order][1:] != confidence[order][:-1], True)  # a threshold does not part equals
    worth = np.where(ends, worth, -np.inf)
    if not len(worth) or worth.max() <= 0:
        return 1.0
    lowest = np.flatnonzero(worth >= (1 - ABOUT) * worth.max())[-1]
    return float(np.floor(1000 * confidence[order][lowest]) / 1000)


def operation(confidence: Floats, right: Bools, weights: Floats, threshold: float) -> tuple[float, float]:
    """Precision and coverage at a threshold; the precision is 1 where nothing is shown."""
    shown = confidence >= threshold
    given = float(weights[shown].sum())
    return float(weights[shown & right].sum()) / given if given else 1.0, given / float(weights.sum())


def needed_of(left_out: Crossed) -> float:
    """The lowest probability from which on COMPANION_PRECISION of the sentences cited beside the best are needed."""
    right = [place for place, first in enumerate(left_out.firsts) if first.right]
    for least in np.arange(0.05, 1.0, 0.01):
        chosen = [(place, chosen_companions(left_out.companions[place], least)) for place in right]
        flags = [left_out.beside[place].needed[number - 1] for place, numbers in chosen for number in numbers]
        if not flags or np.mean(flags) >= COMPANION_PRECISION:
            return round(float(least), 3)
    return NEVER


def with_early_exit(seen: Sequence[Seen], fit: Calibration) -> Calibration:
    """With a curve for "the best sentence stays the best", and the lowest probability that leaves SAME of them."""
    paths = [path_of(each, fit) for each in seen]
    groups = [each.group for each in seen]
    steps = [(place, step) for place, path in enumerate(paths) for step in path[:-1]]
    if len({step.stays for _, step in steps}) < 2 or len(set(groups)) < FOLDS:
        return fit
    features = np.array([step.features for _, step in steps])
    stays = np.array([step.stays for _, step in steps], bool)
    weights = weights_of(seen)[[place for place, _ in steps]]
    left_out = np.zeros(len(steps))
    for fitted_on, rest in folds([groups[place] for place, _ in steps], FOLDS):
        curve = fit_curve(features[fitted_on], stays[fitted_on], weights[fitted_on], PENALTIES["stays"])
        left_out[rest] = curve.probability(features[rest])
    chances: list[list[float]] = [[] for _ in paths]
    for (place, _), chance in zip(steps, left_out, strict=True):
        chances[place].append(float(chance))
    enough, read = early_exit(paths, chances)
    stays_curve = fit_curve(features, stays, weights, PENALTIES["stays"])
    provenance = fit.provenance | {"passages_read_on_average": read}
    changed = {"stays": stays_curve, "enough": enough, "provenance": provenance}
    return Calibration(**{**{name: getattr(fit, name) for name in fit.__struct_fields__}, **changed})


class Step(Struct, frozen=True):
    """After a wave: how many passages are read, and whether the best sentence is that of all of them."""

    read: int
    features: Floats
    stays: bool


def path_of(each: Seen, fit: Calibration) -> list[Step]:
    count = min(fit.depth, 1 + max((e.hit for e in each.evidence), default=0))
    after = [(stop, rank(each.first(stop).evidence, fit)) for _, stop in waves(count)]
    last = best_of(after[-1][1])
    return [
        Step(stop, stay_features(ranked, stop, fit)[0] if ranked.evidence else np.zeros(STAY_FEATURES), stays)
        for stop, ranked in after
        for stays in [best_of(ranked) == last]
    ]


def best_of(ranked: Ranked) -> tuple[int, int] | None:
    return key(ranked.evidence[0]) if ranked.evidence else None


def early_exit(paths: Sequence[Sequence[Step]], chances: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The lowest probability at which to stop that leaves SAME of the first answers, and the passages then read."""
    for enough in [*np.arange(0.5, 0.999, 0.005), NEVER]:
        stops = [
            next((step for step, chance in zip(path, some, strict=False) if chance >= enough), path[-1])
            for path, some in zip(paths, chances, strict=True)
        ]
        if np.mean([step.stays for step in stops]) >= SAME:
            return round(float(enough), 3), float(np.mean([step.read for step in stops]))
    return NEVER, float(np.mean([path[-1].read for path in paths]))


def figures(seen: Sequence[Seen], found: Crossed, threshold: float) -> dict[str, dict[str, float | None]]:
    names = np.array([each.dataset for each in seen])
    chosen = {name: names == name for name in sorted(set(names))} | {"all": np.ones(len(names), bool)}
    return {name: figures_of(seen, found, np.flatnonzero(rows), threshold) for name, rows in chosen.items()}


def figures_of(
    seen: Sequence[Seen], found: Crossed, rows: NDArray[np.intp], threshold: float
) -> dict[str, float | None]:
    """Of these questions. `coverage@90%` can be no more than its ceiling: the share of right answers over 0.9."""
    right, confidence = found.right[rows], found.confidence[rows]
    answerable = np.array([seen[i].answerable for i in rows], bool)
    overlaps = [seen[i].overlap[found.firsts[i].place] if found.firsts[i].place >= 0 else 0.0 for i in rows]
    shown = confidence >= threshold
    return {
        "questions": float(len(rows)),
        "hit@1": float(right[answerable].mean()) if answerable.any() else None,
        "span F1": float(np.array(overlaps)[answerable].mean()) if answerable.any() else None,
        "AUROC": auroc(confidence, answerable),
        "AUROC of being right": auroc(confidence, right),
        "coverage@90%": coverage_at(PRECISION, confidence, right),
        "its ceiling": min(1.0, float(right.mean()) / PRECISION),
        "ECE": calibration_error(confidence, right),
        "right shown": float((shown & right).mean()),
        "wrong shown": float((shown & ~right).mean()),
    }
