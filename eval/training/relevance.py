"""Fit the relevance head of an exported reader to the logits of a cross-encoder. All other weights stay the same.

    python -m eval.training.relevance FOLDER --data ../shared/data/train --cross-encoder FOLDER

The head is linear in the hidden states of the first token after each layer, so ridge regression fits it in minutes, to
the same states that are served: those of the int8 network.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import numpy as np
import onnx
from msgspec.structs import replace
from numpy.typing import NDArray
from onnx import numpy_helper
from rich.progress import track
from sklearn.linear_model import RidgeCV
from tokenizers import Tokenizer

from eval.training.sampling import groups
from eval.training.textbook import OnnxCrossEncoder
from index.embedding.models import file_sha256
from index.embedding.onnx_encoder import session
from service.reader.network import CARD, IDS, MODEL, TOKENIZER, TYPES, read_card
from service.reader.pairs import Pair, Pairs

SEED = 2030
EACH = 600  # questions per set, at most
ALPHAS = tuple(float(alpha) for alpha in 10.0 ** np.arange(0, 6))
TESTED = 0.2  # share of the pairs held out for the report
TINY = 1e-6

Floats = NDArray[np.float32]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="The training sets.")
@click.option("--cross-encoder", type=click.Path(exists=True, path_type=Path), required=True)
@click.option(
    "--count", default=1500, show_default=True, help="Number of questions; each has its passage and a wrong one."
)
def main(*, folder: Path, data: Path, cross_encoder: Path, count: int) -> None:
    """Fit the relevance head of the reader in FOLDER, and write it to the model."""
    pairs = Pairs(Tokenizer.from_file(str(folder / TOKENIZER)))
    examples = [example for group in groups(data, SEED, count, wrong=1, each=EACH) for example in group.examples]
    inputs = [pairs.windows(pairs.question(each.question), each.above, each.text)[0] for each in examples]
    model = onnx.load(str(folder / MODEL))
    states = states_of(model, inputs)
    scorer = OnnxCrossEncoder(cross_encoder)
    logits = np.array([scorer.score_of(pair.ids, pair.types) for pair in track(inputs, "cross-encoder")])
    held_out = np.arange(len(inputs)) < TESTED * len(inputs)
    weight, bias = fitted(states[~held_out], logits[~held_out])
    errors = states[held_out] @ weight + bias - logits[held_out]
    click.echo(
        f"{len(inputs)} pairs, {held_out.sum()} of them not fitted on: correlation "
        f"{np.corrcoef(states[held_out] @ weight, logits[held_out])[0, 1]:.3f}, root mean square error "
        f"{np.sqrt(np.mean(errors**2)):.2f}, where the logits vary by {logits.std():.2f}"
    )
    write(model, weight, bias, folder)


def states_of(model: onnx.ModelProto, read: list[Pair]) -> Floats:
    """The inputs of the head for each pair: [pairs, width]."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    node = next(node for node in exposed.graph.node if any(name.endswith("relevance.weight") for name in node.input))
    name = next(name for name in node.input if not name.endswith("relevance.weight"))
    exposed.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    run = session(exposed.SerializeToString())
    states = []
    for pair in track(read, "reader"):
        inputs = {IDS: np.array([pair.ids], np.int64), TYPES: np.array([pair.types], np.int64)}
        states.append(run.run([name], inputs)[0][0])
    return np.array(states)


def fitted(states: Floats, logits: Floats) -> tuple[Floats, float]:
    """Weight and bias by ridge regression. The penalty is chosen by leave-one-out cross-validation."""
    mean, scale = states.mean(axis=0), states.std(axis=0) + TINY
    ridge = RidgeCV(ALPHAS).fit((states - mean) / scale, logits)
    weight = ridge.coef_ / scale
    return weight.astype(np.float32), float(ridge.intercept_ - weight @ mean)


def write(model: onnx.ModelProto, weight: Floats, bias: float, folder: Path) -> None:
    values = {"relevance.weight": weight[None].astype(np.float32), "relevance.bias": np.array([bias], np.float32)}
    for stored in model.graph.initializer:
        for name, value in values.items():
            if stored.name.endswith(name):
                stored.CopyFrom(numpy_helper.from_array(value, stored.name))
    onnx.save(model, str(folder / MODEL))
    card = replace(read_card(folder), model_sha256=file_sha256(folder / MODEL))
    (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)) + b"\n")


if __name__ == "__main__":
    main()
