"""Trains the reader.

    python -m eval.train_reader --data ../shared/data/train --start CROSS_ENCODER --work DIR

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

from eval.lessons import counted, lessons
from eval.network import from_cross_encoder
from eval.training import Recipe, Run, batches, item_of
from service.pairs import Pairs

SAVED_EVERY = 100  # steps


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="The training sets.")
@click.option(
    "--start", type=click.Path(exists=True, path_type=Path), required=True, help="Folder of the cross-encoder."
)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), required=True, help="Checkpoints and log.")
@click.option("--lessons", "count", default=Recipe().lessons, show_default=True)
@click.option("--seed", default=Recipe().seed, show_default=True)
@click.option("--frozen", default=Recipe().frozen, show_default=True, help="Lowest layers that stay as they are.")
@click.option("--rate", default=Recipe().rate, show_default=True)
@click.option(
    "--after", type=click.Path(exists=True, path_type=Path), help="Begin with the weights of this checkpoint."
)
def main(
    *, data: Path, start: Path, work: Path, count: int, seed: int, frozen: int, rate: float, after: Path | None
) -> None:
    """Train the reader on the sets in --data, from the weights in --start."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    chosen = lessons(data, seed)[:count]
    recipe = Recipe(seed=seed, lessons=len(chosen), frozen=frozen, rate=rate)
    (work / "recipe.json").write_bytes(
        msgspec.json.encode({"recipe": recipe, "after": str(after), "lessons": counted(chosen)})
    )
    pairs = Pairs(Tokenizer.from_file(str(start / "tokenizer.json")))
    todo = batches([item_of(lesson, pairs) for lesson in chosen], recipe)
    network = from_cross_encoder(start / "model.onnx")
    if after is not None:
        network.load_state_dict(torch.load(after, weights_only=True)["network"])
    with ThreadPoolExecutor(recipe.parts) as pool:
        run = Run(network, recipe, work, pool)
        click.echo(f"{len(chosen)} lessons, {len(todo)} steps, from step {run.step}")
        begun, loss = time.monotonic(), 0.0
        first = run.step
        for batch in todo[run.step :]:
            loss += run.learn(batch)
            if run.step % SAVED_EVERY == 0:
                pace = (run.step - first) * recipe.batch / (time.monotonic() - begun)
                click.echo(f"step {run.step}: loss {loss / SAVED_EVERY:.4f}, {pace:.1f} lessons/s")
                loss = 0.0
                run.save()
        run.save()
    click.echo("done")


if __name__ == "__main__":
    main()
