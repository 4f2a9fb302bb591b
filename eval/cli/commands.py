"""Commands that run a test set and compare two runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.cli.options import LOCAL, collection_option, encoder_option, store_option
from index.cli.printing import printable, progress_bar
from service.cli.options import reader_option

if TYPE_CHECKING:
    from eval.datasets.dataset import Dataset
    from eval.runs.compare import Change, Comparison, Side
    from eval.runs.run import Group
    from eval.runs.target import Target
    from index.collections.addresses import Address

RUNS = Path("runs")
GIVE = "Give an index or a service: --index DIR, --store URL or --url URL."


@click.command(name="eval")
@click.argument("dataset", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--index",
    envvar="PINCITE_INDEX",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="An index folder.",
)
@click.option("--url", envvar="PINCITE_URL", show_envvar=True, help="A running service instead of an index.")
@click.option("--key", envvar="PINCITE_KEY", show_envvar=True, help="A key with the scopes ask and read.")
@collection_option
@encoder_option
@reader_option
@click.option(
    "--out",
    envvar="PINCITE_OUT",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the run.  [default: runs/SET-VERSION]",
)
@click.option(
    "--concurrency",
    envvar="PINCITE_CONCURRENCY",
    show_envvar=True,
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Questions in flight at a time.",
)
def eval_command(
    *,
    dataset: Path,
    index: Path | None,
    store: Address | None,
    url: str | None,
    key: str | None,
    collection: str,
    encoder: str | None,
    reader: str | None,
    out: Path | None,
    concurrency: int,
) -> None:
    """Run the test set DATASET, print its metrics and write a report.

    DATASET is a SQuAD file, a BEIR folder, or a folder with questions.jsonl and corpus/. Run the same command
    again to continue an interrupted run.
    """
    if (index is None and store is None) == (url is None):
        raise click.UsageError(GIVE)

    from eval.datasets.loading import load
    from eval.runs.evaluation import evaluate_and_report

    loaded = load(dataset)
    tell_dropped(loaded)
    target = target_of(index, store, url, key, collection=collection, encoder=encoder, reader=reader)
    try:
        folder = out or RUNS / f"{loaded.name}-{target.ready().index_version}"
        with progress_bar() as progress:
            groups = evaluate_and_report(
                loaded, target, folder, collection=collection, concurrency=concurrency, progress=progress
            )
    finally:
        target.close()
    print_metrics(groups)
    click.echo(f"Report: {folder / 'report.html'}")


def target_of(
    index: Path | None,
    store: Address | None,
    url: str | None,
    key: str | None,
    *,
    collection: str,
    encoder: str | None,
    reader: str | None,
) -> Target:
    from eval.runs.target import InProcess, OverHttp

    if url is not None:
        return OverHttp(url, collection, key)
    if index is None and store is None:
        raise click.UsageError(GIVE)
    return InProcess.open(index or LOCAL, collection, encoder, reader, store)


def tell_dropped(dataset: Dataset) -> None:
    if dataset.dropped:
        click.echo(f"Dropped from the test set: {len(dataset.dropped)}", err=True)
    for each in dataset.dropped[:10]:
        click.echo(f"  {printable(each)}", err=True)
    if len(dataset.dropped) > 10:
        click.echo(f"  and {len(dataset.dropped) - 10} more; all are in environment.json", err=True)


def print_metrics(groups: Mapping[str, Group]) -> None:
    from eval.runs.run import ALL
    from index.cli.printing import print_table

    whole = groups[ALL]
    rows = [(name, f"{each.value:.3f}", f"{each.low:.3f} to {each.high:.3f}") for name, each in whole.metrics.items()]
    print_table(("metric", f"{whole.questions} questions", "95 % interval"), rows)


@click.command(name="compare")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the comparison to this HTML file.")
@click.option("--show", default=5, show_default=True, type=click.IntRange(0), help="Questions won and lost to print.")
@click.pass_context
def compare_command(context: click.Context, /, *, run_a: Path, run_b: Path, html: Path | None, show: int) -> None:
    """Compare RUN_B with RUN_A, two runs of one test set.

    The exit status is 1 if a metric is significantly worse.
    """
    from eval.runs.compare import compare, write_comparison

    comparison = compare(run_a, run_b)
    print_comparison(comparison, show)
    if html is not None:
        write_comparison(comparison, html)
    if comparison.regressions:
        names = ", ".join(verdict.difference.metric for verdict in comparison.regressions)
        click.echo(f"Significantly worse: {names}", err=True)
        context.exit(1)


def print_comparison(comparison: Comparison, show: int) -> None:
    from index.cli.printing import print_table

    rows = [
        (
            verdict.difference.metric,
            f"{verdict.difference.a:.3f}",
            f"{verdict.difference.b:.3f}",
            f"{verdict.difference.value:+.3f}",
            f"{verdict.difference.low:+.3f} to {verdict.difference.high:+.3f}",
            f"{verdict.p:.3f}",
            verdict.word,
        )
        for verdict in comparison.verdicts
    ]
    print_table(("metric", "A", "B", "B - A", "95 % interval", "p (Holm)", ""), rows)
    for word, changes in (("Lost", comparison.lost), ("Won", comparison.won)):
        click.echo(f"{word}: {len(changes)} of {comparison.questions} questions")
        for change in changes[:show]:
            print_change(change)
        if len(changes) > show:
            click.echo(f"  and {len(changes) - show} more; --html FILE shows all")


def print_change(change: Change) -> None:
    click.echo(f"  {printable(change.question)}")
    click.echo(f"    A {described(change.a)}")
    click.echo(f"    B {described(change.b)}")


def described(side: Side) -> str:
    quotes = " … ".join(printable(quote.quote) for quote in side.quotes) or "nothing"
    return f"({side.status}, {side.confidence:.2f}): {quotes}"
