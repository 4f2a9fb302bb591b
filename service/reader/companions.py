"""Companions: the sentences that an answer needs beside the best one, in the same document or in others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.search.terms import words
from service.reader.calibration import Floats
from service.reader.confidence import FARTHEST, HERE_LOGIT, RELEVANCE, SENTENCE, SHARE, SPAN
from service.reader.span_features import Evidence, table

MOST = 3  # companions of an answer
NEAR = 2  # sentences away
COMPANION_FEATURES = 15


def companion_features(
    logits: Floats, ranked: Sequence[Evidence], texts: Sequence[str], rarity: dict[str, float]
) -> Floats:
    """Of each sentence but the first: [n - 1, COMPANION_FEATURES].

    logits [n], descending; `rarity` of the question's words. What the network says of the sentence, how far it is from
    the first, which of the question's words it adds, and whether the two share words that the question has not.
    """
    features = table(ranked)
    first, others = ranked[0], ranked[1:]
    word_sets = [set(words(text)) for text in texts]
    total = max(sum(rarity.values()), 1e-9)
    missing = {word: value / total for word, value in rarity.items() if word not in word_sets[0]}
    rows = []
    for place, each in enumerate(others, start=1):
        same = each.document == first.document
        away = each.number - first.number if same else 0
        added = sum(value for word, value in missing.items() if word in word_sets[place])
        linking = {word for word in word_sets[0] & word_sets[place] if word not in rarity}
        rows.append(
            (
                max(logits[place], -2 * FARTHEST) / FARTHEST,
                min(logits[0] - logits[place], 2 * FARTHEST) / FARTHEST,
                features[place, HERE_LOGIT],
                max(features[place, SHARE], -FARTHEST) / FARTHEST,
                max(features[place, SENTENCE], -FARTHEST) / FARTHEST,
                max(features[place, SPAN], -2 * FARTHEST) / FARTHEST,
                features[place, RELEVANCE],
                float(each.hit == first.hit),
                float(same),
                float(away == -1),
                float(away == 1),
                float(0 < abs(away) <= NEAR),
                added,
                sum(missing.values()),
                len(linking) / max(1, min(len(word_sets[0]), len(word_sets[place]))),
            )
        )
    return np.array(rows, np.float64).reshape(len(others), COMPANION_FEATURES)
