"""The report is one self-contained file with the run's results."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from eval.datasets.dataset import Dataset
from eval.runs.error_analysis import worst
from eval.runs.report import write_report
from eval.runs.results import markdown_table, write_part
from eval.runs.run import ALL, RunFolder
from eval.runs.target import InProcess
from tests.support.evaluating import evaluate, small_set


class Finished(msgspec.Struct):
    dataset: Dataset
    target: InProcess
    folder: RunFolder
    html: str


@pytest.fixture(scope="module")
def run(documents: Path, index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    dataset = small_set(tmp_path_factory.mktemp("<b>&set"), documents)
    target = InProcess.open(index_folder)
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    evaluate(dataset, target, folder.path)
    write_report(dataset, folder, target.source)
    return Finished(dataset, target, folder, folder.report.read_text("utf-8"))


def test_nothing_is_loaded_from_elsewhere(run: Finished) -> None:
    loaded: list[str] = []

    class Loads(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            loaded.extend(value or "" for name, value in attrs if name in ("src", "href") or tag in ("script", "link"))

    Loads().feed(run.html)
    assert [value for value in loaded if not value.startswith("#")] == []
    assert re.findall(r"@import|url\((?!#)", run.html) == []
    assert len(run.html.encode()) < 1_500_000


def test_every_metric_stands_in_the_table_with_its_interval(run: Finished) -> None:
    for name, each in run.folder.read_groups()[ALL].metrics.items():
        row = run.html[run.html.index(f'<td class="name">{name}') :]
        assert f"{each.value:.3f}" in row[:200]
        assert f"{each.low:.3f} – {each.high:.3f}" in row[:300]


def test_the_charts_are_well_formed_and_take_the_colours_of_the_page(run: Finished) -> None:
    charts = re.findall(r"<svg.*?</svg>", run.html, re.DOTALL)
    assert len(charts) == 4
    for chart in charts:
        assert ET.fromstring(chart).tag.endswith("svg")  # noqa: S314  made by ourselves just now
        assert "var(--accent)" in chart


def test_a_citation_that_is_not_exact_raises_an_alarm(run: Finished, tmp_path: Path) -> None:
    assert 'class="alarm"' not in run.html
    folder = RunFolder(tmp_path / "run")
    evaluate(run.dataset, run.target, folder.path)
    scores = folder.read_scores()
    scores[0] = msgspec.structs.replace(scores[0], exact=scores[0].exact - 1)
    folder.finish(scores, folder.read_groups())
    write_report(run.dataset, folder, run.target.source)
    assert 'class="alarm"' in folder.report.read_text("utf-8")


def test_misses_come_surest_first_with_the_gold_span_marked(run: Finished) -> None:
    lines, scores = run.folder.read_lines(), run.folder.read_scores()
    spoilt = [msgspec.structs.replace(score, values=score.values | {"hit@1": 0.0}) for score in scores]
    misses, total = worst(run.dataset.questions, lines, spoilt, run.target.source, answerable=True, limit=4)
    assert (len(misses), total) == (4, 9)
    assert [miss.confidence for miss in misses] == sorted((score.confidence for score in scores[:9]), reverse=True)[:4]
    golds = {question.id: question.answers[0] for question in run.dataset.questions if question.answers}
    for miss in misses:
        assert miss.gold[0].parts[1] == golds[miss.id].text
        assert miss.given[0].quote == lines[int(miss.id[1:])].response.answers[0].citations[0].quote.exact


def test_each_part_of_the_table_of_record_is_written_alone(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    table = markdown_table(["", "a"], [["hit@1", ".5"]])
    write_part("peers", "## Peers\n\nold", path)
    write_part("bench", f"## Bench\n\n{table}", path)
    write_part("peers", "## Peers\n\nnew", path)
    text = path.read_text("utf-8")
    assert "|  | a |\n| --- | --: |\n| hit@1 | .5 |" in text
    assert "old" not in text
    assert text.index("## Bench") < text.index("## Peers\n\nnew")
