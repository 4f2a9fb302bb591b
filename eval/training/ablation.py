"""Feature ablation: fit the calibration without some of the network's outputs, and compare.

    python -m eval.training.ablation READINGS.json…

The files are the readings that `eval.training.calibrate` stores in --work. All figures are cross-validated: they come
from documents that the curves were not fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from msgspec.structs import replace

from eval.runs.results import markdown_table
from eval.training.calibration import DEPTH, CrossFitted, cross_fit, cross_fit_on, figures
from eval.training.reading import QuestionReading, load_readings
from service.reader.span_features import Evidence

PARTS = (
    "here",
    "share of the spans",
    "sentence",
    "span against nowhere",
    "here, linear",
    "relevance",
    "rank",
    "cosine",
)
VARIANTS = {
    "all": PARTS,
    "here and span": ("here", "share of the spans", "here, linear"),
    "span alone": ("share of the spans", "span against nowhere"),
    "sentence head alone": ("sentence",),
    "here and sentence": ("here", "sentence", "here, linear"),
    "without relevance": tuple(part for part in PARTS if part != "relevance"),
    "without the retriever": PARTS[:6],
}
DEPTHS = (1, 3, 5)
SHOWN = ("hit@1", "span F1", "AUROC", "coverage@90%", "ECE")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(files: Sequence[Path]) -> None:
    """Print one table per file of readings."""
    for path in files:
        readings = [each.first(DEPTH) for each in load_readings(path)]
        variants = {name: [masked(each, parts) for each in readings] for name, parts in VARIANTS.items()}
        variants |= {f"all, {depth} passages read": [each.first(depth) for each in readings] for depth in DEPTHS}
        rows = [row for name, variant in variants.items() for row in rows_of(name, variant, cross_fit(variant))]
        if len({each.dataset for each in readings}) > 1:
            rows += rows_of("all, fitted to the other sets only", readings, fitted_elsewhere(readings))
        click.echo(f"{path.stem}\n\n{markdown_table(['', 'set', *SHOWN], rows)}\n")


def masked(each: QuestionReading, parts: Sequence[str]) -> QuestionReading:
    """The same reading with every feature outside `parts` set to 0."""
    return replace(each, evidence=[without(evidence, parts) for evidence in each.evidence])


def without(evidence: Evidence, parts: Sequence[str]) -> Evidence:
    features = zip(PARTS, evidence.features, strict=True)
    return replace(evidence, features=tuple(value if name in parts else 0.0 for name, value in features))


def fitted_elsewhere(readings: Sequence[QuestionReading]) -> CrossFitted:
    """Leave one set out: score each set with curves fitted to the other sets."""
    names = np.array([each.dataset for each in readings])
    return cross_fit_on(
        readings, [(np.flatnonzero(names != name), np.flatnonzero(names == name)) for name in sorted(set(names))]
    )


def rows_of(name: str, readings: Sequence[QuestionReading], results: CrossFitted) -> list[list[str]]:
    return [
        [name, dataset, *(f"{value:.3f}" if (value := each[metric]) is not None else "–" for metric in SHOWN)]
        for dataset, each in figures(readings, results, 1.0).items()
        if dataset != "all"
    ]


if __name__ == "__main__":
    main()
