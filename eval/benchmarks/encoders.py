"""Compares ways to run one encoder: closeness to the original, speed, and whether neighbours change a vector.

    python -m eval.benchmarks.encoders FOLDER [--model NAME] [--passages 200]

Reads passages from the .txt files below FOLDER and prints a table. `cosine`: to torch in single precision without
padding. `alone`: whether each passage alone has the same vector, to the bit, as among all others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import click
import numpy as np
from msgspec import Struct
from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader
from rich.console import Console
from rich.table import Table
from sentence_transformers import SentenceTransformer

from index.embedding import export, models, onnx_encoder, torch_encoder
from index.embedding.wordpieces import Pieces, Window
from index.types import Vectors

Run = Callable[[list[Window]], Vectors]
ROUNDS = 3  # the fastest counts, because other load only slows runs down
CALIBRATION = 48  # passages that calibrate the static scales
THREADS = 2
COLUMNS = ("encoder", "cosine", "worst", "passages/s", "question ms", "alone", "MB")
INT8 = {"op_types_to_quantize": ["MatMul", "Gather"], "weight_type": QuantType.QInt8}


class Measured(Struct, frozen=True):
    name: str
    vectors: Vectors
    passages_per_second: float
    question_ms: float
    alone: bool
    bytes: int


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", default=models.DEFAULT, show_default=True)
@click.option("--passages", "limit", default=200, show_default=True)
def main(folder: Path, model: str, limit: int) -> None:
    """Compare ways to run an encoder on passages from FOLDER."""
    source = models.find(model)
    original = torch_encoder.load(source, device="cpu")
    pieces = Pieces(torch_encoder.tokenizer_of(source, original), torch_encoder.window_of(original))
    windows = [pieces.windows(passage)[0] for passage in read_passages(folder, limit)]
    with TemporaryDirectory() as scratch:
        export.trace(model, torch_encoder.load(source, "eager", "cpu"), pieces.window, Path(scratch, "float.onnx"))
        quantize(Path(scratch), windows)
        files = sorted(Path(scratch).glob("*.onnx"))
        rows = [
            measure("torch", alone(original), windows, 0),
            measure("torch, batches of 32", batches(original), windows, 0),
            *(measure(file.stem, graph(file), windows, file.stat().st_size) for file in files),
        ]
    show(rows, windows)


def read_passages(folder: Path, limit: int) -> list[str]:
    """Runs of 100 words from all texts, shuffled deterministically."""
    passages = []
    for path in sorted(folder.rglob("*.txt")):
        words = path.read_text(encoding="utf-8").split()
        passages += [" ".join(words[start : start + 100]) for start in range(0, len(words) - 50, 100)]
    random.Random(0).shuffle(passages)  # noqa: S311  # the same order each time, nothing secret
    return passages[:limit]


def quantize(folder: Path, windows: list[Window]) -> None:
    """The candidates, made from `float.onnx` in the same folder."""
    source = folder / "float.onnx"
    with export.quiet():
        export.quantize(source, folder / "int8, as shipped.onnx")
        quantize_dynamic(source, folder / "int8, all 8 bits.onnx", per_channel=True, **INT8)
        quantize_dynamic(source, folder / "int8, a scale a matrix.onnx", reduce_range=True, **INT8)
        quantize_static(
            source,
            folder / "int8, static scales.onnx",
            Calibration(windows[:CALIBRATION]),
            op_types_to_quantize=["MatMul"],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"MatMulConstBOnly": True},
        )


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Passages for onnxruntime's calibration of activations, one at a time."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows: Iterator[Window] = iter(windows)

    def get_next(self) -> dict[str, np.ndarray] | None:
        window = next(self.windows, None)
        return None if window is None else {onnx_encoder.INPUT: np.array([window])}


def alone(model: SentenceTransformer) -> Run:
    return lambda windows: np.concatenate([torch_encoder.run(model, [window], len(window)) for window in windows])


def batches(model: SentenceTransformer) -> Run:
    def run(windows: list[Window]) -> Vectors:
        groups = [windows[start : start + 32] for start in range(0, len(windows), 32)]
        return np.concatenate([torch_encoder.run(model, group, max(map(len, group))) for group in groups])

    return run


def graph(path: Path) -> Run:
    """Like OnnxEncoder: one window per run, on several threads."""
    session = onnx_encoder.session(path.read_bytes())
    pool = ThreadPoolExecutor(THREADS)

    def one(window: Window) -> Vectors:
        vectors: Vectors = session.run([onnx_encoder.OUTPUT], {onnx_encoder.INPUT: np.array([window])})[0]
        return vectors

    return lambda windows: np.concatenate(list(pool.map(one, windows)))


def measure(name: str, run: Run, windows: list[Window], size: int) -> Measured:
    together = run(windows)
    singly = np.concatenate([run([window]) for window in windows])
    seconds = min(timed(run, windows) for _ in range(ROUNDS))
    question = windows[0][:12]
    return Measured(
        name=name,
        vectors=together,
        passages_per_second=len(windows) / seconds,
        question_ms=min(timed(run, [question]) for _ in range(30)) * 1000,
        alone=bool(np.array_equal(together, singly)),
        bytes=size,
    )


def timed(run: Run, windows: list[Window]) -> float:
    started = perf_counter()
    run(windows)
    return perf_counter() - started


def show(rows: list[Measured], windows: list[Window]) -> None:
    table = Table(*COLUMNS, title=f"{len(windows)} passages of {np.mean([len(w) for w in windows]):.0f} pieces")
    for row in rows:
        cosines = (row.vectors * rows[0].vectors).sum(axis=1)
        table.add_row(
            row.name,
            f"{cosines.mean():.4f}",
            f"{cosines.min():.4f}",
            f"{row.passages_per_second:.0f}",
            f"{row.question_ms:.1f}",
            "yes" if row.alone else "no",
            f"{row.bytes / 1e6:.0f}" if row.bytes else "",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
