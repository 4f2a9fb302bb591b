"""A folder and Milvus side by side: the same corpus, the same questions, and how both grow.

    python -m eval.stores --work runs/stores --data ../shared/data/train --size 1000 --size 10000 --size 100000

The Milvus measured is milvus-lite, in process: it says what is found, which any Milvus finds, and how fast the embedded
engine is, which is no measure of a cluster.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import click
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from rich.progress import track

from eval.cli import config_of
from eval.copies import PASSAGES, Copies, Real, real
from eval.datasets import Dataset, Question, load
from eval.fitting import holding
from eval.results import markdown_table, provenance, write_part
from index import models
from index.addresses import Address
from index.encoder import make_encoder
from index.homes import home_of
from index.layout import Layout
from index.milvus_searcher import MilvusSearcher
from index.milvus_writer import MilvusWriter, spelled
from index.seams import Home, Searcher
from index.searcher import CANDIDATES
from index.tables import NewDocument
from index.terms import words
from index.writer import Writer
from service.answering import Answering
from service.catalogue import Catalogue
from service.readers import open_reader
from service.schema import AskRequest, Citation

SIZES = (1_000, 10_000, 100_000)
SEEDS = Path(__file__).parent / "data" / "seeds"
TOP = 10
DEPTH = 20
BATCH = 50  # documents committed together
GROWN_QUESTIONS = 200
FOLDER, MILVUS = "folder", "Milvus"
ENGINE_CONSTANTS = (60, 5)  # of the engine's own fusion: the usual one, and ours


class Told(Struct, frozen=True):
    """What one store made of a test set."""

    build_s: float
    found: list[list[tuple[str, int, int]]]  # of each question, what was found, best first: source and span
    recall: float  # the share of answers that one of the first TOP passages holds whole
    milliseconds: list[float]
    cited: list[list[Citation]]


class Grown(Struct, frozen=True):
    """What one store made of copies of passages."""

    build_s: float
    bytes: int
    recall: float  # of dense search at TOP, against comparing with every vector
    milliseconds: list[float]
    found: list[list[tuple[str, int, int]]]


@click.command()
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/stores"), show_default=True
)
@click.option("--data", envvar="DATA", type=click.Path(path_type=Path), default=Path("../shared/data/train"))
@click.option("--size", "sizes", multiple=True, type=click.IntRange(1000), default=SIZES, show_default=True)
@click.option("--set", "test_set", type=click.Path(path_type=Path), default=SEEDS, help="Asked in both.")
@click.option("--questions", type=click.IntRange(1), help="Only so many of it.")
def main(work: Path, data: Path, sizes: tuple[int, ...], test_set: Path, questions: int | None) -> None:
    """Measure both stores; with the default sizes and test set, what is told is written into RESULTS.md."""
    work.mkdir(parents=True, exist_ok=True)
    model = models.find(models.DEFAULT)
    encoder = make_encoder(model.name, Layout(work).encoder(model.sha256))
    dataset = load(test_set)
    asked = dataset.questions[:questions]
    told = {kind: on_set(work, kind, dataset, asked) for kind in (FOLDER, MILVUS)}
    engine = engine_fusion(work, asked, told[FOLDER].found)
    originals = real(work / "real.msgpack", data, encoder, config_of(encoder))
    copies = Copies(originals, encoder.dimension)
    grown = {size: {kind: on_copies(work, kind, copies, size, originals) for kind in told} for size in sorted(sizes)}
    text = report(dataset, told, engine, grown)
    click.echo(text)
    if sorted(sizes) == sorted(SIZES) and test_set == SEEDS and questions is None:
        write_part("stores", text)


def fresh(work: Path, kind: str) -> Home:
    """An empty home of its kind, with the encoder that was exported before."""
    place = work / kind.lower()
    shutil.rmtree(place, ignore_errors=True)
    return again(work, kind)


def again(work: Path, kind: str) -> Home:
    place, encoders = work / kind.lower(), work / "encoders"
    place.mkdir(exist_ok=True)
    if not (place / "encoders").exists():
        (place / "encoders").symlink_to(encoders.resolve())
    return home_of(place, Address.read(f"milvus+file:{place / 'engine'}") if kind == MILVUS else None)


def on_set(work: Path, kind: str, dataset: Dataset, questions: Sequence[Question]) -> Told:
    with closing(fresh(work, kind)) as home:
        begun = time.monotonic()
        home.build(
            [corpus_of(dataset)],
            collection="default",
            encoder=None,
            config=config_of,
            replace=False,
            progress=lambda *_: None,
        )
        build_s = time.monotonic() - begun
        collection = home.open("default")
        searcher = collection.searcher()
        found, times = searched(searcher, [question.text for question in questions])
        answering = Answering(Catalogue({"default": collection}), open_reader(None, home.index))
        cited = [cited_by(answering, question.text) for question in track(questions, f"{kind}: answered")]
        recalled = recall(searcher, questions)
        answering.close()
    return Told(build_s, found, recalled, times, cited)


def corpus_of(dataset: Dataset) -> Path:
    if dataset.corpus is None:
        raise click.UsageError("--set needs a test set with a folder of documents.")
    return dataset.corpus


def searched(searcher: Searcher, questions: Sequence[str]) -> tuple[list[list[tuple[str, int, int]]], list[float]]:
    found, times = [], []
    for question in questions:
        begun = time.monotonic()
        hits = searcher.search(question, DEPTH)
        times.append(1000 * (time.monotonic() - begun))
        found.append([(hit.passage.document.source, *hit.passage.passage.span) for hit in hits])
    return found, times


def cited_by(answering: Answering, question: str) -> list[Citation]:
    """The citations of the answers, whatever their confidence; those in `also` are told by the others."""
    response = answering.ask(AskRequest(question=question, min_confidence=0), "")
    return [replace(citation, also=[]) for answer in response.answers for citation in answer.citations]


def recall(searcher: Searcher, questions: Sequence[Question]) -> float:
    answerable = [question for question in questions if question.answers]
    found = [
        bool(holding(searcher, question, [hit.passage.number for hit in searcher.search(question.text, TOP)]))
        for question in answerable
    ]
    return float(np.mean(found)) if found else 0.0


def engine_fusion(
    work: Path, questions: Sequence[Question], expected: Sequence[Sequence[tuple[str, int, int]]]
) -> dict[int, float]:
    """Of the engine's own hybrid search, by its constant: how much it has of a folder's first TOP."""
    shares: dict[int, list[float]] = {constant: [] for constant in ENGINE_CONSTANTS}
    with closing(again(work, MILVUS)) as home:
        searcher = home.open("default").searcher()
        if not isinstance(searcher, MilvusSearcher):
            raise TypeError(searcher)
        part = searcher.part
        for question, first in zip(questions, expected, strict=True):
            vector = searcher.encode_question(question.text).tolist()
            asked = " ".join(map(spelled, sorted(set(words(question.text)))))
            for constant, seen in shares.items():
                keys = part.engine.fused(
                    part.table.name,
                    vector,
                    asked,
                    limit=TOP,
                    each=CANDIDATES,
                    constant=constant,
                    expression=part.rows,
                )
                places = {(source, *span) for _, source, span in searcher.places([int(key, 16) for key in keys])}
                seen.append(len(places & set(first[:TOP])) / max(1, len(first[:TOP])))
    return {constant: float(np.mean(seen)) for constant, seen in shares.items()}


def on_copies(work: Path, kind: str, copies: Copies, size: int, originals: Real) -> Grown:
    with closing(fresh(work, kind)) as home:
        home.make("default", None, config_of)
        collection = home.open("default")
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
            build_s += timed(partial(writer.commit_encoded, batch, []))
        build_s += timed(writer.finish)
        collection.compact()
        searcher = collection.searcher()
        questions = originals.questions[:GROWN_QUESTIONS]
        searcher.search(questions[0], DEPTH)  # what is read once
        found, times = searched(searcher, questions)
        recalled = dense_recall(searcher, questions, np.stack(vectors), places)
        collection.close()
    taken = sum(path.stat().st_size for path in (work / kind.lower()).rglob("*") if path.is_file())
    return Grown(build_s, taken, recalled, times, found)


def batched(documents: Iterable[NewDocument]) -> Iterable[list[NewDocument]]:
    left = iter(documents)
    while batch := list(islice(left, BATCH)):
        yield batch


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def dense_recall(
    searcher: Searcher, questions: Sequence[str], vectors: np.ndarray, places: Sequence[tuple[str, int, int]]
) -> float:
    """The share of the TOP nearest passages that dense search has among its first TOP."""
    shares = []
    for question in questions:
        dense, _ = searcher.rankings(question)
        best = np.argsort(-(vectors @ searcher.encode_question(question)), kind="stable")[:TOP]
        found = {(source, *span) for _, source, span in searcher.places(list(dense)[:TOP])}
        shares.append(len(found & {places[place] for place in best}) / TOP)
    return float(np.mean(shares))


def alike(one: Sequence[Sequence[object]], other: Sequence[Sequence[object]], top: int) -> float:
    """The mean share of the first `top` of one that are among the first `top` of the other."""
    shares = [len([x for x in a[:top] if x in b[:top]]) / max(1, len(a[:top])) for a, b in zip(one, other, strict=True)]
    return float(np.mean(shares))


def report(
    dataset: Dataset, told: dict[str, Told], engine: dict[int, float], grown: dict[int, dict[str, Grown]]
) -> str:
    folder, store = told[FOLDER], told[MILVUS]
    same = float(np.mean([a == b for a, b in zip(folder.cited, store.cited, strict=True)]))
    ordered = float(np.mean([a == b for a, b in zip(folder.found, store.found, strict=True)]))
    rows = [
        ["built, s", *(f"{each.build_s:.1f}" for each in (folder, store))],
        [f"recall@{TOP} of answers", *(f"{each.recall:.3f}" for each in (folder, store))],
        ["found in, ms, p50 / p95", *(spread(each.milliseconds) for each in (folder, store))],
    ]
    fusions = ", ".join(f"{share:.1%} with its constant at {constant}" for constant, share in engine.items())
    among = alike(folder.found, store.found, TOP)
    text = (
        f"{len(folder.found)} questions of {dataset.name}, one by one, in both stores; Milvus is milvus-lite in "
        f"process. The citations of all answers are the same for {same:.1%} of the questions, the first {DEPTH} "
        f"passages are the same in the same order for {ordered:.1%}. Of the first {TOP} passages of the folder, Milvus "
        f"has {among:.1%} among its own, and recall differs by {abs(folder.recall - store.recall):.4f}. The engine has "
        f"{fusions} by its own hybrid search (RRF)."
    )
    head = ["", FOLDER, MILVUS]
    growth_rows = [
        [
            f"{size:,}",
            *(f"{each.build_s:.1f}" for each in kinds.values()),
            *(spread(each.milliseconds) for each in kinds.values()),
            *(f"{each.recall:.3f}" for each in kinds.values()),
            f"{alike(kinds[FOLDER].found, kinds[MILVUS].found, TOP):.1%}",
            *(f"{each.bytes / size:.0f}" for each in kinds.values()),
        ]
        for size, kinds in grown.items()
    ]
    names = [f"{what}, {kind}" for what in ("built, s", "found in, ms") for kind in told]
    names += [f"recall@{TOP} of dense search, {kind}" for kind in told]
    growth_head = [
        "passages",
        *names,
        f"the same among the first {TOP}",
        *(f"bytes a passage, {kind}" for kind in told),
    ]
    growth = (
        f"Copies of real passages, as in the part on growth, with {GROWN_QUESTIONS} real questions. "
        "“Built” has no encoding in it; times are p50 / p95."
    )
    return (
        f"## Stores\n\n{text}\n\n{markdown_table(head, rows)}\n\n{growth}\n\n"
        f"{markdown_table(growth_head, growth_rows)}\n\n{provenance('make bench-stores')}"
    )


def spread(milliseconds: Sequence[float]) -> str:
    p50, p95 = np.percentile(np.array(milliseconds), (50, 95))
    return f"{p50:.1f} / {p95:.1f}"


if __name__ == "__main__":
    main()
