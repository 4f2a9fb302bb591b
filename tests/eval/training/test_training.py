"""Training the reader on a network small enough to train in a second: examples, losses, interruptions, the export."""

from __future__ import annotations

import gzip
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertConfig

from eval.training.batches import batch_of, in_batches, item_of
from eval.training.examples import Example, examples_of
from eval.training.export_reader import export, load
from eval.training.losses import loss_of
from eval.training.negatives import cut_answer, kind_of, swap_word, wrong_sentence
from eval.training.pages import page, table
from eval.training.queries import keywords, misspelt
from eval.training.sampling import Group, Share, alone, groups
from eval.training.training import Recipe, Run
from index.types import Span
from service.reader import network as served
from service.reader.neural import packaged
from service.reader.pairs import Pairs
from service.reader.torch_network import Network, first_network

MADE = ("The mill was built in 1712.", "Its owner, Clara Hoffmann, sold it in 1790.", "The wheel has twelve paddles.")
TEXT = " ".join(MADE)
SENTENCES = [Span(TEXT.index(each), TEXT.index(each) + len(each)) for each in MADE]
EXAMPLE = Example("mills", "When was the mill built?", "", TEXT, SENTENCES, [Span(22, 26)], [0], TEXT)
RECIPE = Recipe(groups=48, batch=8, parts=2, rate=1e-3, head_rate=1e-2, dropout=0.0)
QUICK = Recipe(groups=800, batch=8, rate=3e-3, head_rate=3e-2, dropout=0.0, warm_up=1, averaged=0.0, mixed=False)


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


def some_examples(count: int) -> list[Example]:
    rng = random.Random(1)  # noqa: S311
    asked = ["When was the mill built?", "Who sold it?", "How many paddles has the wheel?", "Why?"]
    spans = [Span(22, 26), Span(39, 53), Span(TEXT.index("twelve"), TEXT.index("twelve") + 6), None]
    found = []
    for _ in range(count):
        place = rng.randrange(4)
        answer = spans[place]
        right, answers = ([], []) if answer is None else ([place], [answer])
        found.append(Example("mills", asked[place], "", TEXT, SENTENCES, answers, right, TEXT))
    return found


def test_a_lesson_marks_the_pieces_of_its_answer(pairs: Pairs) -> None:
    item = item_of(EXAMPLE, pairs)
    (start,), (end,) = item.starts, item.ends
    spans = item.pair.spans[start - item.pair.first : end + 1 - item.pair.first]
    assert TEXT[spans[0].start : spans[-1].end] == "1712"
    covered = [item.pair.spans[each.start - item.pair.first].start for each in item.sentences]
    assert covered == [span.start for span in SENTENCES]


def test_the_answers_sentence_is_taken_out_and_nothing_else() -> None:
    cut = cut_answer(EXAMPLE)
    assert cut is not None
    assert cut.text == f"{MADE[1]} {MADE[2]}"
    assert (cut.answers, cut.right) == ([], [])
    assert [cut.text[slice(*each)] for each in cut.sentences] == list(MADE[1:])


def test_nothing_is_taken_out_where_the_answer_stands_twice() -> None:
    twice = Example("x", "When?", "", "In 1712. Yes, in 1712.", [Span(0, 8), Span(9, 22)], [Span(3, 7)], [0])
    assert cut_answer(twice) is None


def test_a_swapped_question_asks_about_something_else_of_the_passage() -> None:
    asked = Example("x", "What was built in 1712?", "", TEXT, SENTENCES, [Span(0, 8)], [0], TEXT)
    for seed in range(20):
        other = swap_word(asked, random.Random(seed))  # noqa: S311
        assert other is not None
        assert other.question in ("What was built in 1790?", "What wasn't built in 1712?")
        assert (other.text, other.right, other.answers) == (TEXT, [], [])


def test_a_word_is_swapped_for_its_kind() -> None:
    words = ["1871", "12,400", "Paris", "founded", "the", "ox"]
    assert [kind_of(each) for each in words] == ["year", "number", "name", "ed", None, None]


def test_a_question_of_which_no_word_can_be_swapped_is_left_out() -> None:
    assert swap_word(Example("x", "Why so?", "", TEXT, SENTENCES, [Span(0, 8)], [0]), random.Random(1)) is None  # noqa: S311


def test_the_right_sentence_alone_keeps_its_answer() -> None:
    sold = Example("x", "Who sold it?", "", TEXT, SENTENCES, [Span(39, 53)], [1], TEXT)
    found = alone(sold)
    assert found is not None
    assert found.text == MADE[1]
    assert [found.text[slice(*span)] for span in found.answers] == [TEXT[39:53]]
    assert found.right == [0]


def test_the_wrong_sentence_is_the_one_most_like_the_question() -> None:
    asked = Example("x", "Who sold the wheel with its paddles?", "", TEXT, SENTENCES, [Span(39, 53)], [1], TEXT)
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
    found = list(examples_of(written(tmp_path / "pairs_mine.jsonl.gz", rows)))
    assert len(found) == 60
    assert len({example.text for example in found}) < 15
    for n, example in enumerate(found):
        assert example.text[slice(*example.sentences[example.right[0]])].startswith(f"sentence {n} (")


def test_sentences_of_a_document_are_put_in_their_order(tmp_path: Path) -> None:
    titles = ["W:site:7:2:1", "W:site:7:2:0", "W:site:8:1:0"]
    texts = ["Then `` he '' left .", "He came .", "Another page ."]
    rows = [
        {"id": title, "title": title, "context": text, "question": "Who?", "answerable": True,
         "answers": [{"text": text.split()[1], "start": text.index(text.split()[1])}]}
        for title, text in zip(titles, texts, strict=True)
    ]  # fmt: skip
    first, second, third = examples_of(written(tmp_path / "qamr_mine.jsonl.gz", rows))
    assert first.text == second.text == 'He came . Then "  he "  left .'
    assert (first.right, second.right, third.right) == ([1], [0], [0])
    assert second.text[slice(*second.answers[0])] == "came"
    assert third.text == texts[2]


def test_groups_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    row = {"title": "Mills", "question": EXAMPLE.question, "answerable": True}
    rows = [
        {**row, "id": str(n), "context": f"{TEXT} Number {n}.", "answers": [{"text": "1712", "start": 22}]}
        for n in range(9)
    ]
    written(tmp_path / "mine.jsonl.gz", rows)
    mix = {"mine": Share(9, cut=3)}
    first, second = groups(tmp_path, 1, mix=mix), groups(tmp_path, 1, mix=mix)
    assert first == second
    assert sum(bool(group.examples[0].right) for group in first) == 9
    assert sum(not group.examples[0].right for group in first) == 3
    assert len(groups(tmp_path, 1, 5, mix=mix)) == 5


def test_wrong_passages_are_of_other_texts_and_lack_the_answer(tmp_path: Path) -> None:
    mills = [
        f"The mill of {name} was built in {year}. It ground wheat."
        for name, year in zip("ABCDEFG", range(1700, 1707), strict=True)
    ]
    mills.append("The mill of H was built in 1700 as well.")
    rows = [
        {"id": str(n), "title": "", "context": text, "question": "When was the mill built?", "answerable": True,
         "answers": [{"text": text.split(" in ")[1][:4], "start": text.index(" in ") + 4}]}
        for n, text in enumerate(mills)
    ]  # fmt: skip
    written(tmp_path / "mine.jsonl.gz", rows)
    for group in groups(tmp_path, 3, mix={"mine": Share()}):
        example, *wrong = group.examples
        answer = example.text[slice(*example.answers[0])]
        assert 1 <= len(wrong) <= 3
        for other in wrong:
            assert (other.question, other.answers, other.right) == (example.question, [], [])
            assert answer not in other.text


def test_every_sentence_of_the_evidence_is_right(tmp_path: Path) -> None:
    pieces = [{"text": MADE[0], "start": 0}, {"text": MADE[1], "start": TEXT.index(MADE[1])}]
    row = {"id": "1", "title": "", "context": TEXT, "question": "Who sold what was built in 1712?", "answerable": True}
    written(tmp_path / "short.jsonl.gz", [{**row, "answers": [{"text": "Clara", "start": 40}], "evidence": pieces}])
    written(tmp_path / "long.jsonl.gz", [{**row, "answers": pieces, "evidence": pieces, "answers_from": "evidence"}])
    (short,), (long,) = examples_of(tmp_path / "short.jsonl.gz"), examples_of(tmp_path / "long.jsonl.gz")
    assert short.right == long.right == [0, 1]
    assert [len(short.answers), len(long.answers)] == [1, 0]


# ---- passages as Markdown has them, questions as people type them


@pytest.mark.parametrize("seed", range(20))
def test_a_page_keeps_the_answer_in_its_sentence(seed: int) -> None:
    found = page(EXAMPLE, random.Random(seed))  # noqa: S311
    assert found is not None
    assert [found.text[slice(*span)] for span in found.answers] == ["1712"]
    (right,) = found.right
    assert MADE[0] in found.text[slice(*found.sentences[right])]
    assert found.text != TEXT


def test_a_table_has_a_row_for_each_question() -> None:
    several = [example for example in some_examples(40) if example.answers]
    for seed in range(10):
        found = table(several[seed : seed + 8], random.Random(seed))  # noqa: S311
        assert found is not None
        (answer,), (right,) = found.answers, found.right
        row = found.text[slice(*found.sentences[right])]
        assert row.startswith(f"| {keywords(found.question).strip('?')} | {found.text[slice(*answer)]}")
        assert found.text.count("\n") >= 4


def test_nothing_is_made_of_what_does_not_do() -> None:
    lone = Example("x", "When?", "", MADE[0], [SENTENCES[0]], [Span(22, 26)], [0])
    assert page(lone, random.Random(1)) is None  # noqa: S311
    assert table([EXAMPLE, EXAMPLE], random.Random(1)) is None  # noqa: S311


def test_keywords_leave_out_what_every_question_has() -> None:
    assert keywords("When was the old mill built?") == "old mill built"
    assert keywords("Who is it?") == "Who is it?"


def test_a_misspelt_question_is_off_by_a_letter_or_two() -> None:
    question = "When was the watermill built?"
    made = {misspelt(question, random.Random(seed)) for seed in range(40)}  # noqa: S311
    assert len(made - {question}) > 10
    assert all(abs(len(each) - len(question)) <= 1 and each.startswith("When was the ") for each in made)


# ---- losses and steps


def of(examples: list[Example]) -> list[Group]:
    return [Group([example]) for example in examples]


def test_the_loss_does_not_depend_on_the_padding(pairs: Pairs) -> None:
    network = small_network().eval()
    long = Example("x", "Why?", "", TEXT * 6, [Span(0, len(TEXT) * 6)], [], [])

    def loss(examples: list[Example]) -> float:
        batch = batch_of(of(examples), pairs)
        with torch.no_grad():
            return float(loss_of(network(batch.ids, batch.types, batch.mask), batch))

    assert loss([EXAMPLE, long]) == pytest.approx(np.mean([loss([EXAMPLE]), loss([long])]), rel=1e-5)


def test_a_network_that_is_right_has_next_to_no_loss(pairs: Pairs) -> None:
    wrong = Example("mills", EXAMPLE.question, "", MADE[2], [Span(0, len(MADE[2]))])
    batch = batch_of([Group([EXAMPLE, wrong])], pairs)
    here = torch.where(batch.answered, 20.0, -20.0)
    pieces = torch.full((*batch.ids.shape, 3), -20.0)
    pieces[:, :, 0][batch.starts] = 20.0
    pieces[:, :, 1][batch.ends] = 20.0
    item = item_of(EXAMPLE, pairs)
    pieces[0, item.sentences[0], 2] = 20.0
    right = loss_of((here, pieces, here), batch, here)
    assert float(right) < 1e-3
    for off in ((-here, pieces, here), (here, -pieces, here), (here, pieces, here + 4.0)):
        assert float(loss_of(off, batch, here)) > float(right) + 0.02


def test_the_words_that_answer_are_not_guessed_where_only_the_sentence_is_known(pairs: Pairs) -> None:
    marked = Example("x", "When?", "", TEXT, SENTENCES, [], [0])
    batch = batch_of(of([marked]), pairs)
    here = torch.zeros(1)
    first, second = torch.zeros(*batch.ids.shape, 3), torch.zeros(*batch.ids.shape, 3)
    second[:, 4:9, :2] = 7.0
    assert float(loss_of((here, first, here), batch)) == float(loss_of((here, second, here), batch))


def train(folder: Path, pairs: Pairs, stops: list[int]) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Train to the last of `stops`, starting anew from the checkpoint after each."""
    todo = in_batches(of(some_examples(48)), RECIPE.batch, RECIPE.seed)
    found: list[float] = []
    state: dict[str, torch.Tensor] = {}
    folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        for stop in stops:
            run = Run(small_network(), RECIPE, folder, pairs=pairs, pool=pool)
            found += [run.learn(batch) for batch in todo[run.step : stop]]
            run.save()
            state = run.averaged()
    return state, found


def test_a_broken_off_run_ends_where_an_unbroken_one_does(pairs: Pairs, tmp_path: Path) -> None:
    whole, losses_whole = train(tmp_path / "whole", pairs, [6])
    broken, losses_broken = train(tmp_path / "broken", pairs, [2, 3, 6])
    assert losses_whole == losses_broken
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_training_lowers_the_loss(pairs: Pairs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        run = Run(small_network(), QUICK, tmp_path, pairs=pairs, pool=pool)
        spent = [run.learn(of(some_examples(8))) for _ in range(70)]
    assert spent[-1] < 0.7 * spent[0]


def test_relevance_is_learned_from_the_cross_encoder(pairs: Pairs, tmp_path: Path) -> None:
    teacher = small_network()
    with torch.no_grad():
        teacher.classifier.bias.add_(3.0)
    examples = some_examples(8)
    batch = batch_of(of(examples), pairs)
    with ThreadPoolExecutor(1) as pool:
        run = Run(small_network(), QUICK, tmp_path, pairs=pairs, pool=pool, teacher=teacher)
        for _ in range(60):
            run.learn(of(examples))
        network = run.network.eval()
    with torch.no_grad():
        *_, relevance = network(batch.ids, batch.types, batch.mask)
        wanted, *_ = teacher(batch.ids, batch.types, batch.mask)
    assert float((relevance - wanted).abs().max()) < 0.5


def test_what_is_kept_is_the_average_of_the_last_steps(pairs: Pairs, tmp_path: Path) -> None:
    recipe = Recipe(groups=40, batch=8, rate=1e-2, dropout=0.0, averaged=0.4, mixed=False)
    with ThreadPoolExecutor(1) as pool:
        run = Run(small_network(), recipe, tmp_path, pairs=pairs, pool=pool)
        after = []
        for _ in range(recipe.steps):
            run.learn(of(some_examples(8)))
            after.append(run.network.classifier.weight.detach().clone())
    assert torch.allclose(run.averaged()["classifier.weight"], torch.stack(after[-2:]).mean(dim=0), atol=1e-6)


def test_word_and_position_embeddings_stay_as_they_are(pairs: Pairs, tmp_path: Path) -> None:
    first = small_network()
    with ThreadPoolExecutor(1) as pool:
        run = Run(small_network(), QUICK, tmp_path, pairs=pairs, pool=pool)
        run.learn(of(some_examples(8)))
    after = run.network.state_dict()
    changed = {name for name, weight in first.state_dict().items() if not torch.equal(weight, after[name])}
    assert not {name for name in changed if "word_embeddings" in name or "position_embeddings" in name}
    assert {name.split(".")[0] for name in changed} == {"bert", "classifier", "pieces"}


def test_an_exported_reader_can_be_trained_on(pairs: Pairs, tmp_path: Path) -> None:
    network = small_network().eval()
    export(network, packaged() / "tokenizer.json", tmp_path, "small")
    again = first_network(tmp_path).eval()
    ids, types = (
        torch.tensor([part]) for part in (item_of(EXAMPLE, pairs).pair.ids, item_of(EXAMPLE, pairs).pair.types)
    )
    with torch.no_grad():
        outputs, outputs_again = network(ids, types), again(ids, types)
    for one, other in zip(outputs, outputs_again, strict=True):
        assert (one - other).abs().max() < 0.1  # 7 bits


def test_weights_are_put_over_those_of_the_start(tmp_path: Path) -> None:
    export(small_network().eval(), packaged() / "tokenizer.json", tmp_path, "small")
    some = {"classifier.weight": torch.ones(1, 24)}
    save_file(some, tmp_path / "some.safetensors")
    start, loaded = load(tmp_path, None).state_dict(), load(tmp_path, tmp_path / "some.safetensors").state_dict()
    assert torch.equal(loaded["classifier.weight"], some["classifier.weight"])
    assert all(torch.equal(start[name], loaded[name]) for name in start if name not in some)
    save_file({"other": torch.ones(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(click.ClickException, match="does not have"):
        load(tmp_path, tmp_path / "foreign.safetensors")


def test_a_folder_without_weights_is_nothing_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds neither"):
        first_network(tmp_path)


def test_the_export_reads_as_the_network_does(tmp_path: Path) -> None:
    network = small_network().eval()
    export(network, packaged() / "tokenizer.json", tmp_path, "small")
    exported = served.Network(tmp_path)
    ((window,),) = exported.read(EXAMPLE.question, [("", TEXT)])
    with torch.no_grad():
        here, pieces, relevance = network(torch.tensor([window.pair.ids]), torch.tensor([window.pair.types]))
    assert window.here == pytest.approx(float(here), abs=0.05)  # int8
    assert window.relevance == pytest.approx(float(relevance), abs=0.1)
    part = pieces[0, window.pair.first : window.pair.first + len(window.pair.spans)].numpy()
    assert np.abs(window.pieces - part).max() < 0.1
