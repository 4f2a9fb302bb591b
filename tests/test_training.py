"""Training the reader on a network small enough to train in a second: lessons, losses, interruptions, the export."""

from __future__ import annotations

import gzip
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig

from eval.export_reader import export
from eval.lessons import Share, cut_out, lessons, surrounded, swapped
from eval.network import Network
from eval.pool import Lesson
from eval.training import Recipe, Run, batches, item_of, losses
from index.types import Span
from service import network as served
from service.pairs import Pairs
from service.trained import packaged

MADE = ("The mill was built in 1712.", "Its owner, Clara Hoffmann, sold it in 1790.", "The wheel has twelve paddles.")
TEXT = " ".join(MADE)
SENTENCES = [Span(TEXT.index(each), TEXT.index(each) + len(each)) for each in MADE]
LESSON = Lesson("mills", "When was the mill built?", "", TEXT, SENTENCES, [Span(22, 26)], [0], TEXT)
RECIPE = Recipe(lessons=48, batch=8, frozen=0, rate=1e-3, head_rate=1e-2)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return Pairs(Tokenizer.from_file(str(packaged() / "tokenizer.json")))


def small_network() -> Network:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=12,
        intermediate_size=48,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = "eager"  # noqa: SLF001
    return Network(config)


def some_lessons(count: int) -> list[Lesson]:
    dice = random.Random(1)  # noqa: S311
    asked = ["When was the mill built?", "Who sold it?", "How many paddles has the wheel?", "Why?"]
    spans = [Span(22, 26), Span(39, 53), Span(TEXT.index("twelve"), TEXT.index("twelve") + 6), None]
    found = []
    for _ in range(count):
        place = dice.randrange(4)
        answer = spans[place]
        right, answers = ([], []) if answer is None else ([place], [answer])
        found.append(Lesson("mills", asked[place], "", TEXT, SENTENCES, answers, right, TEXT))
    return found


def test_a_lesson_marks_the_pieces_of_its_answer(pairs: Pairs) -> None:
    item = item_of(LESSON, pairs)
    (start,), (end,) = item.starts, item.ends
    spans = item.pair.spans[start - item.pair.first : end + 1 - item.pair.first]
    assert TEXT[spans[0].start : spans[-1].end] == "1712"
    covered = [item.pair.spans[each.start - item.pair.first].start for each in item.sentences]
    assert covered == [span.start for span in SENTENCES]


def test_the_answers_sentence_is_taken_out_and_nothing_else() -> None:
    cut = cut_out(LESSON)
    assert cut is not None
    assert cut.text == f"{MADE[1]} {MADE[2]}"
    assert (cut.answers, cut.right) == ([], [])
    assert [cut.text[slice(*each)] for each in cut.sentences] == list(MADE[1:])


def test_nothing_is_taken_out_where_the_answer_stands_twice() -> None:
    twice = Lesson("x", "When?", "", "In 1712. Yes, in 1712.", [Span(0, 8), Span(9, 22)], [Span(3, 7)], [0])
    assert cut_out(twice) is None


def test_a_swapped_question_asks_about_something_else_of_the_passage() -> None:
    asked = Lesson("x", "What was built in 1712?", "", TEXT, SENTENCES, [Span(0, 8)], [0], TEXT)
    other = swapped(asked, random.Random(1))  # noqa: S311
    assert other is not None
    assert other.question == "What was built in 1790?"
    assert other.right == []


def test_a_sentence_put_among_others_stays_the_right_one() -> None:
    alone = Lesson("x", "When?", "", "It was in 1712.", [Span(0, 15)], [], [0])
    others = [Lesson("x", "?", "", f"Sentence {n}.", [Span(0, 11)], [], [0]) for n in range(5)]
    among = surrounded(alone, others, random.Random(2))  # noqa: S311
    assert among.text[slice(*among.sentences[among.right[0]])] == alone.text
    assert len(among.sentences) == 4


def test_lessons_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    row = {"title": "Mills", "context": TEXT, "question": LESSON.question, "answerable": True}
    rows = [{**row, "id": str(n), "answers": [{"text": "1712", "start": 22}]} for n in range(9)]
    with gzip.open(tmp_path / "mine.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    mix = {"mine": Share(9, cut=3)}
    first, second = lessons(tmp_path, 1, mix), lessons(tmp_path, 1, mix)
    assert first == second
    assert sum(bool(lesson.right) for lesson in first) == 9
    assert sum(not lesson.right for lesson in first) == 3


def test_the_loss_does_not_depend_on_the_padding(pairs: Pairs) -> None:
    network = small_network().eval()
    long = Lesson("x", "Why?", "", TEXT * 6, [Span(0, len(TEXT) * 6)], [], [])
    items = [item_of(lesson, pairs) for lesson in (LESSON, long)]
    with torch.no_grad():
        together = float(losses(network, items))
        alone = float(np.mean([float(losses(network, [item])) for item in items]))
    assert together == pytest.approx(alone, rel=0.02)  # bfloat16


def train(folder: Path, pairs: Pairs, stops: list[int]) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Train to the last of `stops`, starting anew from the checkpoint after each."""
    todo = batches([item_of(lesson, pairs) for lesson in some_lessons(48)], RECIPE)
    found: list[float] = []
    state: dict[str, torch.Tensor] = {}
    folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        for stop in stops:
            run = Run(small_network(), RECIPE, folder, pool)
            found += [run.learn(batch) for batch in todo[run.step : stop]]
            run.save()
            state = run.network.state_dict()
    return state, found


def test_a_broken_off_run_ends_where_an_unbroken_one_does(pairs: Pairs, tmp_path: Path) -> None:
    whole, losses_whole = train(tmp_path / "whole", pairs, [6])
    broken, losses_broken = train(tmp_path / "broken", pairs, [2, 3, 6])
    assert losses_whole == losses_broken
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_training_lowers_the_loss(pairs: Pairs, tmp_path: Path) -> None:
    items = [item_of(lesson, pairs) for lesson in some_lessons(8)]
    with ThreadPoolExecutor(2) as pool:
        run = Run(small_network(), Recipe(lessons=640, batch=8, frozen=0, rate=3e-3, head_rate=3e-2), tmp_path, pool)
        spent = [run.learn(items) for _ in range(70)]
    assert spent[-1] < 0.7 * spent[0]


def test_the_export_reads_as_the_network_does(tmp_path: Path) -> None:
    network = small_network().eval()
    export(network, packaged() / "tokenizer.json", tmp_path, "small")
    exported = served.Network(tmp_path)
    ((window,),) = exported.read(LESSON.question, [("", TEXT)])
    with torch.no_grad():
        here, pieces = network(torch.tensor([window.pair.ids]), torch.tensor([window.pair.types]))
    assert window.here == pytest.approx(float(here), abs=0.05)  # int8
    part = pieces[0, window.pair.first : window.pair.first + len(window.pair.spans)].numpy()
    assert np.abs(window.pieces - part).max() < 0.1
