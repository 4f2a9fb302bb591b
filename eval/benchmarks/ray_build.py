"""Building with Ray workers beside the ordinary build: speed, and whether each document exists exactly once.

    python -m eval.benchmarks.ray_build --data ../shared/data/dev/scifact --documents 1500

The same files in one run, each time into an empty index: in this process, with one worker, with two, and with two of
which one is killed halfway. The results are compared with those of the first build, vector by vector.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import click
import psutil
from msgspec import Struct

from eval.benchmarks.bench import DATA, OWN, timed
from eval.datasets.dataset import write_corpus
from eval.datasets.loading import load
from eval.runs.results import markdown_table, provenance, write_part
from index.collections.build import BuildOptions, build
from index.collections.ray_build import ray_workers
from index.collections.writer import build_writer
from index.cpus import cpus
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.maintenance.checking import check
from index.storage.layout import Layout
from index.storage.store import Store


class Run(Struct, frozen=True):
    """`start_s`: time to start the cluster, not part of `build_s`. `state`: a hash for each source."""

    name: str
    start_s: float
    build_s: float
    documents: int  # rows, so that duplicates are counted
    passages: int
    state: dict[str, str]
    findings: int
    killed_after: int | None = None  # documents received by then


class Killer:
    """Kills a worker when half the documents have been received."""

    def __init__(self) -> None:
        self.after: int | None = None

    def __call__(self, _stage: str, done: int, total: int) -> None:
        if self.after is None and done >= total // 2:
            victim, *_ = workers()
            victim.kill()
            self.after = done


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=DATA / "scifact", show_default=True)
@click.option("--documents", default=1500, show_default=True, type=click.IntRange(10), help="Maximum number.")
@click.option("--write/--no-write", default=True, show_default=True, help="Rewrite this part of RESULTS.md.")
def main(data: Path, documents: int, write: bool) -> None:  # noqa: FBT001
    """Build the same files in this process and with Ray workers."""
    dataset = load(data if data.exists() else OWN / "seeds")
    with tempfile.TemporaryDirectory(prefix="pincite-fleets-") as folder:
        corpus = write_corpus(dataset, Path(folder, "corpus"))
        files = sorted(path for path in corpus.rglob("*") if path.is_file())[:documents]
        export(Path(folder))
        runs = [ordinary(Path(folder), files)]
        for workers_asked, kill in ((1, False), (2, False), (2, True)):
            runs.append(with_ray(Path(folder), files, workers_asked, kill=kill))
            click.echo(f"{runs[-1].name}: {runs[-1].build_s:.0f} s", err=True)
    text = report(dataset.name, runs)
    click.echo(text)
    if write:
        write_part("ray", text)


def export(folder: Path) -> None:
    model = models.find(models.DEFAULT)
    make_encoder(model.name, Layout(folder).encoder(model.sha256))


def fresh(folder: Path) -> Path:
    """An empty index with a previously exported encoder."""
    index = folder / "index"
    shutil.rmtree(index, ignore_errors=True)
    shutil.copytree(folder / "encoders", index / "encoders")
    return index


def ordinary(folder: Path, files: Sequence[Path]) -> Run:
    index = fresh(folder)
    _, seconds = timed(lambda: build_index(files, index, BuildOptions()))
    return looked_at(f"in this process, {cpus()} threads", index, 0.0, seconds)


def build_index(files: Sequence[Path], index: Path, options: BuildOptions) -> None:
    with build_writer(index) as writer:
        build(writer, files, options)


def with_ray(folder: Path, files: Sequence[Path], number: int, *, kill: bool) -> Run:
    index = fresh(folder)
    killer = Killer()
    began = time.perf_counter()
    with ray_workers(f"local:{number}") as ray:
        started = time.perf_counter()
        build_index(files, index, BuildOptions(workers=ray, progress=killer if kill else lambda *_: None))
        ended = time.perf_counter()
    name = f"{number} worker{'s' * (number > 1)}{', one killed' * kill}"
    return looked_at(name, index, started - began, ended - started, killer.after)


def workers() -> list[psutil.Process]:
    """The worker processes."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "MapWorker" in " ".join(child.cmdline())]


def looked_at(name: str, index: Path, start_s: float, build_s: float, killed_after: int | None = None) -> Run:
    with closing(Store(Layout(index).collection("default").store)) as store:
        change = store.change()
        sources = [document.source for document in store.documents(change)]
        origins = store.origins()
        state = {}
        for source in sources:
            hashed = blake2b(origins[source][1].encode())
            for key, vector in sorted(store.vectors_by_key(source).items()):
                hashed.update(key + vector.tobytes())
            state[source] = hashed.hexdigest()
        passages = store.passage_count(change)
    findings = sum(len(each.findings) for each in check(index))
    return Run(name, start_s, build_s, len(sources), passages, state, findings, killed_after)


def report(name: str, runs: Sequence[Run]) -> str:
    first = runs[0]
    rows = [
        ["cluster started, s", *(f"{run.start_s:.1f}" if run.start_s else "–" for run in runs)],
        ["built, s", *(f"{run.build_s:.1f}" for run in runs)],
        ["passages/s", *(f"{run.passages / run.build_s:.0f}" for run in runs)],
        ["documents", *(f"{run.documents:,}" for run in runs)],
        ["… there more than once", *(f"{run.documents - len(run.state)}" for run in runs)],
        ["… missing", *(f"{len(first.state.keys() - run.state.keys())}" for run in runs)],
        ["… unlike those of the first build", *(str(unlike(first, run)) for run in runs)],
        ["passages", *(f"{run.passages:,}" for run in runs)],
        ["findings of `pincite check`", *(f"{run.findings}" for run in runs)],
        ["a worker killed after … documents", *(f"{run.killed_after:,}" if run.killed_after else "–" for run in runs)],
    ]
    about = (
        f"{first.documents:,} documents of {name}, read, split, encoded and committed. Each worker has one thread and "
        f"shares {cpus()} CPUs with the others and with the process that writes; it loads the encoder within the time. "
        "Documents are compared with those of the first build by the hash of the file and every vector, bit by bit."
    )
    table = markdown_table(["", *(run.name for run in runs)], rows)
    return f"## Encoding on many machines\n\n{about}\n\n{table}\n\n{provenance('make bench-ray')}"


def unlike(first: Run, run: Run) -> int:
    return sum(run.state.get(source) not in (None, state) for source, state in first.state.items())


if __name__ == "__main__":
    main()
