"""Fitting the confidence of the trained reader to questions: to one's own, or to the test sets that it ships with.

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
    from eval.training.reading import Seen
    from index.search.searcher import Searcher
    from service.reader.network import Network
    from service.reader.neural import Calibration

FEWEST = 30  # questions from which curves can be fitted
FEWEST_FOUND = 10  # of them, those whose answer is in a passage that was found


@click.command(name="calibrate")
@click.argument("dataset", type=click.Path(path_type=Path))
@index_option
@collection_option
@encoder_option
@reader_option
def calibrate_command(*, dataset: Path, index: Path, collection: str, encoder: str | None, reader: str | None) -> None:
    """Fit the confidence and the threshold to the questions of DATASET, whose documents are in the index.

    Answers from this index are given with them from the next start of the service on.
    """
    from eval.datasets.loading import load
    from index.collections.opening import open_searcher
    from service.reader.network import Network
    from service.reader.neural import packaged
    from service.reader.selection import own_calibration

    loaded = load(dataset)
    if len(loaded.questions) < FEWEST:
        raise click.UsageError(f"{len(loaded.questions)} questions are too few; {FEWEST} are the least.")
    network = Network(Path(reader) if reader else packaged())
    searcher = open_searcher(index, collection, encoder)
    try:
        fit = fitted(network, [(loaded, searcher)])
    finally:
        searcher.close()
    write(fit, own_calibration(index))
    click.echo(f"Written: {own_calibration(index)}")


def fitted(network: Network, sets: Sequence[tuple[Dataset, Searcher]]) -> Calibration:
    """The calibration, told as it is fitted."""
    from eval.training.calibration import DEPTH
    from eval.training.reading import see_all

    seen = [each for dataset, s in sets for each in see_all(network, s, dataset.name, dataset.questions, DEPTH)]
    return fit_to(seen, network, {dataset.name: dataset.sha256 for dataset, _ in sets})


def left_for_measuring(question: str) -> bool:
    """Half of the questions, by their ids alone."""
    return sha256(question.encode()).digest()[0] % 2 == 1


def fit_to(seen: Sequence[Seen], network: Network, fingerprints: dict[str, str]) -> Calibration:
    from eval.training.calibration import calibrate

    found = sum(any(each.right) for each in seen)
    if found < FEWEST_FOUND:
        raise click.UsageError(f"Of {len(seen)} questions, {found} find their answer in the index; that is too few.")
    fit = calibrate(seen, network.sha256, fingerprints)
    tell(fit)
    return fit


def tell(fit: Calibration) -> None:
    from rich.console import Console

    click.echo(
        f"threshold {fit.threshold}: precision {fit.precision:.3f}, coverage {fit.coverage:.3f}; reading stops at "
        f"{fit.enough}, companions are cited from {fit.needed}"
    )
    Console().print_json(data=fit.provenance)


def write(fit: Calibration, path: Path) -> None:
    import msgspec

    making = path.with_suffix(".new")
    making.write_bytes(msgspec.json.format(msgspec.json.encode(fit), indent=1) + b"\n")
    making.replace(path)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--reader", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--most", multiple=True, help="SET=COUNT: questions of a set, at most; always the same ones.")
@click.option("--half", multiple=True, help="A set of which every second question is left for measuring.")
@click.option("--together", multiple=True, help="A set whose answers to a question are the sentences of one answer.")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Where indexes and readings are kept.")
def main(
    *,
    folders: Sequence[Path],
    reader: Path,
    most: tuple[str, ...],
    half: tuple[str, ...],
    together: tuple[str, ...],
    work: Path,
) -> None:
    """Fit the reader's own calibration to the sets in FOLDERS; what was read before is not read again."""
    from eval.training.gathering import gathered, limits
    from service.reader.network import Network
    from service.reader.neural import CALIBRATION

    network = Network(reader)
    seen, fingerprints = gathered(network, folders, work, limits(most), together)
    used = [each for each in seen if not (each.dataset in half and left_for_measuring(each.id))]
    write(fit_to(used, network, fingerprints), reader / CALIBRATION)


if __name__ == "__main__":
    main()
