"""Which lessons the reader is given: passages that answer, and those that only look as if they did.

Five ways to a passage without the answer: written so by hand (squad2), the answer's sentence taken out, the best wrong
passage that word search finds, the question's number or name swapped, its polarity or extreme swapped.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from sklearn.feature_extraction.text import TfidfVectorizer

from eval.pool import Lesson, lessons_of
from index.types import Span

NUMBER = re.compile(r"\b\d[\d,.]*\b")
NAME = re.compile(r"(?<=\w )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})*")  # never the first word of a sentence
PAIRS = (
    "first last, most least, largest smallest, before after, increase decrease, more fewer, highest lowest, "
    "north south, best worst, won lost, is isn't, are aren't, was wasn't, were weren't, did didn't, does doesn't, "
    "can can't, always never, earliest latest"
)
BOTH = [pair.split() for pair in PAIRS.split(", ")]
OPPOSITES = dict(BOTH) | {b: a for a, b in BOTH}
SEARCHED = 12  # passages looked through for a wrong one
DISTRACTORS = 3  # sentences put around one that came alone


class Share(Struct, frozen=True):
    """How many lessons of each kind a set gives, at most; all of them where there are fewer."""

    plain: int
    unanswerable: int = 0
    cut: int = 0
    found: int = 0
    swapped: int = 0


MIX = {
    "squad2_train": Share(1440, unanswerable=1477, cut=500, found=800, swapped=250),
    "squadshifts_reddit": Share(1100, cut=200, found=350, swapped=150),
    "squadshifts_amazon_reviews": Share(900, cut=200, found=300, swapped=100),
    "qamr_wiki_devtest": Share(1200),
    "fairytaleqa_train": Share(700, cut=100, found=250),
    "policyqa_dev": Share(120, found=30),
    "policyqa_test": Share(120, found=30),
    "friendsqa_devtst": Share(250, found=50),
    "tatqa_text": Share(200, found=50),
    "selqa_test": Share(800, unanswerable=350),
    "trecqa_train": Share(127, unanswerable=100),
    "nqg_squadtrain_pairs": Share(700),
}


def lessons(folder: Path, seed: int, mix: dict[str, Share] | None = None) -> list[Lesson]:
    """The lessons of every set in `mix` that the folder holds, shuffled; the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311
    chosen: list[Lesson] = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        name = path.name.split(".")[0].removeprefix("pairs_")
        share = (mix or MIX).get(name)
        if share is not None:
            chosen += of_set(list(lessons_of(path)), share, dice)
    dice.shuffle(chosen)
    return chosen


def of_set(every: list[Lesson], share: Share, dice: random.Random) -> list[Lesson]:
    dice.shuffle(every)
    answered = [lesson for lesson in every if lesson.right]
    plain = answered[: share.plain]
    chosen = [
        surrounded(each, answered, dice) if len(each.sentences) == 1 and not each.answers else each for each in plain
    ]
    chosen += [lesson for lesson in every if not lesson.right][: share.unanswerable]
    chosen += up_to(share.cut, (cut_out(lesson) for lesson in plain))
    chosen += up_to(share.swapped, (swapped(lesson, dice) for lesson in plain))
    return chosen + up_to(share.found, wrong_passages(plain, every)) if share.found else chosen


def up_to(count: int, made: Iterator[Lesson | None]) -> list[Lesson]:
    found: list[Lesson] = []
    while len(found) < count and (each := next(made, "end")) != "end":
        if isinstance(each, Lesson):
            found.append(each)
    return found


def cut_out(lesson: Lesson) -> Lesson | None:
    """The passage without the sentences that answer; None where nothing else is left, or the answer still stands."""
    kept = [i for i in range(len(lesson.sentences)) if i not in lesson.right]
    if not kept:
        return None
    texts = [lesson.text[slice(*lesson.sentences[i])] for i in kept]
    sentences, text = joined(texts)
    return None if holds_answer(text, lesson) else without_answer(lesson, text, sentences)


def joined(texts: Sequence[str]) -> tuple[list[Span], str]:
    text = ""
    sentences: list[Span] = []
    for each in texts:
        text += " " if text else ""
        sentences.append(Span(len(text), len(text) + len(each)))
        text += each
    return sentences, text


def holds_answer(text: str, lesson: Lesson) -> bool:
    answers = {lesson.text[slice(*span)].strip().lower() for span in lesson.answers}
    return any(answer in text.lower() for answer in answers)


def without_answer(lesson: Lesson, text: str, sentences: list[Span], question: str | None = None) -> Lesson:
    return replace(lesson, question=question or lesson.question, text=text, sentences=sentences, answers=[], right=[])


def swapped(lesson: Lesson, dice: random.Random) -> Lesson | None:
    """The same passage, asked about another number or name of it, or about the opposite."""
    for pattern in dice.sample([NUMBER, NAME], 2):
        asked = [match for match in pattern.finditer(lesson.question) if match[0] in lesson.text]
        others = [match[0] for match in pattern.finditer(lesson.text) if match[0] not in lesson.question]
        if asked and others:
            start, end = asked[0].span()
            question = lesson.question[:start] + dice.choice(others) + lesson.question[end:]
            return without_answer(lesson, lesson.text, lesson.sentences, question)
    words = lesson.question.split()
    for place, word in enumerate(words):
        if word in OPPOSITES:
            words[place] = OPPOSITES[word]
            return without_answer(lesson, lesson.text, lesson.sentences, " ".join(words))
    return None


def wrong_passages(asked: Sequence[Lesson], every: Sequence[Lesson]) -> Iterator[Lesson]:
    """Of each lesson, the best passage of another context that does not hold the words of its answer."""
    pool = list({lesson.text: lesson for lesson in every}.values())
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    matrix = vectorizer.fit_transform([lesson.above + lesson.text for lesson in pool])
    for lesson in asked:
        scores = (matrix @ vectorizer.transform([lesson.above + lesson.question]).T).toarray()[:, 0]
        for place in np.argsort(-scores, kind="stable")[:SEARCHED]:
            other = pool[place]
            if other.context != lesson.context and not holds_answer(other.text, lesson):
                yield without_answer(replace(lesson, above=other.above), other.text, other.sentences)
                break


def surrounded(lesson: Lesson, others: Sequence[Lesson], dice: random.Random) -> Lesson:
    """A sentence that came alone, put among sentences that answer other questions."""
    around = [each for each in dice.sample(others, DISTRACTORS) if each.text != lesson.text]
    place = dice.randrange(len(around) + 1)
    texts = [each.text.strip() for each in around]
    texts.insert(place, lesson.text.strip())
    sentences, text = joined(texts)
    return replace(lesson, text=text, sentences=sentences, right=[place], context=text)


def counted(chosen: Sequence[Lesson]) -> dict[str, tuple[int, int]]:
    """Of each set, how many lessons answer and how many do not."""
    ordered = sorted(chosen, key=lambda lesson: lesson.source)
    groups = {name: list(group) for name, group in groupby(ordered, key=lambda lesson: lesson.source)}
    return {name: (sum(bool(x.right) for x in g), sum(not x.right for x in g)) for name, g in groups.items()}
