"""Training the reader on a network small enough to train in a second: lessons, losses, interruptions, the export."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig

from eval.training.examples import Lesson, lessons_of
from eval.training.export_reader import export
from eval.training.negatives import cut_out, kind_of, swapped, wrong_sentence
from eval.training.sampling import Share, alone, lessons
from eval.training.training import Recipe, Run, batches, item_of, losses, taught
from index.types import Span
from service.reader import network as served
from service.reader.neural import packaged
from service.reader.pairs import Pairs
from service.reader.torch_network import Network, first_network

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
    network = Network(config)
    with torch.no_grad():
        for parameter in network.parameters():  # no two alike, as after any training
            parameter.add_(0.01 * torch.randn_like(parameter))
    return network


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
    for seed in range(20):
        other = swapped(asked, random.Random(seed))  # noqa: S311
        assert other is not None
        assert other.question in ("What was built in 1790?", "What wasn't built in 1712?")
        assert (other.text, other.right, other.answers) == (TEXT, [], [])


def test_a_word_is_swapped_for_its_kind() -> None:
    words = ["1871", "12,400", "Paris", "founded", "the", "ox"]
    assert [kind_of(each) for each in words] == ["year", "number", "name", "ed", None, None]


def test_a_question_of_which_no_word_can_be_swapped_is_left_out() -> None:
    assert swapped(Lesson("x", "Why so?", "", TEXT, SENTENCES, [Span(0, 8)], [0]), random.Random(1)) is None  # noqa: S311


def test_the_right_sentence_alone_keeps_its_answer() -> None:
    sold = Lesson("x", "Who sold it?", "", TEXT, SENTENCES, [Span(39, 53)], [1], TEXT)
    found = alone(sold)
    assert found is not None
    assert found.text == MADE[1]
    assert [found.text[slice(*span)] for span in found.answers] == [TEXT[39:53]]
    assert found.right == [0]


def test_the_wrong_sentence_is_the_one_most_like_the_question() -> None:
    asked = Lesson("x", "Who sold the wheel with its paddles?", "", TEXT, SENTENCES, [Span(39, 53)], [1], TEXT)
    found = wrong_sentence(asked)
    assert found is not None
    assert (found.text, found.right) == (MADE[2], [])


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def test_lone_sentences_are_joined_to_passages_with_their_neighbours(tmp_path: Path) -> None:
    rows = [
        {
            "qid": str(n),
            "question": f"question {n} ?",
            "title": "",
            "sentence": f"sentence {n} -lrb- of many -rrb- .",
            "label": 1,
        }
        for n in range(60)
    ]
    found = list(lessons_of(written(tmp_path / "pairs_mine.jsonl.gz", rows)))
    assert len(found) == 60
    assert len({lesson.text for lesson in found}) < 15
    for n, lesson in enumerate(found):
        assert lesson.text[slice(*lesson.sentences[lesson.right[0]])].startswith(f"sentence {n} (")


def test_sentences_of_a_document_are_put_in_their_order(tmp_path: Path) -> None:
    titles = ["W:site:7:2:1", "W:site:7:2:0", "W:site:8:1:0"]
    texts = ["Then `` he '' left .", "He came .", "Another page ."]
    rows = [
        {"id": title, "title": title, "context": text, "question": "Who?", "answerable": True,
         "answers": [{"text": text.split()[1], "start": text.index(text.split()[1])}]}
        for title, text in zip(titles, texts, strict=True)
    ]  # fmt: skip
    left, came, other = lessons_of(written(tmp_path / "qamr_mine.jsonl.gz", rows))
    assert left.text == came.text == 'He came . Then "  he "  left .'
    assert (left.right, came.right, other.right) == ([1], [0], [0])
    assert came.text[slice(*came.answers[0])] == "came"
    assert other.text == texts[2]


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


class Favourite:
    """A teacher for whom one sentence answers everything."""

    sha256 = ""

    def __init__(self, best: int) -> None:
        self.best = best

    def scores(self, _: str, texts: Sequence[str]) -> list[float]:
        return [8.0 if place == self.best else 0.0 for place in range(len(texts))]


def test_the_reader_comes_to_choose_sentences_as_its_teacher_does(pairs: Pairs, tmp_path: Path) -> None:
    unanswered = item_of(Lesson("x", "Why?", "", TEXT, SENTENCES), pairs)
    items = taught([unanswered] * 8, Favourite(2), 1.0)
    with ThreadPoolExecutor(2) as pool:
        run = Run(small_network(), Recipe(lessons=320, batch=8, frozen=0, rate=3e-3, head_rate=3e-2), tmp_path, pool)
        for _ in range(30):
            run.learn(items)
    with torch.no_grad():
        _, pieces = run.network(torch.tensor([unanswered.pair.ids]), torch.tensor([unanswered.pair.types]))
    scores = [float(pieces[0, each, 2].mean()) for each in unanswered.sentences]
    assert scores.index(max(scores)) == 2


def test_a_share_of_a_batch_is_taught(pairs: Pairs) -> None:
    items = [item_of(LESSON, pairs)] * 10
    assert [bool(item.taught) for item in taught(items, Favourite(0), 0.3)] == [True] * 3 + [False] * 7


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


def test_an_exported_reader_can_be_trained_on(pairs: Pairs, tmp_path: Path) -> None:
    network = small_network().eval()
    export(network, packaged() / "tokenizer.json", tmp_path, "small")
    again = first_network(tmp_path).eval()
    ids, types = (torch.tensor([part]) for part in (item_of(LESSON, pairs).pair.ids, item_of(LESSON, pairs).pair.types))
    with torch.no_grad():
        (here, pieces), (here_again, pieces_again) = network(ids, types), again(ids, types)
    assert float(here_again) == pytest.approx(float(here), abs=0.05)  # 7 bits
    assert (pieces - pieces_again).abs().max() < 0.1


def test_a_folder_without_weights_is_nothing_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds neither"):
        first_network(tmp_path)


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
