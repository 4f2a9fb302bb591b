"""Runs an exported encoder with onnxruntime on a CPU. Imports neither torch nor transformers.

Each window is one unpadded run on one thread; several windows run in parallel. So a vector depends on its text alone,
not on what else is encoded, and on a CPU batches would not be faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

import msgspec
import numpy as np
import onnxruntime as ort
from msgspec import Struct
from tokenizers import Tokenizer

from index.cpus import cpus
from index.embedding.wordpieces import Pieces, Vector, Window
from index.errors import ExportDamaged
from index.types import Vectors

FORMAT = 1
CARD, MODEL, TOKENIZER = "encoder.json", "model.onnx", "tokenizer.json"
INPUT, OUTPUT = "pieces", "pincite_vector"  # int64 [1, length] in, float32 [1, dimension] out


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of `encoder.json`. Hashes are hexadecimal; those of files cover all bytes."""

    format: int
    name: str
    weights_sha256: str  # of the exported model
    model_sha256: str
    tokenizer_sha256: str
    dimension: int
    window: int
    pooling: str  # informative: pooling is part of the graph


class OnnxEncoder:
    """The encoder exported to `folder`. Thread-safe."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """`threads`: windows encoded in parallel; by default, the CPUs available to this process."""
        self.folder = folder
        self.card = read_card(folder)
        model = _read(folder / MODEL, self.card.model_sha256)
        tokenizer = _read(folder / TOKENIZER, self.card.tokenizer_sha256)
        self.pieces = Pieces(Tokenizer.from_str(tokenizer.decode()), self.card.window)
        self.session = shared_session(model, self.card.model_sha256)
        self._pool = ThreadPoolExecutor(threads or cpus(), thread_name_prefix="encoder")

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def sha256(self) -> str:
        return self.card.weights_sha256

    @property
    def dimension(self) -> int:
        return self.card.dimension

    @property
    def window(self) -> int:
        return self.card.window

    def count(self, text: str) -> int:
        return self.pieces.count(text)

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self.pieces.encode(texts, self._run_all)

    def _run_all(self, windows: list[Window]) -> Vectors:
        if len(windows) == 1:
            return self._run(windows[0])[None]
        return np.stack(list(self._pool.map(self._run, windows)))

    def _run(self, window: Window) -> Vector:
        vector: Vector = self.session.run([OUTPUT], {INPUT: np.array([window], dtype=np.int64)})[0][0]
        return vector


_sessions: WeakValueDictionary[str, ort.InferenceSession] = WeakValueDictionary()  # by SHA-256 of the model
_opening = Lock()


def shared_session(model: bytes, sha256: str) -> ort.InferenceSession:
    """The only session of this process for a model: collections with the same encoder share its memory.

    It is freed with the last encoder that uses it. Sessions are thread-safe.
    """
    with _opening:
        shared = _sessions.get(sha256)
        if shared is None:
            shared = _sessions[sha256] = session(model)
        return shared


def session(model: bytes) -> ort.InferenceSession:
    """A single-threaded session without telemetry."""
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it keeps a plan for every length ever seen
    # The fused operator is slower on a CPU than its two parts: 20 ms per passage with it, 16 ms without.
    return ort.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )


def read_card(folder: Path) -> Card:
    path = folder / CARD
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except (OSError, msgspec.MsgspecError) as error:
        raise ExportDamaged(path=folder, reason=f"{CARD} cannot be read ({error})") from error
    if card.format != FORMAT:
        raise ExportDamaged(path=folder, reason=f"it has format {card.format}, and this version reads format {FORMAT}")
    return card


def _read(path: Path, expected: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExportDamaged(path=path.parent, reason=f"{path.name} cannot be read ({error})") from error
    if sha256(data).hexdigest() != expected:
        raise ExportDamaged(path=path.parent, reason=f"{path.name} differs from the exported file")
    return data
