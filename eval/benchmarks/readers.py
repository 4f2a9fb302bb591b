"""Readers side by side: the same passages found, the same curves fitted to each, every set left out in turn.

    python -m eval.benchmarks.readers ../shared/data/dev/squad2 ../shared/data/dev/real_docs eval/data/seeds \
        --reader "reader 2=FOLDER" --cross-encoder FOLDER --work runs/readers

A reader's curves are fitted by cross-fitting over documents, so that what the weights are worth is compared, and not
what each was calibrated on. The textbook pipeline has no curves: its confidence is the logistic function of its score.
What was read is kept in --work, and a run that was broken off goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
from msgspec import Struct
from rich.progress import track

from eval.datasets.dataset import Question
from eval.datasets.loading import load
from eval.metrics.selective import auroc, calibration_error
from eval.metrics.statistics import resamples
from eval.runs.results import markdown_table, provenance, write_part
from eval.training.calibration import DEPTH, cross_fit, key, needed_of, threshold_of, weights_of
from eval.training.gathering import gather_readings, limits, open_or_build, sample_places, sets_in
from eval.training.reading import QuestionReading, touch
from eval.training.textbook import CrossEncoder, TextbookReader, open_cross_encoder
from index.search.searcher import Searcher
from service.reader.network import Network
from service.reader.neural import chosen_companions, packaged
from service.reader.reader import Candidate

SHIPPED, TEXTBOOK = "as shipped", "textbook"
DRAWN = 1000  # resamples behind an interval


class Outcome(Struct, frozen=True):
    """What came of a question. `recall` and `precision`: of what is cited, where several sentences are needed."""

    dataset: str
    answerable: bool
    right: bool
    confidence: float
    overlap: float  # token F1 of the span; 0 where the sentence is wrong
    shown: bool = False
    recall: float | None = None
    precision: float | None = None


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--cross-encoder", type=click.Path(exists=True, path_type=Path), help="For the textbook pipeline.")
@click.option("--reader", "readers", multiple=True, help="NAME=FOLDER of another reader; may come several times.")
@click.option("--most", multiple=True, help="SET=COUNT: questions of a set, at most; always the same ones.")
@click.option("--together", multiple=True, help="A set whose answers to a question are the sentences of one answer.")
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/readers"), show_default=True
)
@click.option("--record/--no-record", help="Rewrite the part of RESULTS.md.")
def main(
    *,
    folders: Sequence[Path],
    cross_encoder: Path | None,
    readers: tuple[str, ...],
    most: tuple[str, ...],
    together: tuple[str, ...],
    work: Path,
    record: bool,
) -> None:
    """Measure the packaged reader, and others, on the sets in FOLDERS."""
    networks = {name: Path(folder) for name, _, folder in (each.partition("=") for each in readers)}
    outcomes: dict[str, list[Outcome]] = {}
    if cross_encoder:
        outcomes[TEXTBOOK] = textbook(open_cross_encoder(cross_encoder), folders, limits(most), work)
    for name, folder in (networks | {SHIPPED: packaged()}).items():
        network = Network(folder)
        readings, _ = gather_readings(network, folders, work, limits(most), together)
        network.close()
        outcomes[name] = outcomes_of([each.first(DEPTH) for each in readings])
    text = f"## Readers\n\n{tables(outcomes)}\n\n{provenance('make bench-readers')}"
    click.echo(text)
    if record:
        write_part("readers", text)


def outcomes_of(readings: Sequence[QuestionReading]) -> list[Outcome]:
    """By curves, a threshold and companions not fitted on the document of a question."""
    results = cross_fit(readings)
    threshold = threshold_of(results.confidence, results.right, weights_of(readings))
    needed = needed_of(results)
    outcomes = []
    for place, each in enumerate(readings):
        first, confidence = results.firsts[place], float(results.confidence[place])
        numbers = chosen_companions(results.companions[place], needed)
        cited = [first.place, *(results.beside[place].places[number - 1] for number in numbers)]
        recall, precision = citation_values(each, cited) if first.place >= 0 else (0.0, 0.0)
        several = any(len(pieces) > 1 for pieces in each.needed)
        outcomes.append(
            Outcome(
                dataset=each.dataset,
                answerable=each.answerable,
                right=first.right,
                confidence=confidence,
                overlap=each.overlap[first.place] if first.place >= 0 else 0.0,
                shown=confidence >= threshold,
                recall=recall if several else None,
                precision=precision if several else None,
            )
        )
    return outcomes


def citation_values(each: QuestionReading, cited: Sequence[int]) -> tuple[float, float]:
    """Of the best alternative's pieces, the share that is cited; of the citations, the share that is right."""
    keys = {key(each.evidence[place]) for place in cited}
    alternatives = [[{key(each.evidence[place]) for place in piece} for piece in pieces] for pieces in each.needed]
    recall = max((np.mean([bool(piece & keys) for piece in pieces]) for pieces in alternatives), default=0.0)
    right = {key(each.evidence[place]) for place, ok in enumerate(each.right) if ok}
    right = right.union(*(piece for pieces in alternatives for piece in pieces))
    return float(recall), len(keys & right) / len(keys)


def textbook(model: CrossEncoder, folders: Sequence[Path], most: dict[str, int], work: Path) -> list[Outcome]:
    """The pipeline of `eval.training.textbook` on the same passages."""
    reader = TextbookReader(model)
    outcomes: list[Outcome] = []
    for name, path in sets_in(folders):
        dataset = load(path)
        file = work / f"{name}-{dataset.name}-{dataset.sha256[:8]}-textbook-{most.get(name, 'all')}.json"
        if not file.is_file():
            searcher = open_or_build(dataset, work / "indexes" / dataset.name)
            questions = [dataset.questions[place] for place in sample_places(len(dataset.questions), most.get(name))]
            answered = [textbook_outcome(reader, name, each, searcher) for each in track(questions, f"textbook {name}")]
            searcher.close()
            file.write_bytes(msgspec.json.encode(answered))
        outcomes += msgspec.json.decode(file.read_bytes(), type=list[Outcome])
    return outcomes


def textbook_outcome(reader: TextbookReader, name: str, question: Question, searcher: Searcher) -> Outcome:
    reading = reader.read(question.text, searcher.search(question.text, DEPTH), searcher)
    first = reading.candidates[0] if reading.candidates else None
    confidence = reading.confidence
    right = first is not None and is_right(first, question, searcher)
    is_shown = confidence >= reader.threshold
    return Outcome(name, question.answerable, right, confidence, 0.0, is_shown)


def is_right(candidate: Candidate, question: Question, searcher: Searcher) -> bool:
    source = searcher.content(candidate.document).document.source
    return any(source == gold.doc and touch(candidate.span, gold.start, gold.end) for gold in question.answers)


def right_first(some: Sequence[Outcome]) -> float | None:
    flags = [each.right for each in some if each.answerable]
    return float(np.mean(flags)) if flags else None


def span_f1(some: Sequence[Outcome]) -> float | None:
    values = [each.overlap for each in some if each.answerable]
    return float(np.mean(values)) if values else None


def answered_here(some: Sequence[Outcome]) -> float | None:
    return auroc(np.array([each.confidence for each in some]), np.array([each.answerable for each in some], bool))


def being_right(some: Sequence[Outcome]) -> float | None:
    return auroc(np.array([each.confidence for each in some]), np.array([each.right for each in some], bool))


def miscalibration(some: Sequence[Outcome]) -> float:
    return calibration_error(
        np.array([each.confidence for each in some]), np.array([each.right for each in some], bool)
    )


def mean_of(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


METRICS: dict[str, Callable[[Sequence[Outcome]], float | None]] = {
    "right first": right_first,
    "span F1": span_f1,
    "AUROC: answered here": answered_here,
    "AUROC: first is right": being_right,
    "ECE": miscalibration,
    "right shown": lambda some: mean_of([float(each.right and each.shown) for each in some if each.answerable]),
    "wrong shown": lambda some: mean_of([float(each.shown and not each.right) for each in some]),
    "citation recall": lambda some: mean_of([each.recall for each in some]),
    "citation precision": lambda some: mean_of([each.precision for each in some]),
}


def tables(outcomes: dict[str, list[Outcome]]) -> str:
    """One for each set, one for all of them. Right shown: of the questions with an answer; wrong shown: of all."""
    names = sorted({each.dataset for some in outcomes.values() for each in some})
    parts = []
    for name in [*names, "all"]:
        chosen = {reader: [each for each in some if name in ("all", each.dataset)] for reader, some in outcomes.items()}
        rows = [[reader, *(cell(some, metric) for metric in METRICS.values())] for reader, some in chosen.items()]
        count = max(map(len, chosen.values()))
        parts.append(f"### {name}, {count} questions\n\n{markdown_table(['', *METRICS], rows)}")
    return "\n\n".join(parts)


def cell(some: Sequence[Outcome], metric: Callable[[Sequence[Outcome]], float | None]) -> str:
    """The value with its 95 % interval: .842 (.790–.891)."""
    value = metric(some)
    if value is None:
        return "–"
    drawn = [metric([some[row] for row in rows]) for rows in resamples(len(some), DRAWN)]
    low, high = np.percentile([each for each in drawn if each is not None], (2.5, 97.5))
    return f"{value:.3f} ({low:.3f}–{high:.3f})".replace("0.", ".")


if __name__ == "__main__":
    main()
