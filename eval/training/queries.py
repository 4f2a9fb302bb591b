"""Rewrite questions as people type them: as keywords, or misspelt."""

from __future__ import annotations

import random
import re

WORD = re.compile(r"[^\W_]+(?:[-.,'’][^\W_]+)*")
FUNCTION_WORDS = frozenset(
    [
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "can",
        "could",
        "will",
        "would",
        "should",
        "may",
        "might",
        "must",
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "from",
        "by",
        "with",
        "about",
        "into",
        "that",
        "this",
        "these",
        "those",
        "it",
        "its",
        "there",
        "and",
        "or",
        "as",
    ]
)
LEAST_WORDS = 2  # words of a keyword query
LEAST_LETTERS = 5  # letters of a word that may be misspelt
SEVERAL = 6  # with so many words that may be misspelt, two of them are


def keywords(question: str) -> str:
    """`When was the old mill built?` -> `old mill built`; the question itself if too few words remain."""
    words = [match[0] for match in WORD.finditer(question) if match[0].lower() not in FUNCTION_WORDS]
    return " ".join(words) if len(words) >= LEAST_WORDS else question


def misspelt(question: str, rng: random.Random) -> str:
    """The question with a typing error in one or two words: letters swapped, omitted or doubled (`bulit`)."""
    places = [match for match in WORD.finditer(question) if len(match[0]) >= LEAST_LETTERS and match[0].isalpha()]
    chosen = rng.sample(places, min(len(places), 1 + (len(places) >= SEVERAL)))
    for match in sorted(chosen, key=lambda each: -each.start()):
        question = question[: match.start()] + wrong(match[0], rng) + question[match.end() :]
    return question


def wrong(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, len(word) - 2)
    before, one, two, after = word[:place], word[place], word[place + 1], word[place + 2 :]
    return before + rng.choice([two + one, two, one + one + two]) + after
