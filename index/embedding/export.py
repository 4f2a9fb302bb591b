"""Exports a sentence-transformers model to ONNX with int8 weights, and compares it with torch before accepting it.

The graph takes one unpadded window and includes pooling and normalisation. It has no attention mask, which tracing
could lose, and no token types. Quantization was chosen by measurement:

- Activations are scaled dynamically per window, weights per column: cosine 0.994 to torch over 200 passages. With one
  scale per matrix: 0.83. With static scales from 48 passages: 0.94. `eval.benchmarks.encoders` measures this.
- Weights use 7 of 8 bits (`reduce_range`). With all 8, CPUs without VNNI instructions saturate their accumulators and
  give other vectors than CPUs with them (cosine 0.989 between the two). With 7 bits the sums are exact everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from warnings import catch_warnings, simplefilter

import msgspec
import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import SentenceTransformer

from index.embedding import models, torch_encoder
from index.embedding.onnx_encoder import CARD, FORMAT, INPUT, MODEL, OUTPUT, TOKENIZER, Card, session
from index.embedding.wordpieces import Pieces, Window
from index.errors import NotExportable
from index.storage.disk import make_folder, sync_all, take_place
from index.types import Vectors

FLOAT = "float.onnx"  # before quantization; not kept
KNOWN = ("Transformer", "Pooling", "Dense", "Normalize")
LEAST_COSINE_FLOAT = 0.9999  # least cosine of the graph to torch; below it, tracing went wrong
LEAST_COSINE_INT8 = 0.95  # least cosine of the worst probe; quantization costs a sound model 0.01

PROBES = (
    "",
    "Who holds the presidency?",
    "A vote of 141 to 7, with 32 abstentions, carried the resolution.",
    "Light is turned into sugar in two steps; the second needs no light at all.",
    "Überraschend: 東京 has 14 million inhabitants, ₂ or so… (estimate)",
    "She walked along the river until the bells of St. Mary's struck nine. " * 8,
    "Interest rates, inflation and the price of bread; the committee will meet again in March. " * 40,
)


class Graph(torch.nn.Module):
    """The exported graph: word pieces int64 [1, length] to a vector float32 [1, dimension]."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, pieces: torch.Tensor) -> torch.Tensor:
        # Without a mask, pooling averages every word piece. That is right, because there is no padding.
        features = {"input_ids": pieces, "token_type_ids": torch.zeros_like(pieces)}
        vectors: torch.Tensor = self.model(features)["sentence_embedding"]
        return vectors


def export(name: str, folder: Path) -> None:
    """Export the model `name` to `folder`, which appears complete or not at all. Takes about 15 seconds.

    Raises NotExportable if the graph would differ from the model; otherwise errors as in `models.find`.
    """
    source = models.find(name)
    model = torch_encoder.load(source, attention="eager", device="cpu")
    require_known(source.name, model)
    make_folder(folder.parent)
    making = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(source, model, making)
        making.chmod(0o755)
        sync_all(making)
        take_place(making, folder)
    finally:
        rmtree(making, ignore_errors=True)


def require_known(name: str, model: SentenceTransformer) -> None:
    kinds = [type(module).__name__ for module in model]
    if kinds[:2] != ["Transformer", "Pooling"] or not set(kinds) <= set(KNOWN):
        raise NotExportable(name=name, reason=f"it consists of {', '.join(kinds)}, not only of {', '.join(KNOWN)}")
    if not model[1].include_prompt:
        raise NotExportable(name=name, reason="its pooling leaves out the prompt")


def _write(source: models.Model, model: SentenceTransformer, folder: Path) -> None:
    pieces = Pieces(torch_encoder.tokenizer_of(source, model), torch_encoder.window_of(model))
    windows = [window for probe in PROBES for window in pieces.windows(probe)]
    original = _original(model, windows)
    trace(source.name, model, pieces.window, folder / FLOAT)
    compare(source.name, original, _vectors(folder / FLOAT, windows), LEAST_COSINE_FLOAT)
    quantize(folder / FLOAT, folder / MODEL)
    (folder / FLOAT).unlink()
    compare(source.name, original, _vectors(folder / MODEL, windows), LEAST_COSINE_INT8)
    pieces.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    card = Card(
        format=FORMAT,
        name=source.name,
        weights_sha256=source.sha256,
        model_sha256=models.file_sha256(folder / MODEL),
        tokenizer_sha256=models.file_sha256(folder / TOKENIZER),
        dimension=torch_encoder.dimension_of(model),
        window=pieces.window,
        pooling=str(model[1].pooling_mode),
    )
    (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)))


def trace(name: str, model: SentenceTransformer, window: int, path: Path) -> None:
    length = torch.export.Dim("length", min=2, max=window)
    example = torch.arange(37)[None]  # an arbitrary length that is no dimension of the model
    with quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                Graph(model).eval(),
                (example,),
                str(path),
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({1: length},),
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise NotExportable(name=name, reason=f"torch cannot trace it ({error})") from error


def quantize(source: Path, target: Path) -> None:
    with quiet():
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gather"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )


def _original(model: SentenceTransformer, windows: list[Window]) -> Vectors:
    """Run all windows as one padded batch through torch with an attention mask: the opposite of what the graph does."""
    return torch_encoder.run(model, windows, max(map(len, windows)))


def _vectors(path: Path, windows: list[Window]) -> Vectors:
    run = session(path.read_bytes())
    return np.concatenate([run.run([OUTPUT], {INPUT: np.array([window])})[0] for window in windows])


def compare(name: str, original: Vectors, exported: Vectors, least: float) -> None:
    lengths = np.linalg.norm(original, axis=1) * np.linalg.norm(exported, axis=1)
    worst = float(np.min((original * exported).sum(axis=1) / lengths))
    if not worst >= least:  # also true for NaN
        raise NotExportable(name=name, reason=f"its vectors are wrong (cosine {worst:.4f}, required {least})")


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings of torch and onnxruntime about their internals."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with catch_warnings():
            simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
