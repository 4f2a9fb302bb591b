"""The two stores for comparisons, and functions that compare their results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.backends import open_backend
from index.collections.addresses import Address
from index.collections.protocols import Backend, Searcher

KINDS = FOLDER, MILVUS = "folder", "Milvus"
TOP = 10
DEPTH = 20


def fresh(work: Path, kind: str) -> Backend:
    """An empty backend with a previously exported encoder."""
    place = work / kind.lower()
    shutil.rmtree(place, ignore_errors=True)
    return again(work, kind)


def again(work: Path, kind: str) -> Backend:
    place, encoders = work / kind.lower(), work / "encoders"
    place.mkdir(exist_ok=True)
    if not (place / "encoders").exists():
        (place / "encoders").symlink_to(encoders.resolve())
    return open_backend(place, Address.read(f"milvus+file:{place / 'engine'}") if kind == MILVUS else None)


def searched(searcher: Searcher, questions: Sequence[str]) -> tuple[list[list[tuple[str, int, int]]], list[float]]:
    results, times = [], []
    for question in questions:
        begun = time.monotonic()
        hits = searcher.search(question, DEPTH)
        times.append(1000 * (time.monotonic() - begun))
        results.append([(hit.passage.document.source, *hit.passage.passage.span) for hit in hits])
    return results, times


def alike(one: Sequence[Sequence[object]], other: Sequence[Sequence[object]], top: int) -> float:
    """The mean overlap of the first `top` results of both."""
    shares = [len([x for x in a[:top] if x in b[:top]]) / max(1, len(a[:top])) for a, b in zip(one, other, strict=True)]
    return float(np.mean(shares))


def same(one: Sequence[object], other: Sequence[object]) -> float:
    """The share of ranks with the same result in both."""
    return float(np.mean([a == b for a, b in zip(one, other, strict=True)]))


def spread(milliseconds: Sequence[float]) -> str:
    p50, p95 = np.percentile(np.array(milliseconds), (50, 95))
    return f"{p50:.1f} / {p95:.1f}"
