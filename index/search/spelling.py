"""Corrects misspelt words of a question to the nearest word of the documents.

A word is misspelt if no passage has it and the encoder does not know it as a whole: "platfroms" is made of wordpieces,
"horse" is one. So a question about horses is not turned into one about houses, and names stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

WORD = re.compile(r"[^\W\d_]+")
SHORTEST = 4  # letters of a word that is corrected
LONG = 8  # letters of a word in which two mistakes are corrected
QUESTION_WORDS = ("which", "what", "when", "where", "does", "could", "should", "would", "many", "much")


def corrected(question: str, is_known: Callable[[str], bool], alike: Callable[[str, int], list[str]]) -> str:
    """`"wich platfroms?"` -> `"which platforms?"`. Capitalised words after the first count as names.

    `is_known`: whether a word is spelt correctly. `alike`: texts with words within an edit distance of one.
    """

    def word_of(found: re.Match[str]) -> str:
        word = found[0]
        is_name = word[0].isupper() and found.start() > 0
        if len(word) < SHORTEST or is_name or not word.isascii() or is_known(word):
            return word
        return nearest(word.lower(), alike(word, mistakes(word))) or word

    return WORD.sub(word_of, question)


def mistakes(word: str) -> int:
    """How many mistakes in a word are corrected."""
    return 2 if len(word) >= LONG else 1


def nearest(word: str, texts: list[str]) -> str | None:
    """The word of the texts, or the word that asks, with the fewest mistakes; the most frequent of several."""
    counts = Counter(found.lower() for text in texts for found in WORD.findall(text))
    counts.update(dict.fromkeys(QUESTION_WORDS, sum(counts.values()) + 1))
    # The first letter is seldom wrong, and "uninstall" is no mistake for "install".
    alike = [other for other in counts if other[0] == word[0] and abs(len(other) - len(word)) <= mistakes(word)]
    distances = {other: edits(word, other) for other in alike}
    best = min(distances, key=lambda other: (distances[other], -counts[other], other), default=None)
    return best if best is not None and distances[best] <= mistakes(word) else None


def edits(a: str, b: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours from one word to another.

    The optimal string alignment distance (Damerau 1964): "platfroms", "platforms" -> 1.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        before, previous, row = row, before, [i]
        for j, other in enumerate(b, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
    return row[-1]
