"""Calibrate the trained reader: rank sentences, estimate confidence, choose companion sentences, stop reading early.

    python -m eval.training.calibrate ../shared/data/dev/squad2 ../shared/data/dev/real_docs --reader FOLDER

All reported figures are cross-validated, with folds split by document rather than by question. Every set has the same
total weight, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from eval.metrics.selective import auroc, calibration_error, coverage_at
from eval.training.logistic import fit_choice, fit_logistic, folds
from eval.training.reading import QuestionReading
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
PRECISION = 0.9  # precision at which coverage is reported
COST = 2.0  # cost of a wrong answer, in right answers, when the threshold is chosen
TOLERANCE = 0.05  # share of the highest utility that the threshold may give up, in return for more answers
UNCHANGED = 0.995  # share of the questions whose first answer must not change when reading stops early
COMPANION_PRECISION = 1 / 3  # share of the companion sentences of a right answer that must be part of the evidence
DEPTH = 10
PENALTIES = {"sentence": 3.0, "confidence": 20.0, "companion": 1.0, "stays": 1.0}
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows to fit on, rows held out
Bools = NDArray[np.bool_]
TINY = 1e-9
NEVER = 1.1  # a threshold that no probability reaches


class FirstAnswer(Struct, frozen=True):
    """The first answer to a question: the features of its confidence, and whether it is right."""

    features: Floats
    right: bool
    place: int  # index into the evidence; -1 if there is none


class CompanionCandidates(Struct, frozen=True):
    """The other sentences of a question, best first: candidates to cite beside the first answer."""

    places: list[int]  # indices into the evidence
    features: Floats  # [sentences, COMPANION_FEATURES]
    needed: Bools  # [sentences]


class CrossFitted(Struct, frozen=True):
    """Cross-fitted results: for each question, by curves that were not fitted to its document."""

    firsts: list[FirstAnswer]
    confidence: Floats
    beside: list[CompanionCandidates]
    companions: list[Floats]  # the probability that each of `beside` is needed

    @property
    def right(self) -> Bools:
        return np.array([each.right for each in self.firsts], bool)


def weights_of(readings: Sequence[QuestionReading]) -> Floats:
    """A weight for each question [n]: every set has the same total, and the mean is 1."""
    names = np.array([each.dataset for each in readings])
    kinds, place, counts = np.unique(names, return_inverse=True, return_counts=True)
    weights: Floats = len(names) / len(kinds) / counts[place]
    return weights


def fit_sentences(readings: Sequence[QuestionReading]) -> Logistic:
    """Fit the choice among the sentences of a question, from questions with a right sentence."""
    used = [each for each in readings if any(each.right)]
    return fit_choice(
        np.concatenate([each.features for each in used]),
        np.concatenate([each.flags for each in used]),
        np.repeat(np.arange(len(used)), [len(each.right) for each in used]),
        weights_of(used),
        PENALTIES["sentence"],
    )


def fit_curve(features: Floats, right: Bools, weights: Floats, penalty: float = 1.0) -> Logistic:
    """A logistic curve fitted to standardized features, so that the penalty does not depend on their scale."""
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), TINY)
    scale[features.max(axis=0) - features.min(axis=0) < TINY] = np.inf  # ignore constant features
    curve = fit_logistic((features - mean) / scale, right, weights, penalty)
    rescaled = np.array(curve.weights) / scale
    return Logistic(rescaled.tolist(), curve.bias - float(rescaled @ mean))


def ranking_of(curve: Logistic, each: QuestionReading) -> tuple[list[int], Floats]:
    """Indices into the evidence, ranked as the reader does (each sentence once, best first), and their logits."""
    order, logits = ordered(each.evidence, curve)
    place_of = {id(evidence): place for place, evidence in enumerate(each.evidence)}
    return [place_of[id(evidence)] for evidence in order], logits


def first_answer(curve: Logistic, each: QuestionReading) -> FirstAnswer:
    places, logits = ranking_of(curve, each)
    if not places:
        return FirstAnswer(np.zeros(CONFIDENCE_FEATURES), right=False, place=-1)
    features = confidence_features(logits, [each.evidence[place] for place in places])[0]
    return FirstAnswer(features, each.right[places[0]], places[0])


def companion_candidates(curve: Logistic, each: QuestionReading) -> CompanionCandidates:
    """The sentences to consider beside the first answer, and whether the gold evidence needs them too."""
    places, logits = ranking_of(curve, each)
    places = places[:CONSIDERED]
    if len(places) < 2:  # there is no sentence beside the first
        return CompanionCandidates([], np.zeros((0, COMPANION_FEATURES)), np.zeros(0, bool))
    ranked = [each.evidence[place] for place in places]
    features = companion_features(logits[: len(places)], ranked, [each.texts[place] for place in places], each.rarity)
    first, others = places[0], places[1:]
    needed = {place for pieces in each.needed for place in needed_beside(first, pieces, each.evidence)}
    keys = {key(each.evidence[place]) for place in needed}
    return CompanionCandidates(
        others, features, np.array([key(each.evidence[place]) in keys for place in others], bool)
    )


def needed_beside(first: int, pieces: Sequence[Sequence[int]], evidence: Sequence[Evidence]) -> Iterator[int]:
    """The sentences of the other pieces of evidence, if the first sentence holds one of the pieces."""
    own = key(evidence[first])
    holding = [any(key(evidence[place]) == own for place in piece) for piece in pieces]
    if any(holding):
        for piece, is_held in zip(pieces, holding, strict=True):
            yield from () if is_held else piece


def key(evidence: Evidence) -> tuple[int, int]:
    return evidence.document, evidence.number


def cross_fit(readings: Sequence[QuestionReading]) -> CrossFitted:
    answering = {each.group for each in readings if any(each.right)}
    # With fewer documents than folds, a fold could have no answer to fit to: split by question instead.
    groups = [each.group if len(answering) >= FOLDS else each.id for each in readings]
    return cross_fit_on(readings, list(folds(groups, FOLDS)))


def cross_fit_on(readings: Sequence[QuestionReading], fold_rows: Sequence[Fold]) -> CrossFitted:
    firsts: dict[int, FirstAnswer] = {}
    others: dict[int, CompanionCandidates] = {}
    for fitted_on, rest in fold_rows:
        curve = fit_sentences([readings[i] for i in fitted_on])
        firsts |= {int(i): first_answer(curve, readings[i]) for i in rest}
        others |= {int(i): companion_candidates(curve, readings[i]) for i in rest}
    features = np.array([firsts[i].features for i in range(len(readings))])
    right = np.array([firsts[i].right for i in range(len(readings))], bool)
    weights = weights_of(readings)
    confidence = np.zeros(len(readings))
    companions: dict[int, Floats] = {}
    for fitted_on, rest in fold_rows:
        curve = fit_curve(features[fitted_on], right[fitted_on], weights[fitted_on], PENALTIES["confidence"])
        confidence[rest] = curve.probability(features[rest])
        companion = fit_companions([others[int(i)] for i in fitted_on], weights[fitted_on])
        companions |= {int(i): companion.probability(others[int(i)].features) for i in rest}
    places = range(len(readings))
    return CrossFitted(
        [firsts[i] for i in places], confidence, [others[i] for i in places], [companions[i] for i in places]
    )


def fit_companions(others: Sequence[CompanionCandidates], weights: Floats) -> Logistic:
    features = np.concatenate([each.features for each in others])
    needed = np.concatenate([each.needed for each in others])
    each_row = np.concatenate([np.full(len(each.needed), weight) for each, weight in zip(others, weights, strict=True)])
    return fit_curve(features, needed, each_row, PENALTIES["companion"])


def calibrate(readings: Sequence[QuestionReading], reader_sha256: str, fingerprints: dict[str, str]) -> Calibration:
    """Fit the curves to all questions. The provenance holds the cross-validated figures."""
    whole = [each.first(DEPTH) for each in readings]
    weights = weights_of(whole)
    results = cross_fit(whole)
    threshold = threshold_of(results.confidence, results.right, weights)
    features = np.array([each.features for each in results.firsts])
    precision, coverage = operation(results.confidence, results.right, weights, threshold)
    fit = Calibration(
        reader_sha256=reader_sha256,
        sentence=fit_sentences(whole),
        confidence=fit_curve(features, results.right, weights, PENALTIES["confidence"]),
        companion=fit_companions(results.beside, weights),
        needed=needed_of(results),
        stays=Logistic([0.0] * STAY_FEATURES, 0.0),
        enough=NEVER,
        threshold=threshold,
        precision=precision,
        coverage=coverage,
        depth=DEPTH,
        provenance={
            "fitted_on": fingerprints,
            "figures_on_documents_left_out": figures(whole, results, threshold),
        },
    )
    return with_early_exit(whole, fit)


def threshold_of(confidence: Floats, right: Bools, weights: Floats) -> float:
    """The threshold with the highest utility: shown right answers minus COST times shown wrong ones. 1 if none is > 0.

    The highest utility is noisy, so the lowest threshold within TOLERANCE of it is chosen: it answers more questions.
    """
    order = np.argsort(-confidence, kind="stable")
    worth = np.cumsum((weights * np.where(right, 1.0, -COST))[order])
    ends = np.append(
        confidence[order][1:] != confidence[order][:-1], True
    )  # a threshold cannot separate equal confidences
    worth = np.where(ends, worth, -np.inf)
    if not len(worth) or worth.max() <= 0:
        return 1.0
    lowest = np.flatnonzero(worth >= (1 - TOLERANCE) * worth.max())[-1]
    return float(np.floor(1000 * confidence[order][lowest]) / 1000)


def operation(confidence: Floats, right: Bools, weights: Floats, threshold: float) -> tuple[float, float]:
    """Precision and coverage at a threshold; precision is 1 if no answer is shown."""
    shown = confidence >= threshold
    shown_weight = float(weights[shown].sum())
    return float(weights[shown & right].sum()) / shown_weight if shown_weight else 1.0, shown_weight / float(
        weights.sum()
    )


def needed_of(results: CrossFitted) -> float:
    """The lowest probability at which COMPANION_PRECISION of the companions of right answers are needed."""
    right = [place for place, first in enumerate(results.firsts) if first.right]
    for least in np.arange(0.05, 1.0, 0.01):
        chosen = [(place, chosen_companions(results.companions[place], least)) for place in right]
        flags = [results.beside[place].needed[number - 1] for place, numbers in chosen for number in numbers]
        if not flags or np.mean(flags) >= COMPANION_PRECISION:
            return round(float(least), 3)
    return NEVER


def with_early_exit(readings: Sequence[QuestionReading], fit: Calibration) -> Calibration:
    """Add early exit: a curve for "the best sentence stays the best", and the probability at which to stop reading."""
    paths = [path_of(each, fit) for each in readings]
    groups = [each.group for each in readings]
    steps = [(place, step) for place, path in enumerate(paths) for step in path[:-1]]
    if len({step.stays for _, step in steps}) < 2 or len(set(groups)) < FOLDS:
        return fit
    features = np.array([step.features for _, step in steps])
    stays = np.array([step.stays for _, step in steps], bool)
    weights = weights_of(readings)[[place for place, _ in steps]]
    cross_fitted = np.zeros(len(steps))
    for fitted_on, rest in folds([groups[place] for place, _ in steps], FOLDS):
        curve = fit_curve(features[fitted_on], stays[fitted_on], weights[fitted_on], PENALTIES["stays"])
        cross_fitted[rest] = curve.probability(features[rest])
    chances: list[list[float]] = [[] for _ in paths]
    for (place, _), chance in zip(steps, cross_fitted, strict=True):
        chances[place].append(float(chance))
    enough, read = early_exit(paths, chances)
    stays_curve = fit_curve(features, stays, weights, PENALTIES["stays"])
    provenance = fit.provenance | {"passages_read_on_average": read}
    changed = {"stays": stays_curve, "enough": enough, "provenance": provenance}
    return Calibration(**{**{name: getattr(fit, name) for name in fit.__struct_fields__}, **changed})


class Step(Struct, frozen=True):
    """After a wave: the number of passages read, and whether the best sentence is already the final one."""

    read: int
    features: Floats
    stays: bool


def path_of(each: QuestionReading, fit: Calibration) -> list[Step]:
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
    """The lowest stopping probability with at least UNCHANGED equal first answers, and the mean of passages read."""
    for enough in [*np.arange(0.5, 0.999, 0.005), NEVER]:
        stops = [
            next((step for step, chance in zip(path, some, strict=False) if chance >= enough), path[-1])
            for path, some in zip(paths, chances, strict=True)
        ]
        if np.mean([step.stays for step in stops]) >= UNCHANGED:
            return round(float(enough), 3), float(np.mean([step.read for step in stops]))
    return NEVER, float(np.mean([path[-1].read for path in paths]))


def figures(
    readings: Sequence[QuestionReading], results: CrossFitted, threshold: float
) -> dict[str, dict[str, float | None]]:
    names = np.array([each.dataset for each in readings])
    chosen = {name: names == name for name in sorted(set(names))} | {"all": np.ones(len(names), bool)}
    return {name: figures_of(readings, results, np.flatnonzero(rows), threshold) for name, rows in chosen.items()}


def figures_of(
    readings: Sequence[QuestionReading], results: CrossFitted, rows: NDArray[np.intp], threshold: float
) -> dict[str, float | None]:
    """Figures of these questions. The ceiling of `coverage@90%` is the share of right answers divided by 0.9."""
    right, confidence = results.right[rows], results.confidence[rows]
    answerable = np.array([readings[i].answerable for i in rows], bool)
    overlaps = [readings[i].overlap[results.firsts[i].place] if results.firsts[i].place >= 0 else 0.0 for i in rows]
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
