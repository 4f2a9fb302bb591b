"""Test sets in three layouts are read alike, and every span in them is verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.datasets.dataset import Gold, write_corpus
from eval.datasets.loading import load
from eval.errors import DatasetDamaged, DatasetNotFound, NoQuestionLeft, UnknownFormat

TEXT = "Ann 🙂 lives in Ulm.\r\nBob lives in Bonn.\r\n"
BONN = {"doc": "a/people.txt", "text": "Bonn", "start": TEXT.index("Bonn")}


def own(folder: Path, *questions: dict[str, object]) -> Path:
    (folder / "corpus" / "a").mkdir(parents=True)
    (folder / "corpus" / "a" / "people.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    return folder


def question(**fields: object) -> dict[str, object]:
    return {"id": "1", "question": "Where does Bob live?", "answers": [BONN], "answerable": True} | fields


def test_offsets_count_code_points_behind_the_byte_order_mark(tmp_path: Path) -> None:
    found = load(own(tmp_path, question(attribute="place")))
    assert found.questions[0].answers == (Gold("a/people.txt", "Bonn", TEXT.index("Bonn")),)
    assert (found.questions[0].type, found.questions[0].status, found.dropped) == ("place", "answered", [])


def test_a_wrong_offset_is_dropped_and_reported_and_the_rest_stays(tmp_path: Path) -> None:
    wrong = BONN | {"start": 3}
    found = load(own(tmp_path, question(answers=[wrong, BONN]), question(id="2", answers=[wrong])))
    assert [each.id for each in found.questions] == ["1"]
    assert len(found.questions[0].answers) == 1
    assert found.dropped == [
        "1: 'Bonn' is not at 3 in a/people.txt",
        "2: 'Bonn' is not at 3 in a/people.txt",
        "2: no answer of the question is left",
    ]


def test_evidence_with_one_span_off_is_no_evidence(tmp_path: Path) -> None:
    ann = {"doc": "a/people.txt", "text": "Ann", "start": 0}
    alternatives = [[BONN, ann], [BONN, ann | {"start": 1}]]
    found = load(own(tmp_path, question(evidence=alternatives)))
    assert len(found.questions[0].needed) == 1
    assert len(found.dropped) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"question": " \n"}, "blank"),
        ({"question": "x" * 2001}, "longer than 2000"),
        ({"expected": "maybe"}, "expected is 'maybe'"),
        ({"answerable": False}, "unanswerable but has an answer"),
        ({"id": "0"}, "not unique"),
        ({"answers": [BONN | {"doc": "none.txt"}]}, "document 'none.txt' does not exist"),
        ({"answers": [BONN | {"doc": "../questions.jsonl"}]}, "is not at"),
    ],
)
def test_a_question_that_cannot_be_used_is_dropped_with_its_reason(
    tmp_path: Path, fields: dict[str, object], reason: str
) -> None:
    found = load(own(tmp_path, question(id="0"), question() | fields))
    assert [each.id for each in found.questions] == ["0"]
    assert reason in found.dropped[0]


def test_a_set_whose_offsets_are_all_wrong_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoQuestionLeft, match="is not at 3"):
        load(own(tmp_path, question(answers=[BONN | {"start": 3}])))


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    folder = own(tmp_path, question())
    with (folder / "questions.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n{no json\n")
    with pytest.raises(DatasetDamaged, match="line 3"):
        load(folder)


def test_what_is_no_test_set_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat):
        load(tmp_path)
    with pytest.raises(DatasetNotFound):
        load(tmp_path / "nowhere")
    own(tmp_path, question())
    (tmp_path / "dataset.json").write_text('{"format": "of tomorrow"}', encoding="utf-8")
    with pytest.raises(UnknownFormat):
        load(tmp_path)


def test_the_corpus_may_lie_elsewhere(tmp_path: Path) -> None:
    own(tmp_path / "set", question())
    (tmp_path / "set" / "corpus").rename(tmp_path / "texts")
    (tmp_path / "set" / "dataset.json").write_text('{"name": "people", "corpus": "../texts"}', encoding="utf-8")
    found = load(tmp_path / "set")
    assert (found.name, found.corpus, len(found.questions)) == ("people", tmp_path / "texts", 1)


def test_squad_offsets_are_shifted_to_the_whole_article(tmp_path: Path) -> None:
    def asked(number: str, start: int, *, impossible: bool = False) -> dict[str, object]:
        answers = [{"text": "Ulm", "answer_start": start}] * 2
        return {"id": number, "question": "Where?", "answers": answers, "is_impossible": impossible}

    paragraphs = [{"context": "In Ulm.", "qas": [asked("1", 3)]}, {"context": "Ulm 🙂 or Ulm", "qas": [asked("2", 9)]}]
    paragraphs.append({"context": "Nothing.", "qas": [asked("3", 0, impossible=True), asked("4", 2)]})
    articles = [{"title": "A/B", "paragraphs": paragraphs}, {"title": "A/B", "paragraphs": paragraphs[:1]}]
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}), encoding="utf-8")
    found = load(path)
    assert {each.id: [gold.start for gold in each.answers] for each in found.questions} == {
        "1": [3],
        "2": [18],
        "3": [],
    }
    assert found.questions[2].about == "A%2FB.txt"
    assert [line.partition(":")[0] for line in found.dropped] == ["4", "4", "1"]  # and the id 1 of the second article
    corpus = write_corpus(found, tmp_path / "corpus")
    for gold in found.questions[1].answers:
        text = (corpus / gold.doc).read_bytes().decode()
        assert text[gold.start : gold.end] == gold.text == "Ulm"
    assert (corpus / "A%2FB-2.txt").read_bytes() == b"In Ulm."


def test_a_beir_folder_keeps_positive_judgements_of_documents_that_are_there(tmp_path: Path) -> None:
    documents = [{"_id": "d/1", "title": "A\ntitle", "text": "One."}, {"_id": "d2", "text": "Two."}]
    queries = [{"_id": "q1", "text": "one?"}, {"_id": "q2", "text": "two?"}]
    for name, entries in (("corpus", documents), ("queries", queries)):
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "qrels").mkdir()
    qrels = "query-id\tcorpus-id\tscore\nq1\td/1\t2\nq1\tgone\t1\nq2\td2\t0\n"
    (tmp_path / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")
    found = load(tmp_path)
    assert found.relevant == {"q1": {"d%2F1.md": 2}}
    assert [each.id for each in found.questions] == ["q1"]
    assert found.dropped == ["q1: document 'gone' does not exist", "q2: no document is judged relevant"]
    assert (write_corpus(found, tmp_path / "files") / "d%2F1.md").read_text("utf-8") == "# A title\n\nOne."


def test_the_labelled_questions_on_the_seeds_all_stand_where_they_say() -> None:
    found = load(Path(__file__).parents[3] / "eval" / "data" / "seeds")
    assert found.dropped == []
    assert len(found.questions) >= 150
    assert sum(not each.answerable for each in found.questions) >= len(found.questions) // 3
