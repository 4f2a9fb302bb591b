"""Compares a folder and Milvus: same corpora, same questions, and how both scale.

    python -m eval.benchmarks.stores ../shared/data/dev/squad2 --work runs/stores --data ../shared/data/train

Milvus is milvus-lite, in process. Its results are those of any Milvus; its speed says nothing about a cluster.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from rich.progress import track

from eval.benchmarks.store_fixtures import (
    DEPTH,
    FOLDER,
    KINDS,
    MILVUS,
    TOP,
    again,
    alike,
    fresh,
    same,
    searched,
    spread,
)
from eval.benchmarks.store_growth import QUESTIONS, Grown, growth_table, on_copies
from eval.benchmarks.synthetic_corpus import Copies, real
from eval.datasets.dataset import Dataset, Question, write_corpus
from eval.datasets.loading import load
from eval.runs.results import markdown_table, provenance, write_part
from eval.training.fitting import holding
from index.collections.build import build
from index.collections.protocols import Searcher
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.embedding.prefixes import config_of
from index.milvus.searcher import MilvusSearcher
from index.milvus.writer import spelled
from index.search.fusion import CANDIDATES
from index.search.terms import words
from index.storage.layout import Layout
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.reader.selection import open_reader
from service.schema import AskRequest, Citation

SIZES = (1_000, 10_000, 100_000)
SEEDS = Path(__file__).parents[1] / "data" / "seeds"
MOST = 300  # questions of a test set
COMMON, OURS = 60, 5  # constants for the engine's own fusion: the usual one, and that of `index/search/fusion.py`


class Measurements(Struct, frozen=True):
    """The measurements of one store on a test set."""

    passages: int
    build_s: float
    results: list[list[tuple[str, int, int]]]  # for each question, the results, best first: source and span
    recall: float  # share of answers that lie completely in one of the first TOP passages
    milliseconds: list[float]
    cited: list[list[Citation]]


class TestedSet(Struct, frozen=True):
    """A test set in both stores. `engine`: the results of `engine_fusion`."""

    name: str
    measured: dict[str, Measurements]
    engine: dict[int, float]


@click.command()
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/stores"), show_default=True
)
@click.option("--data", envvar="DATA", type=click.Path(path_type=Path), default=Path("../shared/data/train"))
@click.option("--size", "sizes", multiple=True, type=click.IntRange(1000), default=SIZES, show_default=True)
@click.option("--write/--no-write", default=True, show_default=True, help="Rewrite this part of RESULTS.md.")
@click.argument("test_sets", nargs=-1, type=click.Path(path_type=Path))
def main(work: Path, data: Path, sizes: tuple[int, ...], write: bool, test_sets: tuple[Path, ...]) -> None:  # noqa: FBT001
    """Measure both stores on our own test set, and on those of TEST_SETS that exist."""
    work.mkdir(parents=True, exist_ok=True)
    model = models.find(models.DEFAULT)
    encoder = make_encoder(model.name, Layout(work).encoder(model.sha256))
    tested = [on_both(work, load(test_set)) for test_set in (SEEDS, *test_sets) if test_set.is_dir()]
    originals = real(work / "real.msgpack", data, encoder, config_of(encoder))
    copies = Copies(originals, encoder.dimension)
    grown = {size: {kind: on_copies(work, kind, copies, size, originals) for kind in KINDS} for size in sorted(sizes)}
    text = report(tested, grown)
    click.echo(text)
    if write:
        write_part("stores", text)


def on_both(work: Path, dataset: Dataset) -> TestedSet:
    """With at most MOST questions, spread over the set."""
    questions = dataset.questions[:: -(-len(dataset.questions) // MOST)]
    measured = {kind: on_set(work, kind, dataset, questions) for kind in KINDS}
    return TestedSet(dataset.name, measured, engine_fusion(work, questions, measured[FOLDER].results))


def on_set(work: Path, kind: str, dataset: Dataset, questions: Sequence[Question]) -> Measurements:
    corpus = write_corpus(dataset, work / f"{dataset.name}-corpus")
    with closing(fresh(work, kind)) as backend:
        begun = time.monotonic()
        with backend.build_writer() as writer:
            build(writer, [corpus])
        build_s = time.monotonic() - begun
        collection = backend.open("default")
        searcher = collection.searcher()
        results, times = searched(searcher, [question.text for question in questions])
        answering = Answering(Catalogue({"default": collection}), open_reader(None, backend.index))
        cited = [cited_by(answering, question.text) for question in track(questions, f"{kind}: {dataset.name}")]
        recalled = recall(searcher, questions)
        passages = searcher.passages
        answering.close()
    return Measurements(passages, build_s, results, recalled, times, cited)


def cited_by(answering: Answering, question: str) -> list[Citation]:
    """The citations of the answers at any confidence; those in `also` are measured separately."""
    response = answering.ask(AskRequest(question=question, min_confidence=0), "")
    return [replace(citation, also=[]) for answer in response.answers for citation in answer.citations]


def recall(searcher: Searcher, questions: Sequence[Question]) -> float:
    answerable = [question for question in questions if question.answers]
    recalls = [
        bool(holding(searcher, question, [hit.passage.number for hit in searcher.search(question.text, TOP)]))
        for question in answerable
    ]
    return float(np.mean(recalls)) if recalls else 0.0


def engine_fusion(
    work: Path, questions: Sequence[Question], expected: Sequence[Sequence[tuple[str, int, int]]]
) -> dict[int, float]:
    """The engine's own hybrid search, by its constant: its overlap with a folder's first TOP."""
    shares: dict[int, list[float]] = {constant: [] for constant in (COMMON, OURS)}
    with closing(again(work, MILVUS)) as backend:
        searcher = backend.open("default").searcher()
        if not isinstance(searcher, MilvusSearcher):
            raise TypeError(searcher)
        part = searcher.part
        for question, first in zip(questions, expected, strict=True):
            vector = searcher.encode_question(question.text).tolist()
            query = " ".join(map(spelled, sorted(set(words(question.text)))))
            for constant, overlap in shares.items():
                keys = part.engine.fused(
                    part.table.name,
                    vector,
                    query,
                    limit=TOP,
                    each=CANDIDATES,
                    constant=constant,
                    expression=part.rows,
                )
                places = {(source, *span) for _, source, span in searcher.places([int(key, 16) for key in keys])}
                overlap.append(len(places & set(first[:TOP])) / max(1, len(first[:TOP])))
    return {constant: float(np.mean(overlap)) for constant, overlap in shares.items()}


def report(tested: Sequence[TestedSet], grown: dict[int, dict[str, Grown]]) -> str:
    about = (
        "The same files and questions in a folder and in Milvus, which is milvus-lite in process. Citations are those "
        "of all answers, whatever their confidence. The engine's own fusion is its hybrid search (RRF) with its "
        f"constant at {COMMON}, as is usual, and at {OURS}, which is ours."
    )
    growth = (
        f"Copies of real passages, as in the part on growth, with {QUESTIONS} real questions. "
        "“Built” has no encoding in it. Times are p50 / p95 of questions asked for the first time, and again: a term "
        "that nobody asked for before is counted in all passages, which takes milvus-lite seconds where it is common."
    )
    parts = ("## Stores", about, set_table(tested), growth, growth_table(grown), provenance("make bench-stores"))
    return "\n\n".join(parts)


def set_table(tested: Sequence[TestedSet]) -> str:
    names = [
        "passages",
        "the same citations",
        f"the same {DEPTH} passages in the same order",
        f"of the folder's first {TOP}, Milvus has",
        f"… the engine's own fusion has, {COMMON}",
        f"… the engine's own fusion has, {OURS}",
        f"recall@{TOP} of answers, folder",
        f"recall@{TOP} of answers, Milvus",
        "found in, ms, p50 / p95, folder",
        "found in, ms, p50 / p95, Milvus",
        "built, s, folder",
        "built, s, Milvus",
    ]
    head = ["", *(f"{each.name}, {len(each.measured[FOLDER].results)} questions" for each in tested)]
    return markdown_table(head, [list(row) for row in zip(names, *map(set_column, tested), strict=True)])


def set_column(tested: TestedSet) -> list[str]:
    folder, milvus = tested.measured[FOLDER], tested.measured[MILVUS]
    return [
        f"{folder.passages:,}",
        f"{same(folder.cited, milvus.cited):.1%}",
        f"{same(folder.results, milvus.results):.1%}",
        f"{alike(folder.results, milvus.results, TOP):.1%}",
        f"{tested.engine[COMMON]:.1%}",
        f"{tested.engine[OURS]:.1%}",
        f"{folder.recall:.4f}",
        f"{milvus.recall:.4f}",
        spread(folder.milliseconds),
        spread(milvus.milliseconds),
        f"{folder.build_s:.1f}",
        f"{milvus.build_s:.1f}",
    ]


if __name__ == "__main__":
    main()
