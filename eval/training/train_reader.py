"""Train the reader, on a GPU or on a CPU.

    python -m eval.training.train_reader --data ../shared/data/train --start CROSS_ENCODER --teacher CROSS_ENCODER \
        --work DIR --device cuda

If a run is interrupted, run the same command again: it resumes from the last checkpoint in --work.
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
from eval.training.sampling import ALL, Group, count_by_set, groups
from eval.training.training import CPU, Recipe, Run
from service.reader.network import TOKENIZER
from service.reader.pairs import Pairs
from service.reader.torch_network import first_network

SAVED_EVERY = 50  # steps between checkpoints
TIMED = 3  # steps that are timed for --minutes
RECIPE = "recipe.json"
FEW = 4000  # questions read per set on a CPU, which is too slow for all of them
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
    help="Folder of the cross-encoder, or of a reader to continue from.",
)
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Weights that replace those of --start.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for checkpoints and the recipe.",
)
@click.option("--device", default=CPU, show_default=True, help="A torch device: cuda, cuda:1, mps or cpu.")
@click.option("--groups", "count", type=int, help="Questions to train on.  [default: 230,000 on a GPU, 4,000 on a CPU]")
@click.option("--minutes", type=float, help="Train for about so long, instead of on --groups questions.")
@click.option("--seed", type=int)
@click.option("--rate", type=float, help="The highest learning rate.")
@click.option("--frozen", type=int, help="Number of lowest layers to freeze.")
@click.option(
    "--teacher",
    type=click.Path(exists=True, path_type=Path),
    help="Folder of the cross-encoder whose relevance is distilled.",
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
    defaults = USUAL[CPU if device == CPU else "cuda"]
    chosen = {"groups": count, "seed": seed, "rate": rate, "frozen": frozen}
    recipe = replace(defaults, **{name: value for name, value in chosen.items() if value is not None})
    torch.manual_seed(recipe.seed)
    pairs = Pairs(Tokenizer.from_file(str(start / TOKENIZER)))
    network = load(start, weights, attention="sdpa")
    teacher_network = first_network(teacher) if teacher else None
    most = recipe.groups if minutes is None else ALL
    all_groups = groups(data, recipe.seed, most, each=FEW if device == CPU else None)
    with ThreadPoolExecutor(recipe.parts) as pool:
        if minutes is not None:
            recipe = sized_to_time(
                recipe,
                minutes,
                all_groups,
                work,
                Run(network, recipe, work, pairs=pairs, pool=pool, teacher=teacher_network, device=device),
            )
        all_groups = all_groups[: recipe.groups]
        facts = {
            "recipe": recipe,
            "start": start.name,
            "weights": weights and weights.name,
            "groups": count_by_set(all_groups),
        }
        (work / RECIPE).write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
        run = Run(network, recipe, work, pairs=pairs, pool=pool, teacher=teacher_network, device=device)
        train(run, in_batches(all_groups, recipe.batch, recipe.seed))


def sized_to_time(recipe: Recipe, minutes: float, all_groups: Sequence[Group], work: Path, run: Run) -> Recipe:
    """Choose the number of groups from the time of the first steps. A resumed run keeps its recipe."""
    if (work / RECIPE).is_file():
        facts = msgspec.json.decode((work / RECIPE).read_bytes(), type=dict[str, msgspec.Raw])
        return msgspec.json.decode(facts["recipe"], type=Recipe)
    seconds = min(run.timed(all_groups[place * recipe.batch : (place + 1) * recipe.batch]) for place in range(TIMED))
    steps = max(1, min(round(60 * minutes / seconds), len(all_groups) // recipe.batch))
    click.echo(f"{seconds:.2f} s per step: {steps} steps")
    return replace(recipe, groups=steps * recipe.batch)


def train(run: Run, todo: Sequence[Sequence[Group]]) -> None:
    click.echo(f"{len(todo)} steps, from step {run.step}")
    started, first_step, loss = time.monotonic(), run.step, 0.0
    for batch in todo[run.step :]:
        loss += run.learn(batch)
        if run.step % SAVED_EVERY == 0:
            pace = (run.step - first_step) * run.recipe.batch / (time.monotonic() - started)
            click.echo(f"step {run.step} of {len(todo)}: loss {loss / SAVED_EVERY:.4f}, {pace:.1f} groups/s")
            loss = 0.0
            run.save()
    run.save()
    click.echo("done")


if __name__ == "__main__":
    main()
