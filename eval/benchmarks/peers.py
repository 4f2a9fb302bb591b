"""Compares Pincite with its peers in one run, on the same machine, corpus, model and questions.

    python -m eval.benchmarks.peers --out runs --cross-encoder FOLDER

Each system runs in a process of its own, so that its peak memory is its own. Then whole answers are compared with the
textbook pipeline on our own retriever.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eval.benchmarks.bench import DATA, OWN, cell, fresh_index
from eval.benchmarks.systems import PassageText, open_system, passages_of
from eval.datasets.dataset import Dataset, write_corpus
from eval.datasets.loading import load
from eval.metrics.ranking import Place, of_passages
from eval.metrics.ranking import measure as measure_ranking
from eval.runs.compare import compare, write_comparison
from eval.runs.evaluation import evaluate_and_report
from eval.runs.latency import Latency, percentiles, summary
from eval.runs.results import markdown_table, provenance, write_part
from eval.runs.run import ALL, RunFolder
from eval.runs.target import InProcess
from eval.training.textbook import TextbookReader, open_cross_encoder
from index.collections.collection import Collection
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.storage.layout import Layout
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue

SYSTEMS = {"Pincite": None, "Haystack": "haystack", "txtai": "txtai"}  # by the module to import
QUESTIONS = 250
TOGETHER = 8
SEED = 20262
MEBIBYTE = 1024  # in KiB, Linux's unit of peak memory
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
ANSWERS = ("hit@1", "hit@3", "citation precision", "citation recall", "AUROC", "AURC", "ECE")


class Work(Struct, frozen=True):
    """The input of the process that measures one system."""

    corpus: str
    index: str
    passages: list[PassageText]
    questions: list[str]


class Measured(Struct, frozen=True):
    seconds: float  # to index all passages
    alone: Latency
    together: Latency
    per_second: float  # questions, `TOGETHER` at once
    mebibytes: float
    found: list[list[str]]


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"), show_default=True)
@click.option("--dataset", type=click.Path(path_type=Path), help="[default: squad2 of the shared data, else seeds]")
@click.option(
    "--cross-encoder",
    envvar="PINCITE_CROSS_ENCODER",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="The folder of a cross-encoder; without it, the textbook pipeline is skipped.",
)
@click.option("--measure", "system", hidden=True, type=click.Choice(list(SYSTEMS)))
def main(out: Path, dataset: Path | None, cross_encoder: Path | None, system: str | None) -> None:
    """Measure search against Haystack and txtai, and answers against the textbook pipeline."""
    place = out / "peers"
    if system is not None:
        return measure_here(system, place)
    loaded = sample(load(dataset or (DATA / "squad2" if (DATA / "squad2").is_dir() else OWN / "seeds")))
    work = prepare(loaded, place)
    measured = {name: measure_apart(name, out) for name, module in SYSTEMS.items() if installed(name, module)}
    text = (
        f"## Beside its peers\n\n{search_text(loaded, work, measured)}\n\n{answers_text(loaded, place, cross_encoder)}"
    )
    text += f"\n\n{provenance('make bench-peers')}"
    click.echo(text)
    write_part("peers", text)
    return None


def sample(dataset: Dataset) -> Dataset:
    """A fixed sample of the questions, in their order."""
    chosen = set(random.Random(SEED).sample(range(len(dataset.questions)), min(QUESTIONS, len(dataset.questions))))  # noqa: S311
    questions = [question for place, question in enumerate(dataset.questions) if place in chosen]
    return replace(dataset, name=f"{dataset.name}-sample", questions=questions)


def prepare(dataset: Dataset, place: Path) -> Work:
    """Build our index, and write its passages and the questions for all systems."""
    shutil.rmtree(place, ignore_errors=True)
    built = fresh_index(dataset, place / "index")
    work = Work(
        corpus=str(write_corpus(dataset, place / "index-corpus")),
        index=str(place / "measured"),
        passages=passages_of(built.index),
        questions=[question.text for question in dataset.questions if question.answerable],
    )
    model = models.find(models.DEFAULT)
    make_encoder(model.name, Layout(place / "measured").encoder(model.sha256))
    (place / "work.json").write_bytes(msgspec.json.encode(work))
    return work


def installed(name: str, module: str | None) -> bool:
    if module is None or find_spec(module):
        return True
    click.echo(f"{name} is not installed and is left out; it comes with the extra [peers].", err=True)
    return False


def measure_apart(name: str, out: Path) -> Measured:
    click.echo(f"{name} …")
    subprocess.run([sys.executable, "-m", "eval.benchmarks.peers", "--measure", name, "--out", str(out)], check=True)
    return msgspec.json.decode((out / "peers" / f"{name}.json").read_bytes(), type=Measured)


def measure_here(name: str, place: Path) -> None:
    work = msgspec.json.decode((place / "work.json").read_bytes(), type=Work)
    system = open_system(name, Path(work.corpus), Path(work.index))
    started = time.perf_counter()
    system.add(work.passages)
    seconds = time.perf_counter() - started
    for question in work.questions[:5]:
        system.search(question)  # warm up

    def timed(question: str) -> tuple[float, list[str]]:
        begun = time.perf_counter()
        results = system.search(question)
        return 1000 * (time.perf_counter() - begun), results

    alone = [timed(question) for question in work.questions]
    with ThreadPoolExecutor(TOGETHER) as pool:
        begun = time.perf_counter()
        together = list(pool.map(timed, work.questions))
        per_second = len(together) / (time.perf_counter() - begun)
    measured = Measured(
        seconds=seconds,
        alone=percentiles([each for each, _ in alone]),
        together=percentiles([each for each, _ in together]),
        per_second=per_second,
        mebibytes=peak_memory(),
        found=[found for _, found in alone],
    )
    (place / f"{name}.json").write_bytes(msgspec.json.encode(measured))


def peak_memory() -> float:
    """Peak resident memory of this program in MiB; `ru_maxrss` would include the process that started it."""
    match = PEAK.search(Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(match[1]) / MEBIBYTE if match else float("nan")


def search_text(dataset: Dataset, work: Work, measured: dict[str, Measured]) -> str:
    rows = [
        [
            name,
            f"{len(work.passages) / each.seconds:.0f}",
            *(f"{value:.1f}" for value in (each.alone.p50, each.alone.p95, each.together.p50, each.together.p95)),
            f"{each.per_second:.0f}",
            *(f"{value:.3f}" for value in recalls(dataset, work, each.found)),
            f"{each.mebibytes:.0f}",
        ]
        for name, each in measured.items()
    ]
    head = ["", "passages indexed/s", "p50, ms", "p95, ms", f"p50, {TOGETHER} at once", f"p95, {TOGETHER} at once"]
    head += [f"questions/s, {TOGETHER} at once", "recall@1", "recall@10", "recall@20", "peak memory, MiB"]
    intro = (
        f"Search alone, hybrid in each, all-MiniLM-L6-v2 in each, top 20: {len(work.passages)} passages and "
        f"{len(work.questions)} answerable questions of {dataset.name}. Pincite's indexing also reads, splits and "
        "stores the files, and encodes with its exported model; the export is not in the time."
    )
    return f"{intro}\n\n{markdown_table(head, rows)}"


def recalls(dataset: Dataset, work: Work, results: Sequence[Sequence[str]]) -> list[float]:
    """recall@1, @10 and @20 of the passages that contain the gold spans."""
    places = {each.key: Place(each.source, each.start, each.end) for each in work.passages}
    answerable = [question for question in dataset.questions if question.answerable]
    cases = {
        question.id: of_passages([places[key] for key in keys], question.needed)
        for question, keys in zip(answerable, results, strict=True)
    }
    values = measure_ranking(cases).values()
    return [sum(each[name] for each in values) / len(cases) for name in ("recall@1", "recall@10", "recall@20")]


def answers_text(dataset: Dataset, place: Path, cross_encoder: Path | None) -> str:
    """Whole answers: our reader and the textbook's, on the same retrieved passages."""
    if cross_encoder is None or not cross_encoder.is_dir():
        return "The textbook pipeline was not measured: no cross-encoder was given (PINCITE_CROSS_ENCODER)."
    index = place / "index"
    textbook = Answering(
        Catalogue({"default": Collection.open(index)}), TextbookReader(open_cross_encoder(cross_encoder))
    )
    rows = []
    folders = {"Pincite": place / "run-pincite", "textbook pipeline": place / "run-textbook"}
    targets = {"Pincite": InProcess.open(index), "textbook pipeline": InProcess(textbook, index, "default")}
    for name, folder in folders.items():
        group = evaluate_and_report(dataset, targets[name], folder)[ALL]
        wall = summary(RunFolder(folder).read_times(), 1).stages["wall"]
        rows.append([name, *(cell(group, metric) for metric in ANSWERS), f"{wall.p50:.0f}", f"{wall.p95:.0f}"])
        targets[name].close()
    comparison = compare(folders["textbook pipeline"], folders["Pincite"])
    write_comparison(comparison, place / "comparison.html")
    words = [f"{each.difference.metric} {each.word} (p = {each.p:.3f})" for each in comparison.verdicts if each.word]
    return (
        f"Answers to {len(dataset.questions)} questions of the same sample: the textbook pipeline (a cross-encoder "
        "ranks our 20 best passages anew, then finds the best sentence in the 3 best) and Pincite's own reader.\n\n"
        f"{markdown_table(['', *ANSWERS, 'p50, ms', 'p95, ms'], rows)}\n\n"
        f"Pincite against the textbook pipeline, Holm-corrected: {'; '.join(words) or 'no significant difference'}."
    )


if __name__ == "__main__":
    main()
