"""Fitting logistic curves, and parting questions into folds, without more than numpy and scipy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from service.curves import Floats, Logistic

PENALTY = 1.0  # on the squared weights, half of it


def fit_logistic(features: Floats, right: NDArray[np.bool_], weights: Floats | None = None) -> Logistic:
    """The curve with the highest likelihood, each row counting `weights` times; the bias is free, the weights cost."""
    importance = np.ones(len(right)) if weights is None else weights
    if right.all() or not right.any():  # one sort of row alone says nothing about the other
        chance = (right.sum() + 1) / (len(right) + 2)
        return Logistic([0.0] * features.shape[1], float(np.log(chance / (1 - chance))))
    signs = np.where(right, 1.0, -1.0)

    def loss(curve: Floats) -> tuple[float, Floats]:
        margins = signs * (features @ curve[:-1] + curve[-1])
        slope = -importance * signs * expit(-margins)
        value = float(importance @ np.logaddexp(0.0, -margins) + PENALTY * (curve[:-1] @ curve[:-1]) / 2)
        return value, np.append(features.T @ slope + PENALTY * curve[:-1], slope.sum())

    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return Logistic(found.x[:-1].tolist(), float(found.x[-1]))


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
