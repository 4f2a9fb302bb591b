"""What each part of what the network says is worth: the calibration fitted with some parts left out.

    python -m eval.training.ablation SEEN.json…

The files are what `eval.training.calibrate --keep` writes. All figures are from documents not fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from msgspec.structs import replace

from eval.runs.results import markdown_table
from eval.training.calibration import DEPTH, Crossed, cross_fit, crossed, figures
from eval.training.reading import Seen, kept
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
    """Print a table for each file."""
    for path in files:
        seen = [each.first(DEPTH) for each in kept(path)]
        tried = {name: [masked(each, parts) for each in seen] for name, parts in VARIANTS.items()}
        tried |= {f"all, {depth} passages read": [each.first(depth) for each in seen] for depth in DEPTHS}
        rows = [row for name, variant in tried.items() for row in rows_of(name, variant, cross_fit(variant))]
        if len({each.dataset for each in seen}) > 1:
            rows += rows_of("all, fitted to the other sets alone", seen, fitted_elsewhere(seen))
        click.echo(f"{path.stem}\n\n{markdown_table(['', 'set', *SHOWN], rows)}\n")


def masked(each: Seen, parts: Sequence[str]) -> Seen:
    """What is left out counts as 0 everywhere, and so for nothing."""
    return replace(each, evidence=[without(evidence, parts) for evidence in each.evidence])


def without(evidence: Evidence, parts: Sequence[str]) -> Evidence:
    features = zip(PARTS, evidence.features, strict=True)
    return replace(evidence, features=tuple(value if name in parts else 0.0 for name, value in features))


def fitted_elsewhere(seen: Sequence[Seen]) -> Crossed:
    """Each set read with curves that know nothing of it."""
    names = np.array([each.dataset for each in seen])
    return crossed(
        seen, [(np.flatnonzero(names != name), np.flatnonzero(names == name)) for name in sorted(set(names))]
    )


def rows_of(name: str, seen: Sequence[Seen], found: Crossed) -> list[list[str]]:
    return [
        [name, dataset, *(f"{value:.3f}" if (value := each[metric]) is not None else "–" for metric in SHOWN)]
        for dataset, each in figures(seen, found, 1.0).items()
        if dataset != "all"
    ]


if __name__ == "__main__":
    main()
