"""Hard negatives: turn an example that answers into one that only seems to.

Remove the sentences that answer, pair the question with the best wrong passage of a word search, or replace a word of
the question by another of its kind: a number, a name, an opposite, a word with the same ending.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from eval.training.examples import Example, joined

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
WEIGHTS = {
    "year": 3,
    "number": 3,
    "name": 3,
    "opposite": 3,
    "denial": 0.5,
}  # sampling weights of the kinds of words; 1 for other kinds
SHORTEST = 4  # letters of a word that is swapped for one with the same ending
SEARCHED = 12  # best passages that negatives are chosen from
BEST = 6  # of them, the wrong ones to sample from
SEARCHED_AT_ONCE = 256  # questions per matrix product


def without_answer(example: Example, question: str | None = None) -> Example:
    return replace(example, question=question or example.question, answers=[], right=[])


def holds_answer(text: str, example: Example) -> bool:
    answers = {example.text[slice(*span)].strip().lower() for span in example.answers}
    return any(answer in text.lower() for answer in answers)


def cut_answer(example: Example) -> Example | None:
    """The passage without the sentences that answer. None if nothing else remains, or the answer occurs elsewhere."""
    remaining = [i for i in range(len(example.sentences)) if i not in example.right]
    if not remaining:
        return None
    text, sentences = joined([example.text[slice(*example.sentences[i])] for i in remaining])
    return None if holds_answer(text, example) else without_answer(replace(example, text=text, sentences=sentences))


def swap_word(example: Example, rng: random.Random) -> Example | None:
    """The same passage with one word of the question replaced, so that it no longer answers. None if no word fits."""
    question_words = list(WORD.finditer(example.question))
    lowercase = {match[0].lower() for match in question_words}
    replacements: dict[str | None, list[str]] = defaultdict(list)
    for word in dict.fromkeys(match[0] for match in WORD.finditer(example.text)):
        if word.lower() not in lowercase:
            replacements[kind_of(word)].append(word)
    denials = lowercase & {*DENIALS, *DENIALS.values()}
    choices = []
    for match in question_words:
        word = match[0]
        if word in OPPOSITES:
            choices.append((match, [OPPOSITES[word]], WEIGHTS["opposite"]))
        elif word in DENIALS and len(denials) == 1:
            choices.append((match, [DENIALS[word]], WEIGHTS["denial"]))
        elif (kind := kind_of(word)) and match.start() and word.lower() in example.text.lower() and replacements[kind]:
            choices.append((match, replacements[kind], WEIGHTS.get(kind, 1)))
    if not choices:
        return None
    ((match, others, _),) = rng.choices(choices, [weight for *_, weight in choices])
    question = example.question[: match.start()] + rng.choice(others) + example.question[match.end() :]
    return without_answer(example, question)


def kind_of(word: str) -> str | None:
    """The kind of word that may replace a word: "1871" -> "year", "Paris" -> "name", "founded" -> "ed"; or None."""
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
    examples: Sequence[Example], every: Sequence[Example], count: int, rng: random.Random
) -> list[list[Example]]:
    """For each example, up to `count` of the best passages of other contexts that do not contain its answer."""
    pool = list({example.text: example for example in every}.values())
    if not count or len(pool) == 1:
        return [[] for _ in examples]
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    matrix = vectorizer.fit_transform([example.above + example.text for example in pool]).T.tocsr()
    chosen = []
    for start in range(0, len(examples), SEARCHED_AT_ONCE):
        some = examples[start : start + SEARCHED_AT_ONCE]
        scores = (vectorizer.transform([example.above + example.question for example in some]) @ matrix).toarray()
        order = np.argsort(-scores, axis=1, kind="stable")[:, :SEARCHED]
        for example, places in zip(some, order, strict=True):
            others = [pool[place] for place in places if is_wrong(pool[place], example)][:BEST]
            others = rng.sample(others, min(count, len(others)))
            chosen.append(
                [without_answer(replace(example, above=o.above, text=o.text, sentences=o.sentences)) for o in others]
            )
    return chosen


def is_wrong(other: Example, example: Example) -> bool:
    return other.context != example.context and other.text != example.text and not holds_answer(other.text, example)


def wrong_sentence(example: Example) -> Example | None:
    """A passage of one wrong sentence: the one that shares the most words with the question. None if there is none."""
    question_words = {match[0].lower() for match in WORD.finditer(example.question)} - ENGLISH_STOP_WORDS
    texts = [example.text[slice(*span)] for i, span in enumerate(example.sentences) if i not in example.right]
    shared = [len(question_words & {match[0].lower() for match in WORD.finditer(text)}) for text in texts]
    if not texts or not max(shared):
        return None
    best = texts[int(np.argmax(shared))]
    if holds_answer(best, example):
        return None
    text, sentences = joined([best])
    return without_answer(replace(example, text=text, sentences=sentences))
