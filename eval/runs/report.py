"""The report of a run: one self-contained HTML file."""

from __future__ import annotations

from itertools import groupby

from jinja2 import Environment as Templates
from jinja2 import PackageLoader, StrictUndefined

from eval.datasets.dataset import Dataset
from eval.metrics.scoring import SourceOf
from eval.metrics.statistics import Interval
from eval.metrics.table import BY_NAME, Columns, Metric
from eval.runs import plots
from eval.runs.error_analysis import worst
from eval.runs.latency import summary
from eval.runs.run import ALL, RunFolder, replace

TILES = ("hit@1", "hit@3", "recall@10", "AUROC", "coverage@90%", "ECE", "exact citations")
DOCUMENT_TILES = ("recall@10", "MRR@10", "nDCG@10")
TYPE_COLUMNS = ("recall@10", "MRR@10", "hit@1", "hit@3", "citation precision", "citation recall", "status accuracy")
SHOWN = 20  # wrong answers of each kind


def write_report(dataset: Dataset, folder: RunFolder, source_of: SourceOf) -> None:
    environment, groups = folder.read_environment(), folder.read_groups()
    scores, lines, times = folder.read_scores(), folder.read_lines(), folder.read_times()
    columns = Columns.of(scores)
    charts = [("Latency of a question", plots.latency_chart(times))]
    sections = []
    if not dataset.judges_documents:
        charts = confidence_charts(columns, environment.threshold) + charts
        for heading, explanation, answerable in (
            ("Most confident wrong answers", "Answerable questions with a wrong first answer.", True),
            ("Answered although unanswerable", "The documents contain no answer, but one was given.", False),
        ):
            misses = worst(dataset.questions, lines, scores, source_of, answerable=answerable, limit=SHOWN)
            sections.append((heading, explanation, *misses))
    metrics = groups[ALL].metrics
    html = (
        templates()
        .get_template("report.html")
        .render(
            env=environment,
            alarm=int(columns.citations.sum() - columns.exact.sum()),
            tiles=chosen(metrics, DOCUMENT_TILES if dataset.judges_documents else TILES),
            table=table(metrics),
            charts=charts,
            time=summary(times, environment.concurrency),
            types=[(name, group) for name, group in groups.items() if name != ALL],
            type_columns=[name for name in TYPE_COLUMNS if name in metrics],
            sections=sections,
        )
    )
    replace(folder.report, html.encode())


def confidence_charts(columns: Columns, threshold: float) -> list[tuple[str, str]]:
    return [
        ("Risk over coverage", plots.risk_coverage_chart(columns, threshold)),
        ("Reliability: is 0.8 right in 80 %?", plots.reliability_chart(columns)),
        ("Confidence, by kind of question", plots.confidence_chart(columns, threshold)),
    ]


def templates() -> Templates:
    return Templates(loader=PackageLoader("eval"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def chosen(metrics: dict[str, Interval], names: tuple[str, ...]) -> list[tuple[str, Interval]]:
    return [(name, metrics[name]) for name in names if name in metrics]


def table(metrics: dict[str, Interval]) -> list[tuple[str, list[tuple[Metric, Interval]]]]:
    """The metrics by group, in the order of the table of metrics."""
    rows = [(BY_NAME[name], interval) for name, interval in metrics.items()]
    return [(group, list(members)) for group, members in groupby(rows, key=lambda row: row[0].group)]
