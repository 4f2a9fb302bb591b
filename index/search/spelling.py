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
SHORT = 5  # letters of a word in which one letter for another is no mistake: "modal", "model"
ENDINGS = ("s", "es", "d", "ed", "n", "r", "er", "ing", "ly", "able")
QUESTION_WORDS = ("which", "what", "when", "where", "does", "could", "should", "would", "many", "much")


def corrected(question: str, is_known: Callable[[str], bool], alike: Callable[[str], list[str]]) -> str:
    """`"wich platfroms?"` -> `"which platforms?"`. Capitalised words after the first count as names.

    `is_known`: whether a word is spelt correctly. `alike`: texts with a word that differs by one mistake.
    """

    def word_of(found: re.Match[str]) -> str:
        word = found[0]
        is_name = word[1:] != word[1:].lower() or (word[0].isupper() and found.start() > 0)
        if len(word) < SHORTEST or is_name or not word.isascii() or any(map(is_known, forms(word))):
            return word
        return nearest(word.lower(), alike(word)) or word

    return WORD.sub(word_of, question)


def forms(word: str) -> list[str]:
    """The word, and what remains without an ending: "bans" -> "bans", "ban"."""
    stems = [word.removesuffix(ending) for ending in ENDINGS if word.endswith(ending)]
    return [word, *(stem for stem in stems if len(stem) >= SHORTEST - 1)]


def nearest(word: str, texts: list[str]) -> str | None:
    """The word of the texts, or the word that asks, that differs by one mistake; the most frequent of several."""
    counts = Counter(found.lower() for text in texts for found in WORD.findall(text))
    counts.update(dict.fromkeys(QUESTION_WORDS, sum(counts.values()) + 1))
    # The first letter is seldom wrong, and "uninstall" is no mistake for "install".
    alike = [other for other in counts if other[0] == word[0] and is_mistake(word, other)]
    return min(alike, key=lambda other: (-counts[other], other), default=None)


def is_mistake(word: str, other: str) -> bool:
    """Whether a word is another with a letter too many, too few, swapped, or in a longer word, wrong."""
    if abs(len(word) - len(other)) > 1 or edits(word, other) != 1:
        return False
    return len(word) > SHORT or len(word) != len(other) or sorted(word) == sorted(other)


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
