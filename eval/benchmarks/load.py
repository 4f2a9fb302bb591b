"""The service under load: throughput and latency by number of clients, fairness, and the share of inference.

    python -m eval.benchmarks.load --out runs/load --copies 50000 --data ../shared/data/train

Needs wrk. The service runs as `pincite serve` on this machine, which the clients share. The answer cache is off, so
every question is read for.
"""

from __future__ import annotations

import random
from pathlib import Path

import click
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from msgspec import Struct

from eval.benchmarks.bench import OWN, fresh_index
from eval.benchmarks.growing import build
from eval.benchmarks.inference import bare_questions_per_second, fairness
from eval.benchmarks.service import served
from eval.benchmarks.synthetic_corpus import contexts_and_questions, real
from eval.benchmarks.wrk import Loaded, bodies_of, require_wrk, wrk
from eval.datasets.loading import load
from eval.runs.results import markdown_table, provenance, write_part
from index.embedding import models
from index.embedding.encoder import make_encoder
from index.embedding.prefixes import config_of
from index.storage.layout import Layout

CHART = Path(__file__).parents[1] / "load.png"
CLIENTS = (1, 8, 32, 128)
SATURATION = 8  # clients
SEED = 20266


class Corpus(Struct, frozen=True):
    name: str
    index: Path
    questions: list[str]


@click.command()
@click.option("--copies", default=50_000, show_default=True, help="Passages of the larger corpus.")
@click.option("--data", envvar="DATA", type=click.Path(path_type=Path), default=Path("../shared/data/train"))
@click.option("--seconds", default=60, show_default=True, help="Seconds for each number of clients.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/load"), show_default=True)
def main(copies: int, data: Path, seconds: int, out: Path) -> None:
    """Load a service on our own test set, and on a larger corpus if --data exists, and write down the results."""
    require_wrk()
    out.mkdir(parents=True, exist_ok=True)
    corpora = [own(out)]
    if data.is_dir():
        corpora.append(larger(out, data, copies))
    else:
        click.echo(f"There is no {data}: the larger corpus is left out.", err=True)
    parts, loaded = ["## Under load"], {}
    for corpus in corpora:
        text, loaded[corpus.name] = by_clients(corpus, seconds, out)
        parts.append(text)
    plot(loaded, CHART)
    parts += [f"![]({CHART.name})", share_of_inference(corpora[0], seconds, out)]
    parts.append(fairness(corpora[0].index, corpora[0].questions))
    text = "\n\n".join([*parts, provenance("make load")])
    click.echo(text)
    write_part("load", text)


def own(out: Path) -> Corpus:
    dataset = load(OWN / "seeds")
    questions = [question.text for question in dataset.questions]
    random.Random(SEED).shuffle(questions)  # noqa: S311  # the same run again, not a secret
    return Corpus("our own test set", fresh_index(dataset, out / "seeds").index, questions)


def larger(out: Path, data: Path, passages: int) -> Corpus:
    """Copies of real passages, made by `eval/benchmarks/synthetic_corpus.py`."""
    model = models.find(models.DEFAULT)
    encoder = make_encoder(model.name, Layout(out).encoder(model.sha256))
    originals = real(out / "real.msgpack", data, encoder, config_of(encoder))
    build(out, passages, originals)
    return Corpus(f"{passages:,} copies of passages", out / str(passages), contexts_and_questions(data)[1])


def by_clients(corpus: Corpus, seconds: int, out: Path) -> tuple[str, list[Loaded]]:
    rows, measured = [], []
    with served(corpus.index, PINCITE_CACHE_BYTES="0") as service:
        for clients in CLIENTS:
            result = wrk(service, bodies_of(corpus.questions, out), clients, seconds)
            figures = [f"{result.per_second:.1f}", *(f"{each:.0f}" for each in (result.p50, result.p95, result.p99))]
            rows.append([str(clients), *figures, str(result.refused), str(result.failed), f"{service.mebibytes():.0f}"])
            measured.append(result)
            click.echo(f"{corpus.name}, {clients} clients: {result}", err=True)
        counts = service.index_info()
    head = ["clients", "answers/s", "p50, ms", "p95, ms", "p99, ms", "refused (503)", "failed", "memory, MiB"]
    about = f"{corpus.name}: {counts.documents:,} documents, {counts.passages:,} passages, {seconds} s each"
    return f"{about[0].upper()}{about[1:]}.\n\n{markdown_table(head, rows)}", measured


def plot(loaded: dict[str, list[Loaded]], path: Path) -> None:
    """Latency over throughput: one point per number of clients."""
    figure = Figure(figsize=(9, 3.5), layout="constrained", dpi=80)
    FigureCanvasAgg(figure)
    for axes, (name, measured) in zip(figure.subplots(1, len(loaded), squeeze=False).flat, loaded.items(), strict=True):
        answers = [each.per_second for each in measured]
        for percentile in ("p50", "p95", "p99"):
            axes.plot(answers, [getattr(each, percentile) for each in measured], "o-", label=percentile)
        for clients, place, each in zip(CLIENTS, answers, measured, strict=True):
            axes.annotate(f"{clients}", (place, each.p50), textcoords="offset points", xytext=(4, -10), fontsize=8)
        axes.set(title=name, xlabel="answers a second", ylabel="ms", yscale="log")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def share_of_inference(corpus: Corpus, seconds: int, out: Path) -> str:
    """Throughput at saturation, as a share of the throughput of the bare networks on the same inputs.

    The two are measured alternately, because the speed of the machine changes over minutes.
    """
    bare, answers = [], []
    with served(corpus.index, PINCITE_CACHE_BYTES="0") as service:
        for _ in range(3):
            bare.append(bare_questions_per_second(corpus.index, corpus.questions))
            answers.append(wrk(service, bodies_of(corpus.questions, out), SATURATION, max(5, seconds // 3)).per_second)
    share = sum(answers) / sum(bare)
    return (
        "Bare inference on the same inputs (each question's encoding and each pair that is read, one run after another "
        f"on every core): {sum(bare) / len(bare):.1f} questions/s. The service at saturation ({SATURATION} clients): "
        f"{sum(answers) / len(answers):.1f}/s, a share of {share:.2f}."
    )


if __name__ == "__main__":
    main()
