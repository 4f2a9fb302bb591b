"""Fitting logistic curves, and parting questions into folds, without more than numpy and scipy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from service.reader.calibration import Floats, Logistic

TINY = 1e-300  # below any chance that counts
PENALTY = 1.0  # on the squared weights, half of it


def fit_logistic(
    features: Floats, right: NDArray[np.bool_], weights: Floats | None = None, penalty: float = PENALTY
) -> Logistic:
    """The curve with the highest likelihood, each row counting `weights` times; the bias is free, the weights cost."""
    importance = np.ones(len(right)) if weights is None else weights
    if right.all() or not right.any():  # one sort of row alone says nothing about the other
        chance = (right.sum() + 1) / (len(right) + 2)
        return Logistic([0.0] * features.shape[1], float(np.log(chance / (1 - chance))))
    signs = np.where(right, 1.0, -1.0)

    def loss(curve: Floats) -> tuple[float, Floats]:
        margins = signs * (features @ curve[:-1] + curve[-1])
        slope = -importance * signs * expit(-margins)
        value = float(importance @ np.logaddexp(0.0, -margins) + penalty * (curve[:-1] @ curve[:-1]) / 2)
        return value, np.append(features.T @ slope + penalty * curve[:-1], slope.sum())

    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return Logistic(found.x[:-1].tolist(), float(found.x[-1]))


def fit_choice(
    features: Floats, right: NDArray[np.bool_], lists: NDArray[np.intp], weights: Floats, penalty: float = PENALTY
) -> Logistic:
    """The weights with which a softmax over each list most likely chooses one of its right rows.

    features: [n, k]; lists: [n], the number of the list that a row is in, rising from 0; weights: one for each list.
    Every list needs a right row. The bias, which no choice depends on, is 0.
    """
    begin = np.flatnonzero(np.diff(lists, prepend=-1))

    def loss(curve: Floats) -> tuple[float, Floats]:
        logits = features @ curve
        logits -= np.maximum.reduceat(logits, begin)[lists]
        chances = np.exp(logits)
        chances /= np.add.reduceat(chances, begin)[lists]
        hit = np.add.reduceat(chances * right, begin)
        slope = weights[lists] * (chances - chances * right / np.maximum(hit, TINY)[lists])
        value = float(-weights @ np.log(np.maximum(hit, TINY)) + penalty * (curve @ curve) / 2)
        return value, features.T @ slope + penalty * curve

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return Logistic(found.x.tolist(), 0.0)


def folds(groups: Sequence[str], count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to fit on and rows left out, `count` times; no group is on both sides, and the folds are of like size."""
    sizes = Counter(groups)
    load = [0] * min(count, len(sizes))
    fold_of: dict[str, int] = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        lightest = load.index(min(load))
        fold_of[group] = lightest
        load[lightest] += sizes[group]
    held = np.array([fold_of[group] for group in groups])
    for fold in range(len(load)):
        yield np.flatnonzero(held != fold), np.flatnonzero(held == fold)
