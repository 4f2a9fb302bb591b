"""Trains the reader, on a GPU or on a CPU.

    python -m eval.training.train_reader --data ../shared/data/train --start CROSS_ENCODER --teacher CROSS_ENCODER \
        --work DIR --device cuda

Run it again after an interruption and it goes on from its last checkpoint in --work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import msgspec
import torch
from msgspec.structs import replace
from tokenizers import Tokenizer

from eval.training.batches import in_batches
from eval.training.export_reader import load
from eval.training.sampling import ALL, Group, counted, groups
from eval.training.training import CPU, Recipe, Run
from service.reader.network import TOKENIZER
from service.reader.pairs import Pairs
from service.reader.torch_network import first_network

SAVED_EVERY = 50  # steps
TIMED = 3  # steps, to tell the pace
RECIPE = "recipe.json"
FEW = 4000  # questions of a set that a CPU takes, which could not read them all
USUAL = {
    "cuda": Recipe(),
    CPU: Recipe(batch=16, parts=2, dropout=0.0, frozen=8, rate=3e-5, head_rate=2e-4, warm_up=20, groups=4_000),
}


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="The training sets.")
@click.option(
    "--start",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="Folder of the cross-encoder, or of a reader to train on.",
)
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Weights to put over those of --start.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), required=True, help="Checkpoints and recipe.")
@click.option("--device", default=CPU, show_default=True, help="Of torch's: cuda, cuda:1, mps or cpu.")
@click.option("--groups", "count", type=int, help="Questions to read.  [default: 230,000 on a GPU, 4,000 on a CPU]")
@click.option("--minutes", type=float, help="Read as many as this machine can in so long.")
@click.option("--seed", type=int)
@click.option("--rate", type=float, help="The highest learning rate.")
@click.option("--frozen", type=int, help="Lowest layers that stay as they are.")
@click.option(
    "--teacher",
    type=click.Path(exists=True, path_type=Path),
    help="Folder of the cross-encoder that teaches relevance.",
)
def main(
    *,
    data: Path,
    start: Path,
    weights: Path | None,
    work: Path,
    device: str,
    count: int | None,
    minutes: float | None,
    seed: int | None,
    rate: float | None,
    frozen: int | None,
    teacher: Path | None,
) -> None:
    """Train the reader on the sets in --data, from the weights in --start."""
    work.mkdir(parents=True, exist_ok=True)
    usual = USUAL[CPU if device == CPU else "cuda"]
    chosen = {"groups": count, "seed": seed, "rate": rate, "frozen": frozen}
    recipe = replace(usual, **{name: value for name, value in chosen.items() if value is not None})
    torch.manual_seed(recipe.seed)
    pairs = Pairs(Tokenizer.from_file(str(start / TOKENIZER)))
    network = load(start, weights, attention="sdpa")
    taught_by = first_network(teacher) if teacher else None
    most = recipe.groups if minutes is None else ALL
    every = groups(data, recipe.seed, most, each=FEW if device == CPU else None)
    with ThreadPoolExecutor(recipe.parts) as pool:
        if minutes is not None:
            recipe = sized(
                recipe,
                minutes,
                every,
                work,
                Run(network, recipe, work, pairs=pairs, pool=pool, teacher=taught_by, device=device),
            )
        every = every[: recipe.groups]
        facts = {"recipe": recipe, "start": start.name, "weights": weights and weights.name, "groups": counted(every)}
        (work / RECIPE).write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
        run = Run(network, recipe, work, pairs=pairs, pool=pool, teacher=taught_by, device=device)
        train(run, in_batches(every, recipe.batch, recipe.seed))


def sized(recipe: Recipe, minutes: float, every: Sequence[Group], work: Path, run: Run) -> Recipe:
    """As many groups as take so long at the pace of the first steps; as before, where a run is taken up again."""
    if (work / RECIPE).is_file():
        facts = msgspec.json.decode((work / RECIPE).read_bytes(), type=dict[str, msgspec.Raw])
        return msgspec.json.decode(facts["recipe"], type=Recipe)
    seconds = min(run.timed(every[place * recipe.batch : (place + 1) * recipe.batch]) for place in range(TIMED))
    steps = max(1, min(round(60 * minutes / seconds), len(every) // recipe.batch))
    click.echo(f"{seconds:.2f} s a step: {steps} steps")
    return replace(recipe, groups=steps * recipe.batch)


def train(run: Run, todo: Sequence[Sequence[Group]]) -> None:
    click.echo(f"{len(todo)} steps, from step {run.step}")
    begun, first, loss = time.monotonic(), run.step, 0.0
    for batch in todo[run.step :]:
        loss += run.learn(batch)
        if run.step % SAVED_EVERY == 0:
            pace = (run.step - first) * run.recipe.batch / (time.monotonic() - begun)
            click.echo(f"step {run.step} of {len(todo)}: loss {loss / SAVED_EVERY:.4f}, {pace:.1f} groups/s")
            loss = 0.0
            run.save()
    run.save()
    click.echo("done")


if __name__ == "__main__":
    main()
