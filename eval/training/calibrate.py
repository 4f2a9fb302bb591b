"""Calibrate the trained reader's confidence: to your own questions, or to the test sets that it ships with.

python -m eval.training.calibrate ../shared/data/dev/squad2 ../shared/data/dev/real_docs --reader FOLDER
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.cli.options import collection_option, encoder_option, index_option
from service.cli.options import reader_option

if TYPE_CHECKING:
    from eval.datasets.dataset import Dataset
    from eval.training.reading import QuestionReading
    from index.search.searcher import Searcher
    from service.reader.network import Network
    from service.reader.neural import Calibration

FEWEST = 30  # questions needed to fit the curves
FEWEST_FOUND = 10  # of them, questions whose answer is in a retrieved passage


@click.command(name="calibrate")
@click.argument("dataset", type=click.Path(path_type=Path))
@index_option
@collection_option
@encoder_option
@reader_option
def calibrate_command(*, dataset: Path, index: Path, collection: str, encoder: str | None, reader: str | None) -> None:
    """Fit the confidence and the threshold to the questions of DATASET, whose documents are in the index.

    The service uses them for this index from its next start.
    """
    from eval.datasets.loading import load
    from index.collections.opening import open_searcher
    from service.reader.network import Network
    from service.reader.neural import packaged
    from service.reader.selection import own_calibration

    loaded = load(dataset)
    if len(loaded.questions) < FEWEST:
        raise click.UsageError(f"The dataset has {len(loaded.questions)} questions; at least {FEWEST} are needed.")
    network = Network(Path(reader) if reader else packaged())
    searcher = open_searcher(index, collection, encoder)
    try:
        fit = fitted(network, [(loaded, searcher)])
    finally:
        searcher.close()
    write(fit, own_calibration(index))
    click.echo(f"Written: {own_calibration(index)}")


def fitted(network: Network, sets: Sequence[tuple[Dataset, Searcher]]) -> Calibration:
    """Fit a calibration to the datasets, and print it."""
    from eval.training.calibration import DEPTH
    from eval.training.reading import read_questions

    readings = [
        each for dataset, s in sets for each in read_questions(network, s, dataset.name, dataset.questions, DEPTH)
    ]
    return fit_readings(readings, network, {dataset.name: dataset.sha256 for dataset, _ in sets})


def held_out(question: str) -> bool:
    """Whether a question belongs to the half that is held out. Depends on its id only."""
    return sha256(question.encode()).digest()[0] % 2 == 1


def fit_readings(readings: Sequence[QuestionReading], network: Network, fingerprints: dict[str, str]) -> Calibration:
    from eval.training.calibration import calibrate

    answered = sum(any(each.right) for each in readings)
    if answered < FEWEST_FOUND:
        raise click.UsageError(
            f"Only {answered} of {len(readings)} questions have their answer in a retrieved passage; "
            f"at least {FEWEST_FOUND} are needed."
        )
    fit = calibrate(readings, network.sha256, fingerprints)
    print_fit(fit)
    return fit


def print_fit(fit: Calibration) -> None:
    from rich.console import Console

    click.echo(
        f"threshold {fit.threshold}: precision {fit.precision:.3f}, coverage {fit.coverage:.3f}; reading stops "
        f"early at {fit.enough}, companion sentences are cited from {fit.needed}"
    )
    Console().print_json(data=fit.provenance)


def write(fit: Calibration, path: Path) -> None:
    import msgspec

    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(fit), indent=1) + b"\n")
    temporary.replace(path)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--reader", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--most", multiple=True, help="SET=COUNT: use at most COUNT questions of a set, always the same ones.")
@click.option("--half", multiple=True, help="A set of which half of the questions are held out for evaluation.")
@click.option(
    "--together",
    multiple=True,
    help="A set whose gold answers together form one answer, instead of being alternatives.",
)
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder for indexes and readings.")
def main(
    *,
    folders: Sequence[Path],
    reader: Path,
    most: tuple[str, ...],
    half: tuple[str, ...],
    together: tuple[str, ...],
    work: Path,
) -> None:
    """Fit the reader's own calibration to the sets in FOLDERS. Readings in --work are reused."""
    from eval.training.gathering import gather_readings, limits
    from service.reader.network import Network
    from service.reader.neural import CALIBRATION

    network = Network(reader)
    readings, fingerprints = gather_readings(network, folders, work, limits(most), together)
    used = [each for each in readings if not (each.dataset in half and held_out(each.id))]
    write(fit_readings(used, network, fingerprints), reader / CALIBRATION)


if __name__ == "__main__":
    main()
