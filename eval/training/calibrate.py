"""Fitting the confidence of the trained reader to questions: to one's own, or to the test sets that it ships with.

python -m eval.training.calibrate ../shared/data/dev/squad2 ../shared/data/dev/fairytaleqa --reader service/weights
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
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
SEED = 7


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


def fitted(
    network: Network, sets: Sequence[tuple[Dataset, Searcher]], most: int | None = None, keep_in: Path | None = None
) -> Calibration:
    """The calibration, told as it is fitted. `most`: questions of each set, chosen once for all."""
    from eval.training.calibration import DEPTH
    from eval.training.reading import keep, see_all

    seen: list[Seen] = []
    for dataset, searcher in sets:
        questions = dataset.questions
        if most is not None and len(questions) > most:
            chosen = set(random.Random(SEED).sample(range(len(questions)), most))  # noqa: S311
            questions = [each for place, each in enumerate(questions) if place in chosen]
        seen += see_all(network, searcher, dataset.name, questions, DEPTH)
    if keep_in is not None:
        keep(seen, keep_in)
    return fit_to(seen, network, [dataset for dataset, _ in sets])


def fit_to(seen: Sequence[Seen], network: Network, datasets: Sequence[Dataset]) -> Calibration:
    from eval.training.calibration import calibrate

    found = sum(any(each.right) for each in seen)
    if found < FEWEST_FOUND:
        raise click.UsageError(f"Of {len(seen)} questions, {found} find their answer in the index; that is too few.")
    fit = calibrate(seen, network.sha256, {dataset.name: dataset.sha256 for dataset in datasets})
    tell(fit)
    return fit


def tell(fit: Calibration) -> None:
    from rich.console import Console

    click.echo(f"threshold {fit.threshold}, reading stops at {fit.enough}")
    Console().print_json(data=fit.provenance)


def write(fit: Calibration, path: Path) -> None:
    import msgspec

    making = path.with_suffix(".new")
    making.write_bytes(msgspec.json.format(msgspec.json.encode(fit), indent=1) + b"\n")
    making.replace(path)


@click.command()
@click.argument("datasets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--reader", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--most", type=int, help="Questions of each set, at most.")
@click.option("--keep", "keep_in", type=click.Path(path_type=Path), help="Keep what was read in this file.")
@click.option("--again", type=click.Path(exists=True, path_type=Path), help="Fit to what was kept, without reading.")
@click.option("--indexes", type=click.Path(path_type=Path), help="Where the sets are indexed already, by name.")
def main(
    *,
    datasets: Sequence[Path],
    reader: Path,
    most: int | None,
    keep_in: Path | None,
    again: Path | None,
    indexes: Path | None,
) -> None:
    """Fit the reader's own calibration to DATASETS."""
    from eval.datasets.loading import load
    from eval.training.fitting import indexed
    from eval.training.reading import kept
    from index.collections.opening import open_searcher
    from service.reader.network import Network
    from service.reader.neural import CALIBRATION

    loaded = [load(path) for path in datasets]
    network = Network(reader)
    if again is not None:
        write(fit_to(kept(again), network, loaded), reader / CALIBRATION)
        return
    with TemporaryDirectory() as folder:
        searchers = [
            open_searcher(indexes / each.name) if indexes else indexed(each, Path(folder, each.name)) for each in loaded
        ]
        fit = fitted(network, list(zip(loaded, searchers, strict=True)), most, keep_in)
    write(fit, reader / CALIBRATION)


if __name__ == "__main__":
    main()
