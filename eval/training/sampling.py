"""Which lessons the reader is given: passages and lone sentences that answer, and what only looks as if it did."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from eval.training.examples import Lesson, joined, lessons_of, moved
from eval.training.negatives import cut_out, swapped, wrong_passages, wrong_sentence


class Share(Struct, frozen=True):
    """How many lessons of each kind a set gives, at most; all of them where there are fewer."""

    plain: int
    unanswerable: int = 0  # as they were written
    cut: int = 0  # the sentence of the answer taken out
    found: int = 0  # the best wrong passage of a word search
    swapped: int = 0  # a word of the question swapped
    alone: int = 0  # the right sentence alone, and as many wrong ones
    times: int = 1  # how often those of the first two kinds come


MIX = {
    "squad2_train": Share(1440, unanswerable=1477, cut=300, found=900, swapped=500, alone=300, times=2),
    "squadshifts_reddit": Share(800, cut=100, found=250, swapped=200, alone=100),
    "squadshifts_amazon_reviews": Share(700, cut=100, found=250, swapped=200, alone=100),
    "qamr_wiki_devtest": Share(800, cut=100, found=50, swapped=200, alone=100),
    "fairytaleqa_train": Share(700, cut=60, found=250, swapped=80, alone=80),
    "policyqa_dev": Share(60, found=20),
    "policyqa_test": Share(60, found=20),
    "friendsqa_devtst": Share(150, found=30, swapped=20),
    "tatqa_text": Share(150, found=40, swapped=30),
    "selqa_test": Share(1000, unanswerable=500, alone=250),
    "trecqa_train": Share(127, unanswerable=80),
    "nqg_squadtrain_pairs": Share(2800, found=800, swapped=700, alone=350),
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
    plain = [lesson for lesson in every if lesson.right][: share.plain]
    chosen = share.times * (plain + [lesson for lesson in every if not lesson.right][: share.unanswerable])
    chosen += up_to(share.cut, map(cut_out, plain))
    chosen += up_to(share.swapped, (swapped(lesson, dice) for lesson in plain))
    chosen += up_to(share.alone, map(alone, plain)) + up_to(share.alone, map(wrong_sentence, plain))
    return chosen + up_to(share.found, wrong_passages(plain, every)) if share.found else chosen


def up_to(count: int, made: Iterator[Lesson | None]) -> list[Lesson]:
    found: list[Lesson] = []
    while len(found) < count and (each := next(made, "end")) != "end":
        if isinstance(each, Lesson):
            found.append(each)
    return found


def alone(lesson: Lesson) -> Lesson | None:
    """The sentence that answers, without those around it; None where several do."""
    if len(lesson.right) != 1 or len(lesson.sentences) == 1:
        return None
    span = lesson.sentences[lesson.right[0]]
    text, sentences = joined([lesson.text[slice(*span)]])
    answers = [moved(answer, -span.start) for answer in lesson.answers if span.start <= answer.start < span.end]
    if any(answer.end > len(text) for answer in answers):
        return None
    return replace(lesson, text=text, sentences=sentences, answers=answers, right=[0])


def counted(chosen: Sequence[Lesson]) -> dict[str, tuple[int, int]]:
    """Of each set, how many lessons answer and how many do not."""
    ordered = sorted(chosen, key=lambda lesson: lesson.source)
    groups = {name: list(group) for name, group in groupby(ordered, key=lambda lesson: lesson.source)}
    return {name: (sum(bool(x.right) for x in g), sum(not x.right for x in g)) for name, g in groups.items()}
