"""Sample training data: groups of a question, its passage, and wrong passages that a word search finds for it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from eval.training.examples import Example, examples_of, joined, shifted
from eval.training.negatives import cut_answer, swap_word, wrong_passages, wrong_sentence
from eval.training.pages import page, tables
from eval.training.queries import keywords, misspelt

ALL = 1_000_000
WRONG = 3  # wrong passages per question, at most


class Share(Struct, frozen=True):
    """The highest number of examples of each kind that are sampled from a set."""

    plain: int = ALL
    unanswerable: int = ALL  # unanswerable questions of the set itself
    cut: int = 0  # the passage without the sentences that answer
    swapped: int = 0  # a word of the question replaced
    alone: int = 0  # the right sentence alone; and as many lone wrong sentences
    pages: int = 0  # the passage as Markdown; and as many tables
    typed: int = 0  # keyword queries; and as many misspelt questions


class Group(Struct, frozen=True):
    """Passages for one question: the sampled example first, then wrong passages."""

    examples: list[Example]


USUAL = Share(cut=500, swapped=500, alone=300, pages=500, typed=700)
SHORT = Share(cut=100, alone=50, pages=100, typed=200)
SEVERAL = Share(cut=300, alone=0, pages=300, typed=200)  # for sets with evidence of several sentences
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
    """Shuffled groups of the sets in `mix` that are in the folder, at most `most`. Deterministic for a seed.

    `wrong`: wrong passages per question; `each`: questions read per set, at most.
    """
    rng = random.Random(seed)  # noqa: S311
    sets = {
        name: list(examples_of(path, each, rng))
        for path in sorted(folder.glob("*.jsonl.gz"))
        if (name := path.name.split(".")[0].removeprefix("pairs_")) in (mix or MIX)
    }
    chosen = list(chain.from_iterable(of_set(every, (mix or MIX)[name], rng) for name, every in sets.items()))
    rng.shuffle(chosen)
    places = range(min(most, len(chosen)))
    by_set: dict[str, list[int]] = defaultdict(list)
    for place in places:
        by_set[chosen[place].source].append(place)
    beside: dict[int, list[Example]] = {}
    for name, places_of_set in by_set.items():
        negatives = wrong_passages([chosen[place] for place in places_of_set], sets[name], wrong, rng)
        beside |= dict(zip(places_of_set, negatives, strict=True))
    return [Group([chosen[place], *beside[place]]) for place in places]


def of_set(every: list[Example], share: Share, rng: random.Random) -> list[Example]:
    rng.shuffle(every)
    plain = [example for example in every if example.right][: share.plain]
    chosen = plain + [example for example in every if not example.right][: share.unanswerable]
    chosen += up_to(share.cut, map(cut_answer, plain))
    chosen += up_to(share.swapped, (swap_word(example, rng) for example in plain))
    chosen += up_to(share.alone, map(alone, plain)) + up_to(share.alone, map(wrong_sentence, plain))
    chosen += up_to(share.pages, (page(example, rng) for example in plain)) + up_to(share.pages, tables(plain, rng))
    chosen += up_to(share.typed, (replace(each, question=keywords(each.question)) for each in reversed(plain)))
    return chosen + up_to(share.typed, (replace(each, question=misspelt(each.question, rng)) for each in plain))


def up_to(count: int, candidates: Iterator[Example | None] | Iterator[Example]) -> list[Example]:
    chosen: list[Example] = []
    while len(chosen) < count and (each := next(candidates, "end")) != "end":
        if isinstance(each, Example):
            chosen.append(each)
    return chosen


def alone(example: Example) -> Example | None:
    """The sentence that answers as a passage of its own. None if there are several, or no other sentence."""
    if len(example.right) != 1 or len(example.sentences) == 1:
        return None
    span = example.sentences[example.right[0]]
    text, sentences = joined([example.text[slice(*span)]])
    answers = [shifted(answer, -span.start) for answer in example.answers if span.start <= answer.start < span.end]
    if any(answer.end > len(text) for answer in answers):
        return None
    return replace(example, text=text, sentences=sentences, answers=answers, right=[0])


def count_by_set(chosen: Sequence[Group]) -> dict[str, tuple[int, int]]:
    """For each set, the numbers of groups with and without an answer."""
    first = sorted((group.examples[0] for group in chosen), key=lambda example: example.source)
    by_set = {name: list(group) for name, group in groupby(first, key=lambda example: example.source)}
    return {name: (sum(bool(x.right) for x in g), sum(not x.right for x in g)) for name, g in by_set.items()}
