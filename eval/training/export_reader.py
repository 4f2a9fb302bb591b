"""Export a trained reader to one int8 ONNX file. The traced graph must match torch before it is quantized.

    python -m eval.training.export_reader CHECKPOINT --start CROSS_ENCODER --out service/reader/weights

CHECKPOINT is a checkpoint of `eval.training.train_reader`, or a safetensors file with some of the weights. Quantization
is the same as for the encoder (`index.embedding.export`): one unpadded pair per run, activations scaled per run, one
scale per column of the weights, and 7 of their 8 bits, so that all CPUs compute the same sums.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
import numpy as np
import onnx
import torch
from safetensors.torch import load_file
from torch import nn

from index.embedding.export import quantize, quiet
from index.embedding.onnx_encoder import session
from service.reader.network import CARD, FORMAT, HERE, IDS, MODEL, PIECES, RELEVANCE, TOKENIZER, TYPES, Card
from service.reader.pairs import WINDOW
from service.reader.torch_network import Network, first_network

NAME = "pincite-reader-3"
MAX_DIFFERENCE = 1e-3  # between a float logit and torch's; a larger one means that tracing failed
PROBES = (3, 17, 64, 200, WINDOW)  # lengths of the pairs compared


class Graph(nn.Module):
    """The exported graph: one pair, unpadded."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: torch.Tensor, types: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        outputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = self.network(ids, types)
        return outputs


def load(start: Path, checkpoint: Path | None, share: float = 1.0, attention: str = "eager") -> Network:
    """Load a checkpoint over the weights in `start`. A `share` below 1 interpolates linearly between the two."""
    network = first_network(start, attention)
    if checkpoint is not None:
        first = network.state_dict()
        trained = weights_of(checkpoint)
        unknown = sorted(trained.keys() - first.keys())
        if unknown:
            raise click.ClickException(f"{checkpoint} has weights that this network does not have: {unknown}")
        new = {name for name in trained if name.startswith(("pieces.", "relevance."))}
        mixed = {n: w if n in new else torch.lerp(first[n], w.to(first[n].dtype), share) for n, w in trained.items()}
        network.load_state_dict({n: w.to(first[n].dtype) for n, w in mixed.items()}, strict=False)
    return network.eval()


def weights_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    if checkpoint.suffix == ".safetensors":
        return load_file(checkpoint)
    weights: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)["network"]
    return weights


def export(network: Network, tokenizer: Path, folder: Path, name: str = NAME) -> None:
    """Write the model, the tokenizer and the card to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        traced = Path(temporary, "float.onnx")
        trace(network, traced)
        compare(network, traced)
        quantize(traced, folder / MODEL)
        strip_metadata(folder / MODEL)
    shutil.copyfile(tokenizer, folder / TOKENIZER)
    card = Card(FORMAT, name, *(sha256((folder / each).read_bytes()).hexdigest() for each in (MODEL, TOKENIZER)))
    (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)) + b"\n")


def strip_metadata(path: Path) -> None:
    """Remove the paths of source files that torch records while tracing: they name folders of this machine."""
    model = onnx.load(str(path))
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.save(model, str(path))


def trace(network: Network, path: Path) -> None:
    example = torch.arange(1000, 1037)[None]  # any length that is not a dimension of the network
    length = torch.export.Dim("length", min=3, max=WINDOW)
    with quiet(), torch.no_grad():
        torch.onnx.export(
            Graph(network),
            (example, (example > 1010).long()),
            str(path),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=[IDS, TYPES],
            output_names=[HERE, PIECES, RELEVANCE],
            dynamic_shapes=({1: length}, {1: length}),
        )


def compare(network: Network, path: Path) -> None:
    """Raises ClickException if the traced graph does not reproduce torch's logits."""
    run = session(path.read_bytes())
    for length in PROBES:
        ids = torch.arange(2000, 2000 + length)[None]
        types = (ids > 2000 + length // 3).long()
        with torch.no_grad():
            expected = network(ids, types)
        actual = run.run([HERE, PIECES, RELEVANCE], {IDS: ids.numpy(), TYPES: types.numpy()})
        difference = max(np.abs(a - b.numpy()).max() for a, b in zip(actual, expected, strict=True))
        if not difference <= MAX_DIFFERENCE:
            raise click.ClickException(
                f"At length {length}, a logit of the exported graph differs from torch's by {difference:.4f}."
            )


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path))
@click.option("--start", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--share",
    default=1.0,
    show_default=True,
    help="Interpolation between the initial weights (0) and the trained ones (1).",
)
def main(*, checkpoint: Path, start: Path, out: Path, share: float) -> None:
    """Export CHECKPOINT to --out."""
    export(load(start, checkpoint, share), start / TOKENIZER, out)


if __name__ == "__main__":
    main()
