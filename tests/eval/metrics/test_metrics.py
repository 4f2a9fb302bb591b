"""Every metric against values computed by hand, or against another implementation."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from eval.datasets.dataset import Gold, Question
from eval.metrics import ranking, selective
from eval.metrics.ranking import Place
from eval.metrics.scoring import Response, Score, ServedDocument, answers_hit, citation_values, is_exact
from eval.metrics.spans import exact_match, normalised, token_f1
from eval.metrics.table import METRICS, Columns, measure
from service import schema

UNSURE = st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.4001, 0.7, 1.0]), st.booleans()), min_size=1, max_size=40)


# ---- ranking


def places(*spans: tuple[str, int, int]) -> list[Place]:
    return [Place(*span) for span in spans]


FOUND = places(("a", 0, 10), ("b", 0, 10), ("a", 8, 20), ("c", 0, 5))


def ranked(*alternatives: list[Gold]) -> dict[str, float]:
    return ranking.measure({"q": ranking.of_passages(FOUND, alternatives)})["q"]


def test_a_span_is_found_by_the_first_passage_that_holds_all_of_it() -> None:
    values = ranked([Gold("a", "x" * 4, 9)])  # 9 to 13: split by the first passage, contained in the third
    assert values == {
        "recall@1": 0.0,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "recall@20": 1.0,
        "MRR@10": pytest.approx(1 / 3),
        "nDCG@10": pytest.approx(1 / log2(4)),
    }


def test_of_alternatives_the_best_counts() -> None:
    assert ranked([Gold("c", "x", 0)], [Gold("b", "x", 0)])["MRR@10"] == 0.5


def test_spans_that_are_all_needed_are_found_in_part() -> None:
    values = ranked([Gold("a", "x", 0), Gold("c", "x", 0), Gold("d", "x", 0)])  # ranks 1, 4 and none
    assert values["recall@1"] == pytest.approx(1 / 3)
    assert values["recall@5"] == pytest.approx(2 / 3)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert values["nDCG@10"] == pytest.approx((1 + 1 / log2(5)) / ideal)


def test_two_spans_in_one_passage_are_one_find() -> None:
    assert ranked([Gold("a", "x", 0), Gold("a", "x", 5)])["recall@1"] == 1.0


def test_a_question_for_which_nothing_was_found_scores_nought() -> None:
    values = ranking.measure({"q": ranking.of_passages([], [[Gold("a", "x", 0)]])})["q"]
    assert set(values.values()) == {0.0}


def test_documents_rank_by_their_best_passage_and_grades_count() -> None:
    values = ranking.measure({"q": ranking.of_documents(FOUND, {"c": 2, "b": 1, "z": 1})})["q"]  # a, b, c
    assert values["recall@5"] == pytest.approx(2 / 3)
    assert values["MRR@10"] == 0.5
    assert values["nDCG@10"] == pytest.approx((1 / log2(3) + 2 / log2(4)) / (2 + 1 / log2(3) + 1 / log2(4)))


# ---- spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [("The U.S.'s  Navy", "uss navy"), ("an “Apple” a day", "“apple” day"), ("Theatre", "theatre"), ("a", "")],
)
def test_normalisation_is_squads(text: str, expected: str) -> None:
    assert normalised(text) == expected


@pytest.mark.parametrize(
    ("mine", "gold", "match", "f1"),
    [
        ("The Baltic Sea", "Baltic Sea!", 1.0, 1.0),
        ("in the Baltic Sea", "the Baltic", 0.0, 0.5),
        ("sea sea", "sea", 0.0, 2 / 3),
        ("", "sea", 0.0, 0.0),
        ("the", "a", 1.0, 1.0),
    ],
)
def test_exact_match_and_token_f1(mine: str, gold: str, match: float, f1: float) -> None:
    assert exact_match(mine, gold) == match
    assert token_f1(mine, gold) == pytest.approx(f1)


# ---- answers and citations

TEXT = "Ann is here. Bob 🙂 left. Cy stays."
SENTENCES = [(0, 12), (13, 24), (25, 34)]
SOURCE = ServedDocument(b"\xef\xbb\xbf" + TEXT.encode(), TEXT, SENTENCES)


def citation(first: int, last: int, source: str = "a.txt") -> schema.Citation:
    start, end = SENTENCES[first][0], SENTENCES[last][1]
    utf16 = (len(TEXT[:start].encode("utf-16-le")) // 2, len(TEXT[:end].encode("utf-16-le")) // 2)
    byte = (3 + len(TEXT[:start].encode()), 3 + len(TEXT[:end].encode()))
    return schema.Citation(
        source=source,
        document_id="",
        sha256="",
        title="",
        url=None,
        date=None,
        media_type="text/plain",
        encoding="utf-8",
        anchor="exact",
        label="line 1",
        sentences=schema.SentenceRange(first, last, 3),
        range=schema.Range((start, end), utf16, byte),
        quote=schema.Quote(TEXT[start:end], "", ""),
        text_fragment="",
    )


def response(*answers: list[schema.Citation], status: str = "answered") -> Response:
    given = [schema.Answer(each[0].quote.exact, 0.5, None, each) for each in answers]
    return Response(status, 0.5, given, [], [], schema.IndexInfo("1", 1, 1))


def asked(*golds: Gold, evidence: tuple[tuple[Gold, ...], ...] = ()) -> Question:
    return Question("q", "?", answers=golds, evidence=evidence)


BOB, ANN, CY = Gold("a.txt", "Bob", 13), Gold("a.txt", "Ann", 0), Gold("a.txt", "Cy", 25)


@pytest.mark.parametrize(
    ("cited", "gold", "hit"),
    [((0, 0), BOB, False), ((1, 1), BOB, True), ((0, 1), BOB, True), ((1, 1), Gold("b.txt", "Bob", 13), False)],
)
def test_an_answer_hits_where_a_cited_sentence_overlaps_a_gold_span(
    cited: tuple[int, int], gold: Gold, hit: bool
) -> None:
    assert answers_hit(asked(gold), response([citation(*cited)]).answers) is hit


def source_of(name: str) -> ServedDocument | None:
    return SOURCE if name == "a.txt" else None


def test_citation_precision_and_recall_count_sentences() -> None:
    both = asked(BOB, evidence=((ANN, BOB), (BOB, CY, ANN)))
    assert citation_values(asked(BOB), response([citation(0, 1)]), source_of) == (0.5, 1.0)
    assert citation_values(both, response([citation(1, 1)]), source_of) == (1.0, 0.5)
    assert citation_values(both, response([citation(0, 0), citation(1, 1)]), source_of) == (1.0, 1.0)
    assert citation_values(asked(CY), response([citation(0, 1)]), source_of) == (0.0, 0.0)


def test_of_a_conflict_all_sides_are_cited() -> None:
    sides = [[citation(0, 0)], [citation(1, 1)]]
    assert citation_values(asked(BOB, ANN, evidence=((ANN, BOB),)), response(*sides), source_of)[1] == 0.5
    result = response(*sides, status="conflicting")
    assert citation_values(asked(BOB, ANN, evidence=((ANN, BOB),)), result, source_of) == (1.0, 1.0)


def test_nothing_cited_scores_nought() -> None:
    assert citation_values(asked(BOB), response(), source_of) == (0.0, 0.0)


def test_a_citation_is_exact_only_if_all_three_ranges_slice_to_the_quote() -> None:
    good = citation(1, 2)
    assert is_exact(good, SOURCE)
    assert not is_exact(good, None)
    assert not is_exact(good, ServedDocument(SOURCE.file.replace(b"Bob", b"Rob"), TEXT, SENTENCES))
    for field in ("codepoint", "utf16", "byte"):
        start, end = getattr(good.range, field)
        ranges = {name: getattr(good.range, name) for name in ("codepoint", "utf16", "byte")} | {
            field: (start + 1, end)
        }
        off = schema.Citation(
            **{name: getattr(good, name) for name in good.__struct_fields__} | {"range": schema.Range(**ranges)}
        )
        assert not is_exact(off, SOURCE), field


# ---- confidence


def arrays(pairs: list[tuple[float, bool]]) -> tuple[selective.Floats, selective.Bools]:
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def test_risk_coverage_by_hand() -> None:
    confidence, right = arrays([(0.9, True), (0.8, False), (0.7, True), (0.6, True)])
    curve = selective.risk_coverage(confidence, right)
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert selective.aurc(confidence, right) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert selective.coverage_at(0.75, confidence, right) == 1.0
    assert selective.coverage_at(0.9, confidence, right) == 0.25
    assert selective.coverage_at(0.9, *arrays([(0.9, False), (0.8, True)])) == 0.0


def test_equal_confidences_share_their_errors_and_cannot_be_cut() -> None:
    confidence, right = arrays([(0.9, True), (0.9, False), (0.5, True)])
    assert selective.risk_coverage(confidence, right).risk.tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3])
    assert selective.coverage_at(0.9, confidence, right) == 0.0


def test_calibration_error_by_hand() -> None:
    confidence, right = arrays([(0.9, True), (0.7, False), (0.3, False), (0.1, False)])
    # two bins: confidence 0.2, right 0; confidence 0.8, right 0.5
    assert selective.calibration_error(confidence, right, bins=2) == pytest.approx(0.5 * 0.2 + 0.5 * 0.3)
    assert [each.size for each in selective.reliability(confidence, right, bins=3)] == [2, 1, 1]


@given(UNSURE)
def test_auroc_is_that_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    confidence, positive = arrays(pairs)
    ours = selective.auroc(confidence, positive)
    if positive.all() or not positive.any():
        assert ours is None
    else:
        assert ours == pytest.approx(roc_auc_score(positive, confidence))


@given(UNSURE, st.randoms())
def test_no_measure_of_confidence_depends_on_the_order_of_questions(
    pairs: list[tuple[float, bool]], random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for measured in (selective.aurc, selective.calibration_error):
        assert measured(*arrays(pairs)) == pytest.approx(measured(*arrays(shuffled)))
    assert selective.coverage_at(0.9, *arrays(pairs)) == selective.coverage_at(0.9, *arrays(shuffled))


# ---- the table


def score(number: int, expected: str, given_: str, confidence: float, hit: float | None = None) -> Score:
    values = {"status accuracy": float(expected == given_)} | ({} if hit is None else {"hit@1": hit})
    return Score(str(number), None, expected != "abstained", expected, given_, confidence, values, 4, 3)


def test_statuses_by_hand() -> None:
    scores = [
        score(1, "answered", "answered", 0.9, 1.0),
        score(2, "answered", "abstained", 0.2, 0.0),
        score(3, "abstained", "abstained", 0.1),
        score(4, "abstained", "answered", 0.8),
        score(5, "abstained", "abstained", 0.3),
        score(6, "conflicting", "conflicting", 0.7, 1.0),
        score(7, "conflicting", "answered", 0.6, 0.0),
    ]
    found = measure(Columns.of(scores))
    assert found["status accuracy"] == pytest.approx(4 / 7)
    assert found["hit@1"] == pytest.approx(2 / 4)  # of the answerable questions
    assert found["abstention precision"] == pytest.approx(2 / 3)
    assert found["abstention recall"] == pytest.approx(2 / 3)
    assert (found["conflict precision"], found["conflict recall"]) == (1.0, 0.5)
    assert found["AUROC"] == pytest.approx(8 / 12)  # correctly ordered pairs, of 4 times 3
    assert found["exact citations"] == pytest.approx(3 / 4)


def test_never_abstaining_is_scored_not_left_undefined() -> None:
    found = measure(Columns.of([score(1, "answered", "answered", 0.9, 1.0), score(2, "abstained", "answered", 0.9)]))
    assert (found["abstention precision"], found["abstention recall"]) == (0.0, 0.0)


def test_what_a_set_does_not_allow_is_left_out_and_nothing_is_nan() -> None:
    found = measure(Columns.of([score(1, "answered", "answered", 0.9, 1.0)]))
    assert not {"AUROC", "abstention recall", "conflict recall", "recall@1"} & set(found)
    assert all(np.isfinite(value) for value in found.values())
    assert list(found) == [metric.name for metric in METRICS if metric.name in found]
