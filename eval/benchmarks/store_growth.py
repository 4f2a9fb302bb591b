"""How a folder and Milvus scale: copies of real passages in both, made by `synthetic_corpus`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from msgspec import Struct
from rich.progress import track

from eval.benchmarks.bench import timed
from eval.benchmarks.store_fixtures import FOLDER, KINDS, MILVUS, TOP, alike, fresh, searched, spread
from eval.benchmarks.synthetic_corpus import PASSAGES, Copies, Real
from eval.runs.results import markdown_table
from index.collections.protocols import Searcher
from index.collections.writer import Writer
from index.milvus.writer import MilvusWriter
from index.storage.tables import NewDocument

BATCH = 50  # documents committed together
QUESTIONS = 100


class Grown(Struct, frozen=True):
    """The measurements of one store with copies of passages."""

    build_s: float
    bytes: int
    recall: float  # recall of dense search at TOP, against exact search
    first_ms: list[float]  # with terms that were never asked for before
    milliseconds: list[float]
    results: list[list[tuple[str, int, int]]]


def on_copies(work: Path, kind: str, copies: Copies, size: int, originals: Real) -> Grown:
    with closing(fresh(work, kind)) as backend:
        backend.make("default")
        collection = backend.open("default")
        writer = collection.writer
        if not isinstance(writer, Writer | MilvusWriter):
            raise TypeError(writer)
        build_s = 0.0
        vectors: list[np.ndarray] = []
        places: list[tuple[str, int, int]] = []
        for batch in track(batched(copies.documents(size)), f"{kind}: {size:,}", total=-(-size // PASSAGES // BATCH)):
            for new in batch:
                vectors += [each.vector.astype(np.float32) for each in new.passages]
                places += [(new.document.source, *each.passage.span) for each in new.passages]
            build_s += timed(partial(writer.commit, batch, [], {}))[1]
        build_s += timed(writer.finish)[1]
        collection.compact()
        searcher = collection.searcher()
        questions = originals.questions[:QUESTIONS]
        _, first = searched(searcher, questions)
        results, times = searched(searcher, questions)
        recalled = dense_recall(searcher, questions, np.stack(vectors), places)
        collection.close()
    disk_bytes = sum(path.stat().st_size for path in (work / kind.lower()).rglob("*") if path.is_file())
    return Grown(build_s, disk_bytes, recalled, first, times, results)


def batched(documents: Iterable[NewDocument]) -> Iterable[list[NewDocument]]:
    remaining = iter(documents)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def dense_recall(
    searcher: Searcher, questions: Sequence[str], vectors: np.ndarray, places: Sequence[tuple[str, int, int]]
) -> float:
    """The share of the exact TOP nearest passages among the first TOP of dense search."""
    shares = []
    for question in questions:
        dense, _ = searcher.rankings(question)
        best = np.argsort(-(vectors @ searcher.encode_question(question)), kind="stable")[:TOP]
        retrieved = {(source, *span) for _, source, span in searcher.places(list(dense)[:TOP])}
        shares.append(len(retrieved & {places[place] for place in best}) / TOP)
    return float(np.mean(shares))


def growth_table(grown: dict[int, dict[str, Grown]]) -> str:
    rows = [
        [
            f"{size:,}",
            *(f"{each.build_s:.1f}" for each in kinds.values()),
            *(spread(each.first_ms) for each in kinds.values()),
            *(spread(each.milliseconds) for each in kinds.values()),
            *(f"{each.recall:.3f}" for each in kinds.values()),
            f"{alike(kinds[FOLDER].results, kinds[MILVUS].results, TOP):.1%}",
            *(f"{each.bytes / size:.0f}" for each in kinds.values()),
        ]
        for size, kinds in grown.items()
    ]
    whats = ("built, s", "found first in, ms", "found again in, ms", f"recall@{TOP} of dense search")
    names = [f"{what}, {kind}" for what in whats for kind in KINDS]
    bytes_taken = [f"bytes a passage, {kind}" for kind in KINDS]
    return markdown_table(["passages", *names, f"the same among the first {TOP}", *bytes_taken], rows)
