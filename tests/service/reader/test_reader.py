"""The trained reader: exact, independent of the batch, and clear about its limits."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from index.collections.opening import open_searcher
from index.embedding import models
from index.search.searcher import Searcher
from index.search.terms import words
from index.types import Span
from pincite import run
from service.errors import ReaderDamaged
from service.reader.companions import COMPANION_FEATURES, companion_features
from service.reader.confidence import beside
from service.reader.network import CARD, MODEL, RELEVANCE, TOKENIZER, Network
from service.reader.neural import CALIBRATION, TrainedReader, chosen_companions, packaged, rank, waves
from service.reader.pairs import OVERLAP, WINDOW, starts
from service.reader.selection import open_reader
from service.reader.span_features import FEATURES, Evidence, best_span, log_sum, softmax_share

ROOT = Path(__file__).parents[3]
PASSAGE = (
    "The ferry leaves Aldhaven at 7:40 each morning. It returns at noon. Copper melts at 1,085 degrees Celsius, and "
    "gold does not rust. Pilots board every ship longer than 90 metres."
)
QUESTIONS = [
    "When does the ferry leave?",
    "ferry",
    "?",
    "🙂",
    "Куда идёт паром?",
    "渡し船はいつ出ますか。",
    "متى تغادر العبارة؟",
    "a\u0301" * 50,
    "when does the ferry leave " * 76,
]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(packaged())


@pytest.fixture(scope="module")
def reader() -> TrainedReader:
    return TrainedReader()


@pytest.fixture(scope="module")
def searcher(index_folder: Path) -> Searcher:
    return open_searcher(index_folder)


# ---- reading


def test_a_plain_question_gets_its_sentence_with_the_span_in_it(reader: TrainedReader, searcher: Searcher) -> None:
    question = "When does the ferry leave?"
    best = reader.read(question, searcher.search(question, 20), searcher).candidates[0]
    content = searcher.content(best.document)
    assert content.text[slice(*best.span)] == "The ferry leaves Aldhaven at 7:40 each morning."
    assert best.highlight is not None
    assert "7:40" in content.text[slice(*best.highlight)]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda text: text[:20])
def test_any_question_gets_sane_candidates(question: str, reader: TrainedReader, searcher: Searcher) -> None:
    reading = reader.read(question[:2000], searcher.search(question[:2000], 20), searcher)
    confidences = [each.confidence for each in reading.candidates]
    assert confidences
    assert all(0 <= each <= 1 for each in confidences)
    assert confidences == sorted(confidences, reverse=True)
    for each in reading.candidates:
        assert each.highlight is not None
        assert each.span.start <= each.highlight.start < each.highlight.end <= each.span.end


def test_no_sentence_is_a_candidate_twice(reader: TrainedReader, searcher: Searcher) -> None:
    hits = searcher.search("ferry", 20)
    reading = reader.read("When does the ferry leave?", [*hits, *hits], searcher)
    places = [(each.document, each.span) for each in reading.candidates]
    assert len(places) == len(set(places))


def test_nothing_found_is_nothing_read(reader: TrainedReader, searcher: Searcher) -> None:
    reading = reader.read("When?", [], searcher)
    assert reading.candidates == []
    assert reading.confidence == 0.0


def test_a_passage_reads_alone_as_in_company(network: Network) -> None:
    passages = [("", PASSAGE), ("Ferries\n", PASSAGE), ("", "Noon."), ("", PASSAGE * 3)]
    together = network.read("When does the ferry leave?", passages)
    with ThreadPoolExecutor(4) as pool:
        crowded = list(pool.map(lambda _: network.read("When does the ferry leave?", passages), range(4)))
    for place, passage in enumerate(passages):
        (alone,) = network.read("When does the ferry leave?", [passage])
        for reading in (together[place], *(each[place] for each in crowded)):
            assert [window.here for window in reading] == [window.here for window in alone]
            assert all(np.array_equal(a.pieces, b.pieces) for a, b in zip(reading, alone, strict=True))


def test_a_passage_longer_than_the_window_is_read_to_its_end(network: Network) -> None:
    text = PASSAGE * 40
    (windows,) = network.read("When does the ferry leave?", [("Title\n", text)])
    assert len(windows) > 1
    assert all(len(window.pair.ids) <= WINDOW for window in windows)
    assert windows[0].pair.spans[0].start == 0
    assert windows[-1].pair.spans[-1].end == len(text)
    for before, after in pairwise(windows):
        assert after.pair.spans[0].start <= before.pair.spans[-1].end


def test_the_longest_question_leaves_room_for_the_passage(network: Network) -> None:
    (windows,) = network.read("word, " * 333, [("Title\n" * 100, PASSAGE)])
    assert len(windows) == 1
    assert len(windows[0].pair.ids) <= WINDOW


def test_windows_share_pieces_and_cover_everything() -> None:
    assert starts(10, 300) == [0]
    assert starts(0, 300) == [0]
    room = 100
    for length in (100, 101, 168, 169, 1000):
        found = starts(length, room)
        assert found[-1] + room >= length
        assert all(b - a == room - OVERLAP for a, b in pairwise(found))


# ---- the parts


def test_the_best_span_is_the_best_of_all_spans() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        first, last = rng.normal(size=(2, 9))
        best = max((float(first[i] + last[j]), i, j) for i in range(9) for j in range(i, 9))
        assert best_span(first, last) == (best[1], best[2], best[0])


def test_shares_of_a_softmax_add_up_to_one() -> None:
    logits = np.array([1.0, -2.0, 700.0, 699.0])
    shares = [softmax_share(logits[i : i + 1], logits) for i in range(4)]
    assert np.exp(shares).sum() == pytest.approx(1.0)
    assert log_sum(np.array([0.0, 0.0])) == pytest.approx(np.log(2))


def test_passages_are_read_in_waves_that_cover_them() -> None:
    assert waves(5) == [(0, 2), (2, 4), (4, 5)]
    assert waves(1) == [(0, 1)]
    assert waves(0) == []


def test_confidence_does_not_rise_down_the_ranking(reader: TrainedReader, searcher: Searcher) -> None:
    rng = np.random.default_rng(1)
    evidence = [
        Evidence(1, n, Span(10 * n, 10 * n + 9), n, tuple(rng.normal(size=FEATURES)), Span(10 * n, 10 * n + 3))
        for n in range(20)
    ]
    ranked = rank(evidence, reader.calibration)
    assert len(ranked.evidence) == 20
    assert ranked.confidences.tolist() == sorted(ranked.confidences, reverse=True)


def evidence_in(passages: list[int]) -> list[Evidence]:
    spans = [Span(10 * n, 10 * n + 9) for n in range(len(passages))]
    return [Evidence(1, n, spans[n], hit, (0.0,) * FEATURES, spans[n]) for n, hit in enumerate(passages)]


def test_what_else_was_read_is_looked_for_in_other_passages() -> None:
    ranked = evidence_in([0, 0, 2, 1])
    assert beside(np.array([3.0, 2.0, 1.0, -1.0]), ranked, -9.0).tolist() == [1.0, 1.0, 3.0, 3.0]
    assert beside(np.array([3.0, 2.0]), ranked[:2], -9.0).tolist() == [-9.0, -9.0]


def test_an_answer_takes_the_sentences_that_it_needs_and_no_more() -> None:
    assert chosen_companions(np.array([0.2, 0.9, 0.1, 0.8, 0.7, 0.6]), 0.5) == [2, 4, 5]
    assert chosen_companions(np.array([0.2, 0.4]), 0.5) == []


def test_companions_are_weighed_by_what_they_add() -> None:
    ranked = evidence_in([0, 0, 1])
    texts = ["The mill was sold by Clara Hoffmann.", "Clara Hoffmann lived in Aldhaven.", "Copper melts."]
    rarity = dict.fromkeys(words("Where did the seller of the mill live? Aldhaven?"), 1.0)
    features = companion_features(np.array([2.0, 1.0, 0.0]), ranked, texts, rarity)
    assert features.shape == (2, COMPANION_FEATURES)
    added, linking = features[:, 12], features[:, 14]
    assert added[0] > added[1] == 0.0
    assert linking[0] > linking[1] == 0.0


def test_a_reader_tells_what_its_threshold_is_worth(reader: TrainedReader) -> None:
    assert 0.5 < reader.operation.precision <= 1
    assert 0 < reader.operation.coverage < 1


def test_a_network_without_a_relevance_head_is_read_as_well(tmp_path: Path) -> None:
    model = onnx.load(str(packaged() / MODEL))
    kept = [each for each in model.graph.output if each.name != RELEVANCE]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    folder = copied(tmp_path)
    onnx.save(model, str(folder / MODEL))
    card = json.loads((folder / CARD).read_text())
    card["model_sha256"] = models.file_sha256(folder / MODEL)
    (folder / CARD).write_text(json.dumps(card))
    (((window,),), ((whole,),)) = (
        Network(each).read("When does the ferry leave?", [("", PASSAGE)]) for each in (folder, packaged())
    )
    assert window.relevance == 0.0
    assert whole.relevance != 0.0
    assert window.here == whole.here


# ---- loading


def test_the_reader_loads_without_torch() -> None:
    code = (
        "import sys, service.reader.neural\n"
        "service.reader.neural.TrainedReader()\n"
        "print('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "reader"
    folder.mkdir()
    for name in (CARD, MODEL, TOKENIZER, CALIBRATION):
        shutil.copyfile(packaged() / name, folder / name)
    return folder


@pytest.mark.parametrize("name", [CARD, MODEL, TOKENIZER, CALIBRATION])
def test_a_damaged_file_is_refused_by_name(name: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    data[0] ^= 0xFF
    (folder / name).write_bytes(data)
    with pytest.raises(ReaderDamaged, match=name):
        TrainedReader(folder)


@pytest.mark.parametrize("name", [CARD, MODEL, TOKENIZER, CALIBRATION])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / name).unlink()
    with pytest.raises(ReaderDamaged, match=name):
        TrainedReader(folder)


def test_the_weights_of_another_model_are_refused(tmp_path: Path, exported: Path) -> None:
    folder = copied(tmp_path)
    shutil.copyfile(exported / "model.onnx", folder / MODEL)
    card = json.loads((folder / CARD).read_text())
    card["model_sha256"] = models.file_sha256(folder / MODEL)
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ReaderDamaged, match="another model"):
        TrainedReader(folder)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / MODEL).write_bytes(b"no model at all")
    card = json.loads((folder / CARD).read_text())
    card["model_sha256"] = models.file_sha256(folder / MODEL)
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ReaderDamaged, match="cannot be loaded"):
        TrainedReader(folder)


def test_a_calibration_cut_short_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    whole = (folder / CALIBRATION).read_bytes()
    for length in (0, 1, len(whole) // 3, len(whole) - 4):
        (folder / CALIBRATION).write_bytes(whole[:length])
        with pytest.raises(ReaderDamaged, match=CALIBRATION):
            TrainedReader(folder)


def test_a_calibration_for_other_features_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    fitted = json.loads((folder / CALIBRATION).read_text())
    fitted["sentence"]["weights"].append(1.0)
    (folder / CALIBRATION).write_text(json.dumps(fitted))
    with pytest.raises(ReaderDamaged, match="not made by this version"):
        TrainedReader(folder)


def test_weights_that_give_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    model = onnx.load(str(folder / MODEL))
    (bias,) = (each for each in model.graph.initializer if each.name.endswith("pieces.bias"))
    bias.CopyFrom(numpy_helper.from_array(np.full(3, np.nan, np.float32), bias.name))
    onnx.save(model, str(folder / MODEL))
    card = json.loads((folder / CARD).read_text())
    card["model_sha256"] = models.file_sha256(folder / MODEL)
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ReaderDamaged, match="no numbers"):
        TrainedReader(folder)


def test_a_calibration_fitted_to_another_reader_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    fitted = json.loads((folder / CALIBRATION).read_text())
    fitted["reader_sha256"] = "0" * 64
    (folder / CALIBRATION).write_text(json.dumps(fitted))
    with pytest.raises(ReaderDamaged, match="another reader"):
        TrainedReader(folder)


def test_the_reader_is_chosen_by_name(tmp_path: Path) -> None:
    assert open_reader("untrained", tmp_path).name == "fitted"
    assert open_reader(None, tmp_path).name == open_reader(str(copied(tmp_path)), tmp_path).name


def test_a_calibration_of_the_index_comes_before_the_readers_own(tmp_path: Path) -> None:
    fitted = json.loads((packaged() / CALIBRATION).read_text())
    fitted["threshold"] = 0.123
    (tmp_path / CALIBRATION).write_text(json.dumps(fitted))
    assert open_reader(None, tmp_path).threshold == 0.123


def test_a_reader_that_is_not_there_is_told_in_one_line(index_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["ask", "When?", "--index", str(index_folder), "--reader", "/nowhere"])
    said = capsys.readouterr().err
    assert status == 1
    assert said.startswith("pincite: The reader in /nowhere is unusable")
    assert "Traceback" not in said


def test_the_package_holds_what_its_card_names() -> None:
    card = json.loads((packaged() / CARD).read_text())
    assert card["model_sha256"] == models.file_sha256(packaged() / MODEL)
    assert card["model_sha256"] in (packaged() / "README.md").read_text()
