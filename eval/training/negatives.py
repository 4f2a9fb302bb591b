"""Ways from a lesson that answers to one that only looks as if it did.

The sentence of the answer is taken out, the question is put to the best wrong passage that word search finds, or a word
of the question becomes another of its kind: a number, a name, an opposite, a word with the same ending.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from eval.training.examples import Lesson, joined

WORD = re.compile(r"[^\W_]+(?:[-.,'’][^\W_]+)*")
YEAR = re.compile(r"1\d{3}|20\d{2}")
ENDINGS = re.findall(
    r"\w+",
    "ing tion ment ness ity ance ence ism ist ies ers est ous ive ful ble ary ate ise ize ish ian ed ly "
    "al ic er or s y e",
)
OPPOSED = (
    "first last, most least, largest smallest, before after, increase decrease, increased decreased, more fewer, "
    "highest lowest, north south, northern southern, east west, eastern western, best worst, won lost, win lose, "
    "always never, earliest latest, early late, earlier later, larger smaller, large small, biggest smallest, "
    "longest shortest, long short, high low, higher lower, begin end, began ended, start stop, started stopped, "
    "above below, better worse, with without, rich poor, allowed banned, allow forbid, support oppose, supported "
    "opposed, accepted rejected, male female, men women, man woman, mother father, son daughter, husband wife, "
    "brother sister, king queen, old new, oldest newest, easy hard, fast slow, hot cold, major minor, maximum "
    "minimum, inside outside, internal external, positive negative, public private, rural urban, ancient modern, "
    "common rare, strong weak, strongest weakest, born died, gained lost, created destroyed, include exclude, "
    "included excluded, many few, same different"
)
DENIED = (
    "is isn't, are aren't, was wasn't, were weren't, did didn't, does doesn't, can can't, could couldn't, has hasn't"
)
PAIRS = [pair.split() for pair in OPPOSED.split(", ")]
OPPOSITES = {b: a for a, b in PAIRS} | dict(PAIRS)
DENIALS = dict(pair.split() for pair in DENIED.split(", "))
WEIGHTS = {"year": 3, "number": 3, "name": 3, "opposite": 3, "denial": 0.5}  # of the kinds of words; else 1
SHORTEST = 4  # letters of a word that is swapped for its ending
SEARCHED = 12  # passages looked through for wrong ones
BEST = 6  # of them, those that are drawn from
SEARCHED_AT_ONCE = 256  # questions


def without_answer(lesson: Lesson, question: str | None = None) -> Lesson:
    return replace(lesson, question=question or lesson.question, answers=[], right=[])


def holds_answer(text: str, lesson: Lesson) -> bool:
    answers = {lesson.text[slice(*span)].strip().lower() for span in lesson.answers}
    return any(answer in text.lower() for answer in answers)


def cut_out(lesson: Lesson) -> Lesson | None:
    """The passage without the sentences that answer; None where nothing else is left, or the answer still stands."""
    kept = [i for i in range(len(lesson.sentences)) if i not in lesson.right]
    if not kept:
        return None
    text, sentences = joined([lesson.text[slice(*lesson.sentences[i])] for i in kept])
    return None if holds_answer(text, lesson) else without_answer(replace(lesson, text=text, sentences=sentences))


def swapped(lesson: Lesson, dice: random.Random) -> Lesson | None:
    """The same passage, asked about another number or name of it, about the opposite, or with a word of it astray."""
    asked = list(WORD.finditer(lesson.question))
    known = {match[0].lower() for match in asked}
    said: dict[str | None, list[str]] = defaultdict(list)
    for word in dict.fromkeys(match[0] for match in WORD.finditer(lesson.text)):
        if word.lower() not in known:
            said[kind_of(word)].append(word)
    denied = known & {*DENIALS, *DENIALS.values()}
    tried = []
    for match in asked:
        word = match[0]
        if word in OPPOSITES:
            tried.append((match, [OPPOSITES[word]], WEIGHTS["opposite"]))
        elif word in DENIALS and len(denied) == 1:
            tried.append((match, [DENIALS[word]], WEIGHTS["denial"]))
        elif (kind := kind_of(word)) and match.start() and word.lower() in lesson.text.lower() and said[kind]:
            tried.append((match, said[kind], WEIGHTS.get(kind, 1)))
    if not tried:
        return None
    ((match, others, _),) = dice.choices(tried, [weight for *_, weight in tried])
    question = lesson.question[: match.start()] + dice.choice(others) + lesson.question[match.end() :]
    return without_answer(lesson, question)


def kind_of(word: str) -> str | None:
    """What a word may be swapped for: "1871" -> "year", "Paris" -> "name", "founded" -> "ed"; None: for nothing."""
    if YEAR.fullmatch(word):
        return "year"
    if word[0].isdigit():
        return "number"
    if word.lower() in ENGLISH_STOP_WORDS or len(word) < SHORTEST:
        return None
    if word[0].isupper():
        return "name"
    return next((ending for ending in ENDINGS if word.endswith(ending)), None)


def wrong_passages(
    asked: Sequence[Lesson], every: Sequence[Lesson], count: int, dice: random.Random
) -> list[list[Lesson]]:
    """For each lesson, up to `count` of the best passages of other contexts without the words of its answer."""
    pool = list({lesson.text: lesson for lesson in every}.values())
    if not count or len(pool) == 1:
        return [[] for _ in asked]
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    matrix = vectorizer.fit_transform([lesson.above + lesson.text for lesson in pool]).T.tocsr()
    chosen = []
    for start in range(0, len(asked), SEARCHED_AT_ONCE):
        some = asked[start : start + SEARCHED_AT_ONCE]
        scores = (vectorizer.transform([lesson.above + lesson.question for lesson in some]) @ matrix).toarray()
        order = np.argsort(-scores, axis=1, kind="stable")[:, :SEARCHED]
        for lesson, places in zip(some, order, strict=True):
            others = [pool[place] for place in places if is_wrong(pool[place], lesson)][:BEST]
            others = dice.sample(others, min(count, len(others)))
            chosen.append(
                [without_answer(replace(lesson, above=o.above, text=o.text, sentences=o.sentences)) for o in others]
            )
    return chosen


def is_wrong(other: Lesson, lesson: Lesson) -> bool:
    return other.context != lesson.context and other.text != lesson.text and not holds_answer(other.text, lesson)


def wrong_sentence(lesson: Lesson) -> Lesson | None:
    """The sentence beside the answer that shares most words with the question, alone."""
    asked = {match[0].lower() for match in WORD.finditer(lesson.question)} - ENGLISH_STOP_WORDS
    texts = [lesson.text[slice(*span)] for i, span in enumerate(lesson.sentences) if i not in lesson.right]
    shared = [len(asked & {match[0].lower() for match in WORD.finditer(text)}) for text in texts]
    if not texts or not max(shared):
        return None
    best = texts[int(np.argmax(shared))]
    if holds_answer(best, lesson):
        return None
    text, sentences = joined([best])
    return without_answer(replace(lesson, text=text, sentences=sentences))
