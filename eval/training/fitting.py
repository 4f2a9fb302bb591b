"""Fit the parameters of search and of the baseline reader: fusion weights, logistic curves and the threshold.

    python -m eval.training.fitting SQUAD2 FAIRYTALEQA --out service/reader/weights/fitted.json

All reported figures are cross-validated, with folds split by document rather than by question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rich.progress import track
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from eval.datasets.dataset import Dataset, Question
from eval.datasets.loading import load
from eval.metrics.selective import auroc, calibration_error
from index.collections.build import build
from index.collections.opening import open_searcher
from index.collections.protocols import Searcher as AnySearcher
from index.collections.writer import build_writer
from index.search.fusion import Fusion
from index.search.searcher import Searcher
from service.reader.baseline import READ_AHEAD, Support, confidence_features
from service.reader.calibration import Fit, Logistic
from service.reader.reader import Line, lines_of

Floats = NDArray[np.float64]

FOLDS = 5
DEPTH = 20
PENALTY = 1e-6  # L2 penalty on the weights
SHOWN_SHARE = 0.9  # share of the right answers that the threshold shows
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
CONSTANTS = (2, 5, 10, 20, 40, 60)
ALONE = {"dense": Fusion(1.0, 0.0, 60), "terms": Fusion(0.0, 1.0, 60), "even": Fusion(1.0, 1.0, 60)}


class QuestionLines(Struct, frozen=True):
    """A question with the features of all lines read for it. `right`: whether a line answers it."""

    question: Question
    dataset: str
    group: str
    features: Floats  # [lines, features]
    right: NDArray[np.bool_]  # [lines]


def overlaps_gold(source: str, line: Line, question: Question) -> bool:
    return any(
        source == gold.doc and line.span.start < gold.start + len(gold.text) and gold.start < line.span.end
        for gold in question.answers
    )


def group_of(question: Question) -> str:
    """The document that a question belongs to. Questions of the same document are always in the same fold."""
    return question.answers[0].doc if question.answers else question.about or question.id


def holding(searcher: AnySearcher, question: Question, numbers: Sequence[int]) -> set[int]:
    """The passages that contain a whole answer."""
    numbers_found = set()
    for number, source, span in searcher.places(numbers):
        for gold in question.answers:
            if source == gold.doc and span.start <= gold.start and gold.start + len(gold.text) <= span.end:
                numbers_found.add(number)
    return numbers_found


def found_at_5(searcher: Searcher, question: Question, grid: Sequence[Fusion]) -> list[bool]:
    """For each fusion in the grid, whether one of its first five passages contains an answer."""
    dense, terms = (list(ranking) for ranking in searcher.rankings(question.text))
    right = holding(searcher, question, list({*dense, *terms}))
    values = []
    for fusion in grid:
        best = sorted((-score, number) for number, score in fusion.scores(dense, terms).items())[:5]
        values.append(any(number in right for _, number in best))
    return values


def fit_fusion(searchers: dict[str, Searcher], questions: list[tuple[str, Question]]) -> Fusion:
    """The fusion with the best recall@5, averaged over data sets.

    Recall, not reciprocal rank: the reader ranks the passages itself, as long as they are retrieved.
    """
    answerable = [(name, question) for name, question in questions if question.answers]
    grid = [Fusion(d, t, c) for d, t, c in product(WEIGHTS, WEIGHTS, CONSTANTS) if max(d, t) == 1.0]
    table = np.array([found_at_5(searchers[n], q, grid) for n, q in track(answerable, "fusion")], np.float64)
    names = np.array([name for name, _ in answerable])
    held_out = np.zeros(len(answerable))
    for fitted_on, rest in GroupKFold(FOLDS).split(table, groups=[group_of(question) for _, question in answerable]):
        held_out[rest] = table[rest, macro_mean(table[fitted_on], names[fitted_on]).argmax()]
    best = int(macro_mean(table, names).argmax())
    for name in searchers:
        own = names == name
        alone = {side: float(table[own, grid.index(f)].mean()) for side, f in ALONE.items()}
        click.echo(f"{name}: recall@5 on held-out documents {held_out[own].mean():.4f}, not fitted {alone}")
    click.echo(f"fusion: {grid[best]}")
    return grid[best]


def macro_mean(table: Floats, names: NDArray[np.str_]) -> Floats:
    means: Floats = np.mean([table[names == name].mean(axis=0) for name in np.unique(names)], axis=0)
    return means


def read_all(searchers: dict[str, Searcher], questions: list[tuple[str, Question]]) -> list[QuestionLines]:
    questions_read = []
    for name, question in track(questions, "questions"):
        searcher = searchers[name]
        hits = searcher.search(question.text, DEPTH)[:READ_AHEAD]
        lines = lines_of(hits, searcher)
        sources = {hit.passage.document.number: hit.passage.document.source for hit in hits}
        right = np.array([overlaps_gold(sources[line.document], line, question) for line in lines], bool)
        features = Support(question.text, lines, hits, searcher).features()
        questions_read.append(QuestionLines(question, name, group_of(question), features, right))
    return questions_read


def fit_logistic(features: Floats, right: NDArray[np.bool_]) -> Logistic:
    fitted = LogisticRegression(C=10.0, max_iter=1000).fit(features, right)
    return Logistic(fitted.coef_[0].tolist(), float(fitted.intercept_[0]))


def fit_sentences(questions: Sequence[QuestionLines]) -> Logistic:
    """Fit a softmax over the lines of a question to the lines that are right: only their order matters.

    Uses questions with a right line. Every data set has the same total weight.
    """
    used = [each for each in questions if each.right.any()]
    share = {name: 1 / sum(each.dataset == name for each in used) for name in {each.dataset for each in used}}

    def loss(weights: Floats) -> tuple[float, Floats]:
        value, gradient = PENALTY * float(weights @ weights), 2 * PENALTY * weights
        for each in used:
            chances = softmax(each.features @ weights)
            right = chances * each.right
            value -= share[each.dataset] * float(np.log(right.sum() + 1e-12))
            gradient -= share[each.dataset] * (each.features.T @ (right / (right.sum() + 1e-12) - chances))
        return value, gradient

    best = minimize(loss, np.zeros(used[0].features.shape[1]), jac=True, method="L-BFGS-B")
    return Logistic(best.x.tolist(), 0.0)


def ranked(curve: Logistic, each: QuestionLines) -> tuple[Floats, bool]:
    """The features of the confidence in the first answer, and whether that answer is right."""
    logits = curve.logits(each.features)
    order = np.argsort(-logits, kind="stable")
    return confidence_features(logits[order])[0], bool(each.right[order[0]])


def cross_fitted(questions: Sequence[QuestionLines]) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """For each first answer: its features, whether it is right, its confidence, cross-fitted over documents."""
    groups = [each.group for each in questions]
    features, right, confidence = (
        np.zeros((len(questions), 3)),
        np.zeros(len(questions), bool),
        np.zeros(len(questions)),
    )
    folds = list(GroupKFold(FOLDS).split(groups, groups=groups))
    for fitted_on, rest in folds:
        curve = fit_sentences([questions[i] for i in fitted_on])
        for i in rest:
            features[i], right[i] = ranked(curve, questions[i])
    for fitted_on, rest in folds:
        confidence[rest] = fit_logistic(features[fitted_on], right[fitted_on]).probability(features[rest])
    return features, right, confidence


def best_threshold(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """The threshold that shows SHOWN_SHARE of the right answers.

    These confidences separate right from wrong too poorly for a precision of 90 %: almost nothing would be shown.
    """
    return round(float(np.quantile(confidence[right], 1 - SHOWN_SHARE)), 3)


def report(questions: Sequence[QuestionLines], right: NDArray[np.bool_], confidence: Floats) -> dict[str, float | None]:
    answerable = np.array([each.question.answerable for each in questions])
    return {
        "questions": len(questions),
        "hit@1": float(right[answerable].mean()),
        "auroc": auroc(confidence, answerable),
        "auroc_right": auroc(confidence, right),
        "ece": calibration_error(confidence, right),
    }


@click.command()
@click.argument("datasets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--fusion/--no-fusion", default=True, help="Whether to fit the weights of fusion too.")
def main(*, datasets: Sequence[Path], out: Path, fusion: bool) -> None:
    """Fit to DATASETS and write the fit to --out."""
    loaded = [load(path) for path in datasets]
    with TemporaryDirectory() as folder:
        searchers = {dataset.name: build_and_open(dataset, Path(folder, dataset.name)) for dataset in loaded}
        questions = [(dataset.name, question) for dataset in loaded for question in dataset.questions]
        if fusion:
            best = fit_fusion(searchers, questions)
            for searcher in searchers.values():
                searcher.fusion = best
        readings = read_all(searchers, questions)
    readings = [each for each in readings if len(each.right)]
    features, right, confidence = cross_fitted(readings)
    figures = {}
    for name in [*searchers, None]:
        chosen = [i for i, each in enumerate(readings) if name in (None, each.dataset)]
        figures[name or "all"] = report([readings[i] for i in chosen], right[chosen], confidence[chosen])
    fit = Fit(
        sentence=fit_sentences(readings),
        confidence=fit_logistic(features, right),
        threshold=best_threshold(confidence, right),
        provenance={
            "fitted_on": {dataset.name: fingerprint(dataset) for dataset in loaded},
            "figures_on_documents_left_out": figures,
        },
    )
    out.write_bytes(msgspec.json.format(msgspec.json.encode(fit), indent=1) + b"\n")
    click.echo(msgspec.json.format(msgspec.json.encode(figures)).decode())


def fingerprint(dataset: Dataset) -> str:
    """A hash of the questions, which identifies the version of a set."""
    return hashlib.sha256(msgspec.json.encode(dataset.questions)).hexdigest()


def build_and_open(dataset: Dataset, index: Path) -> Searcher:
    if dataset.corpus is None:
        raise click.UsageError(f"{dataset.name} has no corpus folder.")
    with build_writer(index) as writer:
        build(writer, [dataset.corpus])
    return open_searcher(index)


if __name__ == "__main__":
    main()
