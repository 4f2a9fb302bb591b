"""Logistic curves, and what a fit of them to test sets is kept as."""

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
        # Summed row by row, so that a row's bits do not depend on how many rows there are.
        logits: Floats = np.add.reduce(features * np.array(self.weights), axis=1) + self.bias
        return logits

    def probability(self, features: Floats) -> Floats:
        probabilities: Floats = 1 / (1 + np.exp(-self.logits(features)))
        return probabilities


class Fit(Struct, frozen=True):
    """What a reader was fitted to, and where that came from."""

    sentence: Logistic
    confidence: Logistic
    threshold: float
    provenance: dict[str, object]
