"""Logistic regression, a conditional logit, and folds by group, with numpy and scipy alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from service.reader.calibration import Floats, Logistic

TINY = 1e-300  # avoids the logarithm of 0
PENALTY = 1.0  # L2: half of it times the squared weights


def fit_logistic(
    features: Floats, right: NDArray[np.bool_], weights: Floats | None = None, penalty: float = PENALTY
) -> Logistic:
    """Logistic regression with rows weighted by `weights` and an L2 penalty on the weights, not on the bias."""
    importance = np.ones(len(right)) if weights is None else weights
    if right.all() or not right.any():  # with a single class, predict its smoothed frequency
        chance = (right.sum() + 1) / (len(right) + 2)
        return Logistic([0.0] * features.shape[1], float(np.log(chance / (1 - chance))))
    signs = np.where(right, 1.0, -1.0)

    def loss(curve: Floats) -> tuple[float, Floats]:
        margins = signs * (features @ curve[:-1] + curve[-1])
        slope = -importance * signs * expit(-margins)
        value = float(importance @ np.logaddexp(0.0, -margins) + penalty * (curve[:-1] @ curve[:-1]) / 2)
        return value, np.append(features.T @ slope + penalty * curve[:-1], slope.sum())

    solution = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return Logistic(solution.x[:-1].tolist(), float(solution.x[-1]))


def fit_choice(
    features: Floats, right: NDArray[np.bool_], lists: NDArray[np.intp], weights: Floats, penalty: float = PENALTY
) -> Logistic:
    """Conditional logit: maximizes the probability that a softmax over each list puts on its right rows.

    features: [n, k]; lists: [n], the number of a row's list, ascending from 0; weights: one per list. Every list needs
    a right row. The bias is 0, because it does not change the choice.
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

    solution = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return Logistic(solution.x.tolist(), 0.0)


def folds(groups: Sequence[str], count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """`count` folds of similar size: the rows to fit on, and the rows held out. No group is on both sides."""
    sizes = Counter(groups)
    load = [0] * min(count, len(sizes))
    fold_of: dict[str, int] = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        lightest = load.index(min(load))
        fold_of[group] = lightest
        load[lightest] += sizes[group]
    fold_numbers = np.array([fold_of[group] for group in groups])
    for fold in range(len(load)):
        yield np.flatnonzero(fold_numbers != fold), np.flatnonzero(fold_numbers == fold)
