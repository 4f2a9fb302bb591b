"""Runs any sentence-transformers model on torch, on a GPU if there is one.

Importing torch takes seconds, so `index.embedding.encoder` imports this module only when it is needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers.utils.logging import disable_progress_bar

from index.embedding import models
from index.embedding.wordpieces import Pieces, Window
from index.errors import ModelNotFound
from index.types import Vectors


class Shape(NamedTuple):
    """How windows are batched: always `rows` per run, padded to a multiple of `step` word pieces."""

    rows: int
    step: int


ALONE = Shape(rows=1, step=1)  # batches are not faster on a CPU
BATCHED = Shape(rows=64, step=32)


class SentenceTransformersEncoder:
    """Any sentence-transformers model, by name or folder. It adds no prompts; callers do."""

    def __init__(self, name: str, shape: Shape | None = None) -> None:
        """`shape`: by default, batches on a GPU, and none on a CPU. Errors as in `models.find`."""
        self.source = models.find(name)
        self.model = load(self.source)
        self._shape = shape or (BATCHED if self.model.device.type == "cuda" else ALONE)
        self.pieces = Pieces(tokenizer_of(self.source, self.model), window_of(self.model))

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def sha256(self) -> str:
        return self.source.sha256

    @property
    def dimension(self) -> int:
        return dimension_of(self.model)

    @property
    def window(self) -> int:
        return self.pieces.window

    def count(self, text: str) -> int:
        return self.pieces.count(text)

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self.pieces.encode(texts, self._run_all)

    def _run_all(self, windows: list[Window]) -> Vectors:
        """Run windows in batches of fixed shapes, so that the arithmetic for a window is always the same."""
        vectors = np.empty((len(windows), self.dimension), dtype=np.float32)
        for length, numbers in _by_length(windows, self._shape.step).items():
            for start in range(0, len(numbers), self._shape.rows):
                batch = numbers[start : start + self._shape.rows]
                filled = batch + batch[-1:] * (self._shape.rows - len(batch))
                vectors[batch] = run(self.model, [windows[number] for number in filled], length)[: len(batch)]
        return vectors


def load(source: models.Model, attention: str | None = None, device: str | None = None) -> SentenceTransformer:
    """`attention`: `eager`, `sdpa` or transformers' default; `device`: `cpu`, `cuda` or the best available."""
    disable_progress_bar()  # type: ignore[no-untyped-call]  # one bar a model, in the middle of our own
    options = {"attn_implementation": attention} if attention else {}
    try:
        return SentenceTransformer(str(source.folder), model_kwargs=options, device=device).eval()
    except (OSError, ValueError) as error:
        raise ModelNotFound(name=source.name, reason=f"sentence-transformers cannot load it ({error})") from error


def run(model: SentenceTransformer, windows: Sequence[Window], length: int) -> Vectors:
    """Run one batch, each window padded to `length`: float32 [len(windows), dimension], not normalised."""
    pieces = torch.zeros((len(windows), length), dtype=torch.int64)
    mask = torch.zeros_like(pieces)
    for row, window in enumerate(windows):
        pieces[row, : len(window)] = torch.tensor(window)
        mask[row, : len(window)] = 1
    with torch.inference_mode():
        features = {"input_ids": pieces.to(model.device), "attention_mask": mask.to(model.device)}
        vectors: Vectors = model(features)["sentence_embedding"].float().cpu().numpy()
    return vectors


def tokenizer_of(source: models.Model, model: SentenceTransformer) -> Tokenizer:
    """A copy of the model's tokenizer, because sentence-transformers changes its settings while running."""
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise ModelNotFound(name=source.name, reason="its tokenizer has no version for the `tokenizers` library")
    return Tokenizer.from_str(tokenizer.to_str())


def window_of(model: SentenceTransformer) -> int:
    """Word pieces per window, special tokens included; if the tokenizer has no limit, the trained positions."""
    window = model.max_seq_length
    if window is not None and window < 1_000_000:  # transformers writes "no limit" as a huge number
        return int(window)
    config: object = getattr(model[0].auto_model, "config", None)
    return int(getattr(config, "max_position_embeddings", 512))


def dimension_of(model: SentenceTransformer) -> int:
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise ModelNotFound(name=str(model), reason="it does not declare the dimension of its vectors")
    return int(dimension)


def _by_length(windows: Sequence[Window], step: int) -> dict[int, list[int]]:
    """The numbers of the windows, by length padded to a multiple of `step`."""
    groups: dict[int, list[int]] = defaultdict(list)
    for number, window in enumerate(windows):
        groups[-(-len(window) // step) * step].append(number)
    return groups
