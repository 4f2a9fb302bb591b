"""One size of an index: built in one process, searched in another. `eval/benchmarks/growth.py` runs both."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from msgspec import Struct

from eval.benchmarks.synthetic_corpus import PASSAGES, Copies, Real
from eval.runs.latency import percentiles
from index.collections.opening import open_collection
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.embedding.prefixes import config_of
from index.search.derived import save_terms, save_vectors
from index.search.fusion import CANDIDATES, Fusion
from index.search.searcher import Searcher
from index.search.vectors import DEEP
from index.search.views import View, moved_view, view_of
from index.storage.contents import Contents
from index.storage.layout import Layout
from index.storage.store import Store
from index.types import Vectors

BATCH = 100  # documents committed together
COMPARED = 200  # questions for measuring recall
TOP = 20
CHANGES = 20
FILTERS = {"one document": ["07/107.txt"], "1 %": ["07/*"], "half": [f"{tens}?/*" for tens in range(5)]}

Times = tuple[float, float]  # p50 and p95, in milliseconds


class Built(Struct, frozen=True):
    """Seconds of CPU time, which other programs do not lengthen, and bytes."""

    commit_s: float
    terms_s: float
    vectors_s: float
    store: int
    terms: int
    vectors: int
    peak_rss: int


class Searched(Struct, frozen=True):
    """Seconds, bytes, milliseconds."""

    open_s: float
    first_ms: float
    rss_before: int
    rss: int
    times: dict[str, Times]
    lists: int
    probed: int
    recall_told: float
    recall_real: float


# ---- building


def build(work: Path, size: int, originals: Real) -> Built:
    layout = Layout(work / str(size))
    shutil.rmtree(layout.root, ignore_errors=True)
    (layout.root / "encoders").mkdir(parents=True)
    model = models.find(models.DEFAULT)
    layout.encoder(model.sha256).symlink_to(Layout(work).encoder(model.sha256).resolve())
    encoder = make_encoder(model.name, layout.encoder(model.sha256))
    place = layout.collection("default")
    with closing(Store.create(place.store, config_of(encoder), "growth")) as store:
        commit_s = 0.0
        documents = Copies(originals, encoder.dimension).documents(size)
        while batch := list(islice(documents, BATCH)):
            commit_s += timed(partial(store.commit, batch, [], 0.0), time.process_time)
        terms_s = timed(partial(save_terms, place, store), time.process_time)
        vectors_s = timed(partial(save_vectors, place, store), time.process_time)
        peak = memory("VmHWM")
    return Built(
        commit_s,
        terms_s,
        vectors_s,
        place.store.stat().st_size,
        sum(path.stat().st_size for path in place.terms.iterdir()),
        sum(path.stat().st_size for path in place.all_vectors()),
        peak,
    )


# ---- searching


def search(work: Path, size: int, originals: Real) -> Searched:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    questions = originals.questions
    before, started = memory("VmRSS"), time.perf_counter()
    place, store, encoder = open_collection(work / str(size), "default", None)
    view = view_of(place, store)
    searcher = Searcher(store, encoder, Contents(store), view)
    opened = time.perf_counter()
    searcher.search(questions[0], TOP)
    first = time.perf_counter()
    encoded = [searcher.encode_question(question) for question in questions]
    times = stages(view, questions, encoded)
    times["whole"] = quantiles([timed(partial(searcher.search, question, TOP)) for question in questions])
    for name, patterns in FILTERS.items():
        filtered_times = [timed(partial(searcher.search, question, TOP, patterns)) for question in questions[:COMPARED]]
        times[f"whole, among {name}"] = quantiles(filtered_times)
    rss = memory("VmRSS")
    recall = recall_of(view, store, np.array(encoded[:COMPARED]))
    changed = dict(changes(work / str(size), originals, view, store))
    dense = view.vectors.dense
    return Searched(
        opened - started,
        1000 * (first - opened),
        before,
        rss,
        times | changed,
        dense.lists,
        dense.probed,
        dense.recall,
        recall,
    )


def stages(view: View, questions: Sequence[str], encoded: Sequence[Vectors]) -> dict[str, Times]:
    fusion = Fusion()
    marks = []
    for question, vector in zip(questions, encoded, strict=True):
        begun = time.perf_counter()
        dense = view.vectors.search(vector, CANDIDATES)
        between = time.perf_counter()
        terms = view.terms.search(question, CANDIDATES)
        retrieved = time.perf_counter()
        scores = fusion.scores([number for number, _ in dense], [number for number, _ in terms])
        sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        done = time.perf_counter()
        marks.append((between - begun, retrieved - between, done - retrieved, done - begun))
    names = ("dense", "terms", "fusion", "dense, terms and fusion")
    return {name: quantiles(values) for name, values in zip(names, zip(*marks, strict=True), strict=True)}


def recall_of(view: View, store: Store, queries: Vectors) -> float:
    """recall@10 of real questions against exact search over the store's vectors with numpy."""
    best = np.full((len(queries), DEEP), -2.0, np.float32)
    for _, vectors in store.vectors(view.vectors.numbers):
        cosines = queries @ vectors.astype(np.float32).T
        best = -np.partition(-np.concatenate([best, cosines], axis=1), DEEP - 1, axis=1)[:, :DEEP]
    least = best.min(axis=1) - 1e-5
    rankings = [view.vectors.search(query, DEEP) for query in queries]
    hits = [np.mean([cosine >= low for _, cosine in hit]) for hit, low in zip(rankings, least, strict=True)]
    return float(np.mean(hits))


def changes(index: Path, originals: Real, view: View, store: Store) -> Iterator[tuple[str, Times]]:
    """Replace documents one by one: how long a write takes, and how long the next question waits for its view."""
    place = Layout(index).collection("default")
    written, moved = [], []
    for new in list(Copies(originals, store.config.dimension).documents(CHANGES * PASSAGES)):
        written.append(timed(partial(store.commit, [new], [], time.time())) + timed(partial(save_terms, place, store)))
        begun = time.perf_counter()
        view = moved_view(view, place, store)
        moved.append(time.perf_counter() - begun)
    yield "a change written", quantiles(written)
    yield "a view moved", quantiles(moved)


def quantiles(seconds: Sequence[float]) -> Times:
    """p50 and p95, in milliseconds."""
    values = percentiles([1000 * value for value in seconds])
    return values.p50, values.p95


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started


def memory(which: str) -> int:
    """Resident memory in bytes, current (VmRSS) or peak (VmHWM), including mapped files."""
    match = re.search(rf"^{which}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
