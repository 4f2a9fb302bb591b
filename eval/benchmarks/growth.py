"""How building, opening and searching scale with the number of passages.

    python -m eval.benchmarks.growth --work runs/growth --data ../shared/data/train --size 1000000

Each size is built in one process, and opened and searched in another, on one core. `synthetic_corpus` describes the
documents.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from msgspec import Struct

from eval.benchmarks.growing import Built, Searched, build, search
from eval.benchmarks.synthetic_corpus import FARTHEST, NEAREST, PASSAGES, SWAPPED, Real, real
from eval.runs.results import markdown_table, provenance, write_part
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.embedding.prefixes import config_of
from index.storage.layout import Layout

T = TypeVar("T")
SIZES = (10_000, 100_000, 1_000_000)
CHART = Path(__file__).parents[1] / "growth.png"
MEBIBYTE = 1 << 20


class Grown(Struct, frozen=True):
    size: int
    built: Built
    searched: Searched


@click.command()
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/growth"), show_default=True
)
@click.option("--data", envvar="DATA", type=click.Path(path_type=Path), default=Path("../shared/data/train"))
@click.option("--size", "sizes", multiple=True, type=click.IntRange(1000), default=SIZES, show_default=True)
@click.option("--stage", hidden=True, type=click.Choice(["build", "search"]))
def main(work: Path, data: Path, sizes: tuple[int, ...], stage: str | None) -> None:
    """Build, open and search indexes of several sizes; the default sizes are written to RESULTS.md.

    An interrupted run continues where it was.
    """
    work.mkdir(parents=True, exist_ok=True)
    model = models.find(models.DEFAULT)
    encoder = make_encoder(model.name, Layout(work).encoder(model.sha256))
    originals = real(work / "real.msgpack", data, encoder, config_of(encoder))
    if stage:
        result = (build if stage == "build" else search)(work, sizes[0], originals)
        (work / f"{sizes[0]}.{stage}.json").write_bytes(msgspec.json.encode(result))
        return
    for size in sorted(sizes):
        click.echo(f"{size:,} passages …")
        apart("build", work, size)
        apart("search", work, size)
    grown = [
        Grown(size, stage_result("build", work, size, Built), stage_result("search", work, size, Searched))
        for size in sorted(sizes)
    ]
    for size in sizes:
        shutil.rmtree(work / str(size))
        for leftover in work.glob(f"{size}.*.json"):
            leftover.unlink()
    text = report(grown, originals)
    click.echo(text)
    if sorted(sizes) == sorted(SIZES):
        plot(grown, CHART)
        write_part("growth", text)


def apart(stage: str, work: Path, size: int) -> None:
    """Run a function in a subprocess with memory of its own, unless its result exists from an interrupted run."""
    if not (work / f"{size}.{stage}.json").exists():
        command = [
            sys.executable,
            "-m",
            "eval.benchmarks.growth",
            "--work",
            str(work),
            "--size",
            str(size),
            "--stage",
            stage,
        ]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def stage_result(stage: str, work: Path, size: int, kind: type[T]) -> T:
    return msgspec.json.decode((work / f"{size}.{stage}.json").read_bytes(), type=kind)


def rows_of(grown: Grown) -> dict[str, tuple[float, str]]:
    """The measurements of one size: the value that an exponent is fitted to, and how it is shown."""
    built, searched, size = grown.built, grown.searched, grown.size
    build_s = built.commit_s + built.terms_s + built.vectors_s
    disk = built.store + built.terms + built.vectors
    rows = {
        "built, s of processor time": (build_s, f"{build_s:.0f}"),
        "… committed": (built.commit_s, f"{built.commit_s:.1f}"),
        "… terms": (built.terms_s, f"{built.terms_s:.1f}"),
        "… vectors": (built.vectors_s, f"{built.vectors_s:.1f}"),
        "peak memory of building, MiB": (built.peak_rss, f"{built.peak_rss / MEBIBYTE:.0f}"),
        "bytes on disk per passage": (disk, f"{disk / size:.0f}"),
        "… of the store": (built.store, f"{built.store / size:.0f}"),
        "… of terms": (built.terms, f"{built.terms / size:.0f}"),
        "… of vectors": (built.vectors, f"{built.vectors / size:.0f}"),
        "opened, s": (searched.open_s, f"{searched.open_s:.2f}"),
        "first question, ms": (searched.first_ms, f"{searched.first_ms:.0f}"),
        "resident after all questions, MiB": (searched.rss, f"{searched.rss / MEBIBYTE:.0f}"),
        "… more than before opening, bytes per passage": (
            searched.rss - searched.rss_before,
            f"{(searched.rss - searched.rss_before) / size:.0f}",
        ),
    }
    for name, (p50, p95) in searched.times.items():
        rows[f"{name}, ms"] = (p50, f"{p50:.1f} / {p95:.1f}")
    lists = f"{searched.probed} of {searched.lists}" if searched.lists else "compared with all"
    return rows | {
        "lists probed": (np.nan, lists),
        "recall@10, as the index tells": (np.nan, f"{searched.recall_told:.3f}"),
        "recall@10, real questions": (np.nan, f"{searched.recall_real:.3f}"),
    }


def exponent(sizes: Sequence[int], values: Sequence[float]) -> str:
    """The slope in the log-log plot: 1 is linear growth, 0 no growth."""
    if len(sizes) < 2 or not np.all(np.array(values) > 0):
        return "–"
    return f"{np.polyfit(np.log(sizes), np.log(values), 1)[0]:.2f}"


def report(grown: Sequence[Grown], originals: Real) -> str:
    measured = [rows_of(each) for each in grown]
    sizes = [each.size for each in grown]
    rows = [
        [name, *(each[name][1] for each in measured), exponent(sizes, [each[name][0] for each in measured])]
        for name in measured[0]
    ]
    head = ["passages", *(f"{size:,}" for size in sizes), "exponent"]
    text = (
        f"{len(originals.passages):,} real passages of training sets and of the documentation installed here, encoded "
        f"once, and copies of them up to each size. A copy's vector is turned away from its original's to a cosine of "
        f"{FARTHEST} to {NEAREST}, in the direction of a random sum of differences between real vectors; its words are "
        f"shuffled and {SWAPPED:.0%} of them swapped for words of other passages. Documents have {PASSAGES} passages. "
        f"Everything on one core, {len(originals.questions):,} real questions one by one, times as p50 / p95 over the "
        "index as it lies in the system's cache; resident counts what is mapped. “Built” has no encoding in it. The "
        "exponent is the slope through the logarithms of value (of all passages, and of p50) and size."
    )
    return (
        f"## Growth\n\n{text}\n\n{markdown_table(head, rows)}\n\n![]({CHART.name})\n\n{provenance('make bench-growth')}"
    )


def plot(grown: Sequence[Grown], path: Path) -> None:
    """Four charts over the number of passages, on logarithmic axes."""
    sizes = [each.size for each in grown]
    figure = Figure(figsize=(9, 6), layout="constrained", dpi=80)
    FigureCanvasAgg(figure)
    build_axes, size_axes, open_axes, time_axes = figure.subplots(2, 2).flat
    for name in ("commit_s", "terms_s", "vectors_s"):
        build_axes.plot(sizes, [getattr(each.built, name) for each in grown], "o-", label=name.removesuffix("_s"))
    build_axes.set(title="built", ylabel="s")
    for name in ("store", "terms", "vectors"):
        size_axes.plot(sizes, [getattr(each.built, name) / MEBIBYTE for each in grown], "o-", label=f"{name} on disk")
    size_axes.plot(sizes, [each.searched.rss / MEBIBYTE for each in grown], "s--", label="resident")
    size_axes.set(title="size", ylabel="MiB")
    open_axes.plot(sizes, [each.searched.open_s for each in grown], "o-", label="opened")
    open_axes.set(title="opened", ylabel="s")
    for name in ("dense", "terms", "dense, terms and fusion", "whole"):
        time_axes.plot(sizes, [each.searched.times[name][1] for each in grown], "o-", label=name)
    time_axes.set(title="a question, p95", ylabel="ms")
    for axes in (build_axes, size_axes, open_axes, time_axes):
        axes.set(xscale="log", yscale="log", xlabel="passages")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    main()
