"""Whether two answers to one question can both hold.

Told only where it can be shown: numbers whose ranges do not meet, dates that differ in a part that both name, two whole
names in answer to "who", one statement and its denial; and only of what is asked. Everything else is taken to agree.
"""

from __future__ import annotations

import re

from msgspec import Struct

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
    """A sentence cited, and the words of it that answer."""

    text: str
    answer: str


def conflict(question: str, a: Statement, b: Statement) -> str | None:
    """What two statements are at odds about: "number", "date", "name", "polarity"; None where both can hold."""
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
    """Whether one holds, all in all, as many words of the question as the other: half as many, give or take one."""
    asked = stems(question)
    first, second = len(asked & stems(a)), len(asked & stems(b))
    return 2 * min(first, second) >= max(first, second) - 1


def plain(text: str) -> str:
    return " ".join(WORD.findall(text.lower()))


def denies(a: str, b: str) -> bool:
    """Whether one says what the other denies: the same words but for a negation."""
    if bool(NEGATION.search(a)) == bool(NEGATION.search(b)):
        return False
    first, second = (stems(text) for text in (a, b))
    shorter = min(len(first), len(second))
    return shorter > 0 and len(first & second) == shorter


def stems(text: str) -> set[str]:
    """Words that mean something, cut short, so that "works" and "work" are one."""
    return {word[:4] for word in WORD.findall(text.lower()) if word not in FUNCTION_WORDS}


def names_differ(a: str, b: str) -> bool:
    """Whether both are one name each, and they share no part."""
    if not (NAME.fullmatch(a.strip()) and NAME.fullmatch(b.strip())):
        return False
    if SEVERAL.search(a) or SEVERAL.search(b):
        return False
    return not set(plain(a).split()) & set(plain(b).split())
