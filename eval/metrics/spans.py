"""Compares short texts as SQuAD does: exact match and token F1 after normalisation.

Rajpurkar et al., EMNLP 2016: lower case, no punctuation, no articles, single spaces.
"""

from __future__ import annotations

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Normalise a text.

    >>> normalised("The U.S.'s  Navy")
    'uss navy'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(answer: str, gold: str) -> float:
    return float(normalised(answer) == normalised(gold))


def token_f1(answer: str, gold: str) -> float:
    """The harmonic mean of precision and recall over tokens.

    >>> token_f1("in the Baltic Sea", "the Baltic")
    0.5
    """
    ours, theirs = normalised(answer).split(), normalised(gold).split()
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs))
