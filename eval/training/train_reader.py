"""Trains the reader.

    python -m eval.training.train_reader --data DATA --start CROSS_ENCODER --teacher CROSS_ENCODER --work DIR

Run it again after an interruption and it goes on from its last checkpoint in --work.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import msgspec
import torch
from tokenizers import Tokenizer

from eval.training.sampling import MIX, counted, lessons
from eval.training.textbook import open_cross_encoder
from eval.training.training import Recipe, Run, batches, item_of, taught
from service.reader.network import TOKENIZER
from service.reader.pairs import Pairs
from service.reader.torch_network import first_network

SAVED_EVERY = 50  # steps


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="The training sets.")
@click.option(
    "--start",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="Folder of the cross-encoder, or of a reader to train on.",
)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), required=True, help="Checkpoints and log.")
@click.option("--lessons", "count", default=Recipe().lessons, show_default=True)
@click.option("--seed", default=Recipe().seed, show_default=True)
@click.option("--frozen", default=Recipe().frozen, show_default=True, help="Lowest layers that stay as they are.")
@click.option("--rate", default=Recipe().rate, show_default=True)
@click.option(
    "--teacher", type=click.Path(exists=True, path_type=Path), help="Folder of the cross-encoder that scores sentences."
)
@click.option("--without", multiple=True, help="A set to leave out; may come several times.")
def main(
    *,
    data: Path,
    start: Path,
    work: Path,
    count: int,
    seed: int,
    frozen: int,
    rate: float,
    teacher: Path | None,
    without: tuple[str, ...],
) -> None:
    """Train the reader on the sets in --data, from the weights in --start."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    chosen = lessons(data, seed, {name: share for name, share in MIX.items() if name not in without})[:count]
    scorer = open_cross_encoder(teacher) if teacher else None
    recipe = Recipe(
        seed=seed, lessons=len(chosen), frozen=frozen, rate=rate, taught=Recipe().taught if teacher else 0.0
    )
    facts = {"recipe": recipe, "start": start.name, "lessons": counted(chosen)}
    (work / "recipe.json").write_bytes(msgspec.json.encode(facts))
    pairs = Pairs(Tokenizer.from_file(str(start / TOKENIZER)))
    todo = batches([item_of(lesson, pairs) for lesson in chosen], recipe)
    network = first_network(start)
    with ThreadPoolExecutor(recipe.parts) as pool:
        run = Run(network, recipe, work, pool)
        click.echo(f"{len(chosen)} lessons, {len(todo)} steps, from step {run.step}")
        begun, loss = time.monotonic(), 0.0
        first = run.step
        for batch in todo[run.step :]:
            loss += run.learn(taught(batch, scorer, recipe.taught) if scorer else batch)
            if run.step % SAVED_EVERY == 0:
                pace = (run.step - first) * recipe.batch / (time.monotonic() - begun)
                click.echo(f"step {run.step} of {len(todo)}: loss {loss / SAVED_EVERY:.4f}, {pace:.1f} lessons/s")
                loss = 0.0
                run.save()
        run.save()
    click.echo("done")


if __name__ == "__main__":
    main()
