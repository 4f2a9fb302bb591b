"""Decides whether two answers to one question contradict each other.

Only provable conflicts are reported: disjoint ranges of numbers, dates that differ in a part that both have, two full
names as answers to "who", a statement and its negation; and only on what the question asks. Everything else counts as
agreement.
"""

from __future__ import annotations

import re

from msgspec import Struct

from service.answering.qualifiers import speaks_of_another
from service.answering.quantities import dates_differ, quantities_differ, quantity_of

PARTICLE = r"(?:de|del|della|der|den|di|da|du|la|le|van|von|zu|al|bin|ibn|of|the) "
NAME = re.compile(rf"[A-Z][\w'’-]*(?:\.? (?:{PARTICLE})*(?:[A-Z][\w'’.-]*))*")
SEVERAL = re.compile(r" and |,|/")
NEGATION = re.compile(
    r"\b(?:not|no|never|nobody|none|neither|nor|cannot|without|denied|denies)\b|n['’]t\b", re.IGNORECASE
)
WORD = re.compile(r"\w+")
ASKS_WHO = re.compile(
    r"^(?:who|whom|whose|which (?:person|man|woman|country|city|town|team|company|party))\b", re.IGNORECASE
)
ASKS_WHETHER = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|must)\b", re.IGNORECASE
)
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the is are was were be been do does did has have had can could will would may might not no never cannot "
        "of to in on at by for with and or that this it its his her their he they she said says nobody",
    )
)


class Statement(Struct, frozen=True):
    """A cited sentence, and its words that answer the question."""

    text: str
    answer: str


def conflict(question: str, a: Statement, b: Statement) -> str | None:
    """The kind of conflict: "number", "date", "name", "polarity"; None if both can be true."""
    if plain(a.answer) == plain(b.answer) or not of_one_thing(question, a.text, b.text):
        return None
    if (differ := dates_differ(a.answer, b.answer)) is not None:
        return "date" if differ else None
    first, second = quantity_of(a.answer, a.text), quantity_of(b.answer, b.text)
    if first and second:
        return "number" if quantities_differ(first, second) else None
    if ASKS_WHETHER.match(question.strip()):
        return "polarity" if denies(a.text, b.text) else None
    if ASKS_WHO.match(question.strip()) and names_differ(a.answer, b.answer):
        return "name"
    return None


def of_one_thing(question: str, a: str, b: str) -> bool:
    """Whether both contain about as many words of the question: at least half as many, give or take one."""
    if speaks_of_another(question, a, b) or speaks_of_another(question, b, a):
        return False
    asked = stems(question)
    first, second = len(asked & stems(a)), len(asked & stems(b))
    return 2 * min(first, second) >= max(first, second) - 1


def in_common(a: str, b: str) -> float:
    """The share of the content words of the shorter that are in the other too."""
    first, second = stems(a), stems(b)
    return len(first & second) / max(1, min(len(first), len(second)))


def plain(text: str) -> str:
    return " ".join(WORD.findall(text.lower()))


def denies(a: str, b: str) -> bool:
    """Whether one negates the other: the same words except for a negation."""
    if bool(NEGATION.search(a)) == bool(NEGATION.search(b)):
        return False
    first, second = (stems(text) for text in (a, b))
    shorter = min(len(first), len(second))
    return shorter > 0 and len(first & second) == shorter


def stems(text: str) -> set[str]:
    """Content words, truncated so that "works" and "work" are equal."""
    return {word[:4] for word in WORD.findall(text.lower()) if word not in FUNCTION_WORDS}


def names_differ(a: str, b: str) -> bool:
    """Whether both are a single name, and they share no part."""
    if not (NAME.fullmatch(a.strip()) and NAME.fullmatch(b.strip())):
        return False
    if SEVERAL.search(a) or SEVERAL.search(b):
        return False
    return not set(plain(a).split()) & set(plain(b).split())
