"""What the reader is given: groups of a question with its passage, and wrong passages that a search finds for it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from eval.training.examples import Lesson, joined, lessons_of, moved
from eval.training.negatives import cut_out, swapped, wrong_passages, wrong_sentence
from eval.training.pages import page, tables
from eval.training.queries import keywords, misspelt

ALL = 1_000_000
WRONG = 3  # wrong passages beside the one of the question, at most


class Share(Struct, frozen=True):
    """How many lessons of each kind a set gives, at most; all of them where there are fewer."""

    plain: int = ALL
    unanswerable: int = ALL  # as they were written
    cut: int = 0  # the sentences of the answer taken out
    swapped: int = 0  # a word of the question swapped
    alone: int = 0  # the right sentence alone, and as many wrong ones
    pages: int = 0  # the passage as a list, as steps, as code, under a heading; and as many tables
    typed: int = 0  # asked by keywords, and as many misspelt


class Group(Struct, frozen=True):
    """Passages for one question: the lesson as it was chosen, then wrong ones."""

    lessons: list[Lesson]


USUAL = Share(cut=500, swapped=500, alone=300, pages=500, typed=700)
SHORT = Share(cut=100, alone=50, pages=100, typed=200)
SEVERAL = Share(cut=300, alone=0, pages=300, typed=200)  # sets whose evidence is several sentences
MIX = {
    "squad2_train": Share(cut=8000, swapped=12000, alone=6000, pages=8000, typed=10000),
    "qed_train_nq": Share(cut=1500, swapped=1000, alone=800, pages=1500, typed=1500),
    "qed_dev_nq": USUAL,
    "nq_open_oracle": USUAL,
    "bioasq_6b_9b_golden": Share(cut=1500, pages=1000, typed=1000),
    "cuad_contracts": Share(cut=300, pages=300),
    "hotpotqa_pieces": SEVERAL,
    "2wikimultihop_pieces": SEVERAL,
    "musique_pieces": SEVERAL,
    "multispanqa_valid": SEVERAL,
    "quotesum_dev": SEVERAL,
    "emanual_smart_tv_s10": SEVERAL,
    "qmsum_short_evidence": Share(),
    "pubmedqa_labeled": Share(),
    "timeqa_human": USUAL,
    "contrast_sets_quoref_ropes_drop": USUAL,
    "molweni_test_dialogue": Share(plain=1500, typed=150),
    "selqa_dev": USUAL,
    "tatqa_test_gold_text": SHORT,
    "tatqa_text": SHORT,
    "narrativeqa_summaries_exact": SHORT,
    "squadshifts_reddit": USUAL,
    "squadshifts_amazon_reviews": USUAL,
    "qamr_wiki_devtest": Share(plain=10000, cut=1000, swapped=2000, alone=500),
    "fairytaleqa_train": Share(cut=500, swapped=500, alone=500, typed=500),
    "policyqa_dev": Share(plain=800, typed=100),
    "policyqa_test": Share(plain=800, typed=100),
    "friendsqa_devtst": USUAL,
    "selqa_test": Share(cut=300, alone=300, typed=300),
    "trecqa_train": Share(),
}


def groups(
    folder: Path,
    seed: int,
    most: int = ALL,
    *,
    mix: dict[str, Share] | None = None,
    wrong: int = WRONG,
    each: int | None = None,
) -> list[Group]:
    """Groups of every set in `mix` that the folder holds, shuffled, the first `most`; the same for the same seed.

    `wrong`: passages beside the one of the question; `each`: questions that are taken of a set, at most.
    """
    dice = random.Random(seed)  # noqa: S311
    sets = {
        name: list(lessons_of(path, each, dice))
        for path in sorted(folder.glob("*.jsonl.gz"))
        if (name := path.name.split(".")[0].removeprefix("pairs_")) in (mix or MIX)
    }
    chosen = list(chain.from_iterable(of_set(every, (mix or MIX)[name], dice) for name, every in sets.items()))
    dice.shuffle(chosen)
    places = range(min(most, len(chosen)))
    by_set: dict[str, list[int]] = defaultdict(list)
    for place in places:
        by_set[chosen[place].source].append(place)
    beside: dict[int, list[Lesson]] = {}
    for name, of_it in by_set.items():
        found = wrong_passages([chosen[place] for place in of_it], sets[name], wrong, dice)
        beside |= dict(zip(of_it, found, strict=True))
    return [Group([chosen[place], *beside[place]]) for place in places]


def of_set(every: list[Lesson], share: Share, dice: random.Random) -> list[Lesson]:
    dice.shuffle(every)
    plain = [lesson for lesson in every if lesson.right][: share.plain]
    chosen = plain + [lesson for lesson in every if not lesson.right][: share.unanswerable]
    chosen += up_to(share.cut, map(cut_out, plain))
    chosen += up_to(share.swapped, (swapped(lesson, dice) for lesson in plain))
    chosen += up_to(share.alone, map(alone, plain)) + up_to(share.alone, map(wrong_sentence, plain))
    chosen += up_to(share.pages, (page(lesson, dice) for lesson in plain)) + up_to(share.pages, tables(plain, dice))
    chosen += up_to(share.typed, (replace(each, question=keywords(each.question)) for each in reversed(plain)))
    return chosen + up_to(share.typed, (replace(each, question=misspelt(each.question, dice)) for each in plain))


def up_to(count: int, made: Iterator[Lesson | None] | Iterator[Lesson]) -> list[Lesson]:
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


def counted(chosen: Sequence[Group]) -> dict[str, tuple[int, int]]:
    """Of each set, how many groups answer and how many do not."""
    first = sorted((group.lessons[0] for group in chosen), key=lambda lesson: lesson.source)
    by_set = {name: list(group) for name, group in groupby(first, key=lambda lesson: lesson.source)}
    return {name: (sum(bool(x.right) for x in g), sum(not x.right for x in g)) for name, g in by_set.items()}
