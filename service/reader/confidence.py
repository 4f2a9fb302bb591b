"""How sure an answer is, from everything that was read: itself, what comes after it, the other passages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.reader.calibration import Floats
from service.reader.span_features import Evidence, table

# The columns of `Evidence.features`.
HERE, SHARE, SENTENCE, SPAN, HERE_LOGIT, RELEVANCE, RANK, COSINE = range(8)
FARTHEST = 5.0  # of a lead or a logarithm, what counts
ALONE = -1.0  # the logit of an answer that is not there, below that of the only one
BASE = 13
CROSSED = (0, 3, 7)  # logit, "here" and relevance, which are multiplied with all of the base
PRODUCTS = [(a, b) for a in range(BASE) for b in range(a, BASE) if a in CROSSED or b in CROSSED]
CONFIDENCE_FEATURES = BASE + len(PRODUCTS)


def confidence_features(logits: Floats, ranked: Sequence[Evidence]) -> Floats:
    """Logits [n] of `ranked`, descending -> [n, CONFIDENCE_FEATURES]: features of about -1 to 1 and products."""
    base = base_features(logits, ranked)
    first, second = (list(places) for places in zip(*PRODUCTS, strict=True))
    return np.concatenate([base, base[:, first] * base[:, second]], axis=1)


def base_features(logits: Floats, ranked: Sequence[Evidence]) -> Floats:
    """[n, BASE]: the answer's logit and leads, what the network says of it, its passage and the other passages."""
    features = table(ranked)
    following = np.append(logits[1:], logits[-1:] + ALONE)
    elsewhere = beside(logits, ranked, logits[-1] + ALONE)
    here = beside(features[:, HERE_LOGIT], ranked, -1.0)
    relevant = features[:, RELEVANCE].max() - features[:, RELEVANCE]
    best = [features[:, column].argmax() for column in (SPAN, SENTENCE)]
    agreement = sum(np.arange(len(logits)) == place for place in best)
    columns = [
        np.clip(logits, -2 * FARTHEST, FARTHEST) / FARTHEST,
        np.minimum(logits - following, FARTHEST) / FARTHEST,
        np.clip(logits - elsewhere, -FARTHEST, FARTHEST) / FARTHEST,
        features[:, HERE_LOGIT],
        np.maximum(features[:, SHARE], -FARTHEST) / FARTHEST,
        np.maximum(features[:, SENTENCE], -FARTHEST) / FARTHEST,
        np.maximum(features[:, SPAN], -2 * FARTHEST) / FARTHEST,
        features[:, RELEVANCE],
        np.minimum(relevant, 1.0),
        features[:, RANK],
        features[:, COSINE],
        here,
        agreement / 2,
    ]
    return np.column_stack(columns)


def beside(values: Floats, ranked: Sequence[Evidence], otherwise: float) -> Floats:
    """Of each, the highest value in another passage; `otherwise` where there is no other."""
    passages = np.array([each.hit for each in ranked])
    best = {passage: float(values[passages == passage].max()) for passage in set(passages.tolist())}
    order = sorted(best, key=lambda passage: -best[passage])
    if len(order) == 1:
        return np.full(len(values), otherwise)
    return np.where(passages == order[0], best[order[1]], best[order[0]])
