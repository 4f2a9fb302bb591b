"""The long version of tests/project/test_torture.py: kills the service and loses power many times.

    python -m tests.support.torture --kills 200 --points 300 --seed 1

The exit status is 1 if acknowledged data is lost, other data is incomplete, or a check finds problems.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from index.embedding import models
from index.embedding.encoder import make_encoder
from index.storage.layout import Layout
from tests.support.killing import Torture
from tests.support.power import LEFT, lose_power
from tests.support.replay import traceable


@click.command()
@click.option("--kills", default=200, show_default=True, help="Number of kills.")
@click.option("--points", default=300, show_default=True, help="Number of power losses in a recorded run.")
@click.option("--changes", default=400, show_default=True, help="Changes in that run.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Working folder; keeps failing states.  [default: none]"
)
def main(*, kills: int, points: int, changes: int, seed: int, folder: Path | None) -> None:
    """Kill a service under load, and replay a recorded run up to many points with only what was synced."""
    with tempfile.TemporaryDirectory(prefix="pincite-torture-") as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        wrong = (killed(place, kills, seed) if kills else []) + (
            without_power(place, changes, points, seed) if points else []
        )
    for each in wrong:
        click.echo(each, err=True)
    sys.exit(1 if wrong else 0)


def killed(folder: Path, kills: int, seed: int) -> list[str]:
    index = folder / "kills/index"
    index.mkdir(parents=True, exist_ok=True)
    model = models.find(models.DEFAULT)
    make_encoder(model.name, Layout(index).encoder(model.sha256))
    torture = Torture(index, seed)

    def tell(summary: str, wrong: Sequence[str]) -> None:
        click.echo("".join(f"\n{each}" for each in wrong) + f"\r{summary}", err=True, nl=False)

    torture.run(kills, tell)
    click.echo(f"\n{torture.summary()}")
    return torture.wrong


def without_power(folder: Path, changes: int, points: int, seed: int) -> list[str]:
    if not traceable():
        return ["strace is not available here; power loss was not tested"]
    (folder / "power").mkdir()
    wrong = lose_power(folder / "power", changes, points, seed)
    click.echo(f"power lost at {points} points in {len(LEFT)} ways each, {len(wrong)} violations")
    return wrong


if __name__ == "__main__":
    main()
