"""Whether a sentence speaks of what the question names, or of something else in its place.

"The library opens at 8 on weekdays" does not contradict "at 10 on Sundays" where the question is about Sundays. Two
signs are taken: another member of the same class (a weekday, a month, a season, a year), and another word in the place
that the question's word has in the other sentence ("in Varna" and "in Burgas", "Children pay" and "Adults pay").
"""

from __future__ import annotations

import re

TOKEN = re.compile(r"\w+(?:['’-]\w+)*")
STEM = 4  # letters of a word that are compared
YEAR = r"(?:1[0-9]|20)\d\d"
CLASSES = tuple(
    re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for words in (
        YEAR,
        r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays?|weekends?|holidays?",
        r"january|february|march|april|may|june|july|august|september|october|november|december",
        r"spring|summer|autumn|winter|fall",
        r"children|child|kids?|adults?|seniors?|students?|pensioners?|members?|guests?|visitors?",
    )
)
NOW = re.compile(r"\b(?:now|nowadays|currently|today|at present|these days)\b", re.IGNORECASE)
OVER = re.compile(
    rf"\b(?:from {YEAR} (?:to|until) {YEAR}|until {YEAR}|former(?:ly)?|previous(?:ly)?|used to)\b", re.IGNORECASE
)
PREPOSITIONS = frozenset(TOKEN.findall("in on at of for by with from to during after before under over until since"))
DETERMINERS = frozenset(TOKEN.findall("a an the this that these those its his her their our your my each every all"))
LIGHT = (
    PREPOSITIONS
    | DETERMINERS
    | frozenset(
        TOKEN.findall(
            "is are was were be been being do does did has have had can could will would should may might must not no "
            "it he she they we you i who whom whose which what when where why how many much long old far often "
            "and or but there as"
        )
    )
)


def speaks_of_another(question: str, text: str, other: str) -> bool:
    """Whether `text` has something else in the place of what the question names and `other` speaks of."""
    if NOW.search(question) and OVER.search(text):
        return True
    return _of_another_class_member(question, text) or _has_another_in_its_place(question, text, other)


def _of_another_class_member(question: str, text: str) -> bool:
    for members in CLASSES:
        named = {_stem(word) for word in members.findall(question)}
        said = {_stem(word) for word in members.findall(text)}
        if named and said and not named & said:
            return True
    return False


def _has_another_in_its_place(question: str, text: str, other: str) -> bool:
    named = {_stem(word) for word in _tokens(question) if word not in LIGHT}
    here, there = _tokens(text), _tokens(other)
    said = {_stem(word) for word in here}
    return any(
        _in_place(there, place, here, named)
        for place, word in enumerate(there)
        if word not in LIGHT and _stem(word) in named - said
    )


def _in_place(there: list[str], place: int, here: list[str], named: set[str]) -> bool:
    """Whether some word of the one sentence stands where this word of the other does."""
    before = _before(there, place)
    if before in PREPOSITIONS:
        return any(
            _before(here, at) == before and _is_another(word, there, named)
            for at, word in enumerate(here)
            if word not in LIGHT
        )
    if before:
        return False
    verbs = set(there[place + 1 : place + 3])  # the word is the subject that the sentence begins with
    return any(
        not _before(here, at, over=1) and _is_another(word, there, named) and verbs & set(here[at + 1 : at + 3])
        for at, word in enumerate(here[:4])
        if word not in LIGHT
    )


def _is_another(word: str, there: list[str], named: set[str]) -> bool:
    return _stem(word) not in named and word not in there and not word[0].isdigit()


def _before(tokens: list[str], place: int, over: int = 0) -> str:
    """The word in front of one, determiners left out, and `over` words of weight; "" at the start."""
    while place > 0:
        place -= 1
        if tokens[place] in DETERMINERS:
            continue
        if over and tokens[place] not in LIGHT:
            over -= 1
            continue
        return tokens[place]
    return ""


def _tokens(text: str) -> list[str]:
    return [word.lower() for word in TOKEN.findall(text)]


def _stem(word: str) -> str:
    return word.lower()[:STEM]
