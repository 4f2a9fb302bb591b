"""Logistic curves, and the file format of a fit."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Logistic(Struct, frozen=True):
    """The probability 1 / (1 + exp(-(bias + weights · features)))."""

    weights: list[float]
    bias: float

    def logits(self, features: Floats) -> Floats:
        """The logits [n] of features [n, len(weights)]."""
        # Summed row by row, so that a row's bits do not depend on the number of rows.
        logits: Floats = np.add.reduce(features * np.array(self.weights), axis=1) + self.bias
        return logits

    def probability(self, features: Floats) -> Floats:
        probabilities: Floats = 1 / (1 + np.exp(-self.logits(features)))
        return probabilities


class Fit(Struct, frozen=True):
    """A fit, and what it was fitted to."""

    sentence: Logistic
    confidence: Logistic
    threshold: float
    provenance: dict[str, object]
