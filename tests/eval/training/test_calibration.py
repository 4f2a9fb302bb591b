"""Calibrating: curves that fit, folds that do not leak, a threshold and an early exit that keep their promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn.linear_model import LogisticRegression

from eval.training.calibration import (
    NEVER,
    UNCHANGED,
    calibrate,
    cross_fit,
    fit_curve,
    needed_beside,
    operation,
    path_of,
    threshold_of,
    weights_of,
)
from eval.training.logistic import fit_logistic, folds
from eval.training.reading import QuestionReading
from index.types import Span
from pincite import run
from service.reader.selection import open_reader, own_calibration
from service.reader.span_features import Evidence


def seen_some(count: int, seed: int) -> list[QuestionReading]:
    """Questions of which the first feature tells the right sentence, the better the surer."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        answerable = number % 3 != 0
        place = int(rng.integers(0, 12)) if answerable else -1
        evidence, right = [], []
        for sentence in range(20):
            strength = float(rng.normal(3.0 if sentence == place else -1.0, 1.0))
            noise = [float(x) for x in rng.normal(size=5) / 3]
            features = (min(strength - 3, 0.0), *noise, 1 / (1 + sentence // 2), 0.5)
            span = Span(10 * sentence, 10 * sentence + 9)
            evidence.append(Evidence(1, sentence, span, sentence // 2, features, span))
            right.append(sentence == place)
        needed = [[[place]]] if answerable else []
        texts = [f"Sentence {sentence}." for sentence in range(20)]
        group, f1 = f"doc{number % 17}", [1.0] * 20
        found.append(
            QuestionReading(str(number), "made", group, answerable, evidence, right, f1, texts, {"ferry": 1.0}, needed)
        )
    return found


@pytest.fixture(scope="module")
def readings() -> list[QuestionReading]:
    return seen_some(300, 1)


def test_a_curve_is_the_one_that_another_implementation_fits() -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(200, 4))
    right = features @ [1.0, -2.0, 0.0, 0.5] + rng.normal(size=200) > 0.3
    importance = rng.uniform(0.5, 2.0, 200)
    oracle = LogisticRegression(C=1.0, max_iter=5000, tol=1e-9).fit(features, right, importance)
    ours = fit_logistic(features, right, importance)
    assert ours.weights == pytest.approx(oracle.coef_[0].tolist(), abs=2e-3)
    assert ours.bias == pytest.approx(float(oracle.intercept_[0]), abs=2e-3)


def test_a_confidence_does_not_depend_on_the_scale_of_a_feature() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(size=(60, 3))
    right = features[:, 0] + rng.normal(size=60) > 0
    scale, shift = np.array([1000.0, 0.01, 1.0]), np.array([5.0, -3.0, 0.0])
    weights = np.ones(60)
    plain = fit_curve(features, right, weights).probability(features)
    scaled = fit_curve(features * scale + shift, right, weights).probability(features * scale + shift)
    assert scaled == pytest.approx(plain, abs=1e-4)


def test_what_never_differs_does_not_count() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(size=(60, 3))
    features[:, 1] = 7.0
    right = features[:, 0] > 0
    curve = fit_curve(features, right, np.ones(60))
    assert curve.weights[1] == 0.0
    assert np.isfinite(curve.weights).all()


def test_one_sort_of_answer_alone_gives_a_constant() -> None:
    curve = fit_logistic(np.ones((8, 2)), np.ones(8, bool))
    assert curve.probability(np.zeros((1, 2)))[0] == pytest.approx(0.9)


def test_no_document_is_fitted_on_and_left_out_at_once() -> None:
    groups = [f"doc{n % 7}" for n in range(100)]
    left_out: list[int] = []
    for fitted_on, rest in folds(groups, 5):
        assert not {groups[i] for i in fitted_on} & {groups[i] for i in rest}
        left_out += rest.tolist()
    assert sorted(left_out) == list(range(100))
    assert len(list(folds(["only"], 5))) == 1


def test_what_is_right_is_told_from_what_is_not(readings: list[QuestionReading]) -> None:
    crossed = cross_fit(readings)
    right, confidence = crossed.right, crossed.confidence
    assert right[[each.answerable for each in readings]].mean() > 0.8
    assert confidence[right].mean() > confidence[~right].mean() + 0.3


def test_sets_weigh_alike(readings: list[QuestionReading]) -> None:
    weights = weights_of([*readings, *(replace(each, dataset="other") for each in readings[:30])])
    assert weights[:300].sum() == pytest.approx(weights[300:].sum())
    assert weights.mean() == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.1, 2)), min_size=1, max_size=30))
def test_no_threshold_is_worth_much_more_than_the_one_chosen(rows: list[tuple[float, bool, float]]) -> None:
    confidence, weights = np.array([row[0] for row in rows]), np.array([row[2] for row in rows])
    confidence = np.round(confidence, 3)
    right = np.array([row[1] for row in rows])

    def worth(threshold: float) -> float:
        shown = confidence >= threshold
        return float((weights * np.where(right, 1.0, -2.0))[shown].sum())

    best = max([0.0, *(worth(each) for each in confidence)])
    threshold = threshold_of(confidence, right, weights)
    assert threshold == 1.0 or worth(threshold) >= 0.95 * best - 1e-9
    if best > 1e-9:
        precision, coverage = operation(confidence, right, weights, threshold)
        assert precision > 2 / 3 - 1e-9
        assert 0 < coverage <= 1


def test_a_companion_is_what_the_evidence_needs_beside_the_first(readings: list[QuestionReading]) -> None:
    evidence = readings[0].evidence
    assert list(needed_beside(3, [[3], [5, 6], [9]], evidence)) == [5, 6, 9]
    assert list(needed_beside(4, [[3], [5, 6]], evidence)) == []
    assert list(needed_beside(3, [[3]], evidence)) == []


def test_stopping_early_leaves_the_first_answers_as_they_are(readings: list[QuestionReading]) -> None:
    fit = calibrate(readings, "0" * 64, {})
    assert fit.enough < NEVER
    stops = []
    for each in readings:
        path = path_of(each, fit)
        stops.append(next((s for s in path if fit.stays.probability(s.features[None])[0] >= fit.enough), path[-1]))
    assert np.mean([step.stays for step in stops]) >= UNCHANGED - 0.01
    assert np.mean([step.read for step in stops]) < 9


def test_calibrate_writes_what_the_index_is_answered_with(index_folder: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "set" / "corpus"
    (corpus / "harbour").mkdir(parents=True)
    text = "The ferry leaves Aldhaven at 7:40 each morning. It returns at noon.\n\nDogs travel free.\n"
    (corpus / "harbour" / "ferry.txt").write_text(text, encoding="utf-8")
    asked = {"When does the ferry leave?": "7:40", "When does it return?": "noon", "Who travels free?": "Dogs"}
    rows = []
    for number in range(30):
        question, answer = list(asked.items())[number % 3]
        gold = {"doc": "harbour/ferry.txt", "text": answer, "start": text.index(answer)}
        answers = [gold] if number % 5 else []
        rows.append({"id": str(number), "question": question, "answers": answers, "answerable": bool(answers)})
    (tmp_path / "set" / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    try:
        assert run(["calibrate", str(tmp_path / "set"), "--index", str(index_folder)]) == 0
        fitted = json.loads(own_calibration(index_folder).read_text())
        assert open_reader(None, index_folder).threshold == fitted["threshold"]
        assert fitted["provenance"]["figures_on_documents_left_out"]["set"]["questions"] == 30
    finally:
        own_calibration(index_folder).unlink(missing_ok=True)


def test_too_few_questions_are_refused(index_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("Ann lives here.\n")
    row = {"id": "1", "question": "Who?", "answers": [{"doc": "a.txt", "text": "Ann", "start": 0}], "answerable": True}
    (tmp_path / "questions.jsonl").write_text(json.dumps(row))
    assert run(["calibrate", str(tmp_path), "--index", str(index_folder)]) == 2
    assert "at least 30 are needed" in capsys.readouterr().err
    assert not own_calibration(index_folder).exists()
