"""Corrects misspelt words of a question to the nearest word of the documents.

A word is misspelt if no passage has it and the encoder does not know it as a whole: "platfroms" is made of wordpieces,
"horse" is one. So a question about horses is not turned into one about houses, and names stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from os.path import commonprefix

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
    counts.update(dict.fromkeys(QUESTION_WORDS, counts.total() + 1))  # preferred: "wich" is "which", not "with"
    # The first letter is seldom wrong, and "uninstall" is no mistake for "install".
    alike = [other for other in counts if other[0] == word[0] and is_mistake(word, other)]
    return min(alike, key=lambda other: (-counts[other], other), default=None)


def is_mistake(word: str, other: str) -> bool:
    """Whether a word is another with a letter too many, too few, swapped with the next, or in a longer word, wrong."""
    start = len(commonprefix([word, other]))  # noqa: RUF071  # letters, not paths
    wrong, right = word[start:], other[start:]
    swapped = wrong[:2] == right[1::-1] and wrong[2:] == right[2:]
    replaced = len(word) > SHORT and wrong[1:] == right[1:]
    return word != other and (wrong[1:] == right or wrong == right[1:] or swapped or replaced)
