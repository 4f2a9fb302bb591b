"""Chooses the threshold from answers as they are served.

    python -m eval.benchmarks.operating_point eval/data/seeds ../shared/data/dev/squad2 \
        --real eval/data/real --real ../shared/data/dev/real_docs --write service/reader/weights/calibration.json

Calibration sees sentences of passages. What is served comes after that: rows with their header, whole lists, what a
heading says. It makes more answers right than the passages alone let expect, above all on documentation, so the
confidence is too low there, and the threshold is chosen on what is served. Each set weighs alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from eval.benchmarks import real_docs
from eval.datasets.dataset import Dataset
from eval.datasets.loading import load
from eval.metrics.scoring import score_all
from eval.runs.environment import Settings
from eval.runs.evaluation import ask
from eval.runs.results import markdown_table
from eval.runs.target import InProcess
from eval.training.calibration import operation, threshold_of
from eval.training.gathering import sample_places
from service.answering.answering import Answering
from service.reader.neural import Calibration

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # shown beside the one that is chosen


class ServedAnswer(Struct, frozen=True):
    """The first answer to a question, shown or not."""

    dataset: str
    confidence: float
    right: bool


def answers_of(dataset: Dataset, work: Path) -> list[ServedAnswer]:
    """Ask every question of a test set, with an index of its documents in `work`."""
    real_docs.build(Path(str(dataset.corpus)), work)
    answering = Answering.open(work)
    try:
        target = InProcess(answering, work, "default")
        responses = [ask(question, target, Settings())[0].response for question in dataset.questions]
        scores = score_all(dataset, responses, target.source, answering.reader.threshold)
    finally:
        answering.close()
    return [ServedAnswer(dataset.name, score.confidence, score.answerable and score.right) for score in scores]


def real_answers(root: Path, work: Path) -> list[ServedAnswer]:
    """The same for the sets of questions on real documents below a folder, which count as one set."""
    return [
        ServedAnswer(root.name, outcome.confidence, outcome.rank == 1)
        for folder in real_docs.sets_in(root)
        for outcome in real_docs.ask_questions(folder, work / folder.name, None)
    ]


def weights_of(answers: Sequence[ServedAnswer]) -> dict[str, float]:
    """The weight of an answer of each set, so that the sets weigh alike."""
    names = [answer.dataset for answer in answers]
    return {name: 1 / names.count(name) for name in set(names)}


class OperatingPoint(Struct, frozen=True):
    threshold: float
    precision: float
    coverage: float


def chosen(answers: Sequence[ServedAnswer], threshold: float | None = None) -> OperatingPoint:
    """The operating point with the highest utility (see `threshold_of`), or the one at a threshold."""
    confidence = np.array([answer.confidence for answer in answers])
    right = np.array([answer.right for answer in answers])
    weight = weights_of(answers)
    weights = np.array([weight[answer.dataset] for answer in answers])
    threshold = threshold_of(confidence, right, weights) if threshold is None else threshold
    return OperatingPoint(threshold, *operation(confidence, right, weights, threshold))


def table(answers: Sequence[ServedAnswer], best: OperatingPoint) -> str:
    """Right shown / wrong shown of each set, as shares of its questions, at several thresholds."""
    names = sorted({answer.dataset for answer in answers})
    rows = []
    for threshold in sorted({*THRESHOLDS, best.threshold}):
        point = chosen(answers, threshold)
        cells = []
        for name in names:
            own = [answer for answer in answers if answer.dataset == name]
            shown = [answer.right for answer in own if answer.confidence >= threshold]
            cells.append(f"{sum(shown) / len(own):.2f} / {shown.count(False) / len(own):.2f}")
        label = f"{threshold:g}"
        marked = f"**{label}**" if threshold == best.threshold else label
        rows.append([marked, f"{point.precision:.3f}", f"{point.coverage:.3f}", *cells])
    return markdown_table(["threshold", "precision", "coverage", *names], rows)


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--real",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with sets as `eval.benchmarks.real_docs` asks them; together they are one set.",
)
@click.option("--most", type=int, default=150, show_default=True, help="Questions of each test set (a fixed sample).")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/threshold"))
@click.option("--write", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A calibration to change.")
def main(*, folders: Sequence[Path], real: Sequence[Path], most: int, work: Path, write: Path | None) -> None:
    """Choose the threshold on the test sets in FOLDERS and on real documents, and print what it is worth."""
    answers = [answer for root in real for answer in real_answers(root, work / root.name)]
    for folder in folders:
        dataset = load(folder)
        places = sample_places(len(dataset.questions), most)
        sample = replace(dataset, questions=[dataset.questions[place] for place in places])
        answers += answers_of(sample, work / folder.name)
    best = chosen(answers)
    click.echo(table(answers, best))
    if write is not None:
        fit = msgspec.json.decode(write.read_bytes(), type=Calibration)
        changed = replace(fit, **msgspec.structs.asdict(best))
        write.write_bytes(msgspec.json.format(msgspec.json.encode(changed), indent=1) + b"\n")


if __name__ == "__main__":
    main()
