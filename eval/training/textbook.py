"""The textbook pipeline on top of our own retriever: a baseline for comparison.

A cross-encoder reranks the passages, then the sentences of the best passages; the best sentence is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import exp
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from index.collections.protocols import Searcher
from index.embedding.models import file_sha256, weights_sha256
from index.embedding.onnx_encoder import session
from index.errors import ModelNotFound
from index.types import Hit
from service.reader.reader import Candidate, Operation, Reading, lines_of
from service.scheduling.deadline import Deadline

READ = 3  # passages whose sentences are scored
WINDOW = 512  # word pieces
ONNX = ("model.onnx", "tokenizer.json")


class CrossEncoder(Protocol):
    """Scores how well a text answers a question. Higher is better; 0 means a probability of 1/2."""

    @property
    def sha256(self) -> str: ...

    def scores(self, question: str, texts: Sequence[str]) -> list[float]: ...


class OnnxCrossEncoder:
    """`model.onnx` and `tokenizer.json`. Each pair is a separate run, so its score depends on nothing else."""

    def __init__(self, folder: Path) -> None:
        self.sha256 = file_sha256(folder / ONNX[0])
        self._tokenizer = Tokenizer.from_file(str(folder / ONNX[1]))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(WINDOW, strategy="only_second")
        self._session = session((folder / ONNX[0]).read_bytes())
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._pool = ThreadPoolExecutor(thread_name_prefix="cross-encoder")

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return list(self._pool.map(lambda text: self._score(question, text), texts))

    def _score(self, question: str, text: str) -> float:
        pair = self._tokenizer.encode(question, text)
        return self.score_of(pair.ids, pair.type_ids)

    def score_of(self, ids: Sequence[int], types: Sequence[int]) -> float:
        """The score of a tokenized pair of question and passage."""
        fields = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": types}
        inputs = {name: np.array([values], np.int64) for name, values in fields.items() if name in self._inputs}
        return float(np.ravel(self._session.run(None, inputs)[0])[-1])


class ReferenceCrossEncoder:
    """Any folder that the CrossEncoder of sentence-transformers can read."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import CrossEncoder as Model
        from torch import nn

        self.sha256 = weights_sha256(folder)
        self._model = Model(str(folder), activation_fn=nn.Identity())

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [float(score) for score in self._model.predict([(question, text) for text in texts])]


class TextbookReader:
    """The `Reader` of this pipeline."""

    name = "textbook"
    threshold = 0.5
    operation: Operation | None = None

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model

    @property
    def sha256(self) -> str:
        return self._model.sha256

    def read(
        self,
        question: str,
        hits: Sequence[Hit],
        searcher: Searcher,
        deadline: Deadline | None = None,  # noqa: ARG002  # this reader cannot stop early
    ) -> Reading:
        ranked = self._model.scores(question, [hit.passage.text for hit in hits])
        best = [hits[place] for place in sorted(range(len(hits)), key=lambda place: -ranked[place])[:READ]]
        lines = lines_of(best, searcher)
        scores = self._model.scores(question, [line.text for line in lines])
        candidates = [
            Candidate(line.document, line.number, line.number, line.span, 1 / (1 + exp(-score)))
            for line, score in zip(lines, scores, strict=True)
        ]
        return Reading(sorted(candidates, key=lambda candidate: -candidate.confidence))


def open_cross_encoder(folder: Path) -> CrossEncoder:
    """Raises ModelNotFound if the folder contains no model."""
    if all((folder / name).is_file() for name in ONNX):
        return OnnxCrossEncoder(folder)
    if (folder / "config.json").is_file():
        return ReferenceCrossEncoder(folder)
    reason = "a cross-encoder is a folder with model.onnx and tokenizer.json, or a sentence-transformers folder"
    raise ModelNotFound(name=str(folder), reason=reason)
