"""The capacity plan: its tables are computed from measurements, and the file is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from eval.benchmarks.capacity import CAPACITY, TABLES, cell, duration, figures, filled, links, power, size
from eval.runs.results import RESULTS


def test_the_file_has_the_tables_that_the_figures_give() -> None:
    text = CAPACITY.read_text("utf-8")
    assert text == filled(text, figures()), "what was measured has changed: make capacity"


def test_a_figure_that_was_measured_anew_changes_the_tables(tmp_path: Path) -> None:
    again = tmp_path / "RESULTS.md"
    row = re.compile(r"^(\| … of the store \|.*\|) [\d,]+ (\|[^|]*\|)$", re.MULTILINE)
    again.write_text(row.sub(r"\1 2,854 \2", RESULTS.read_text("utf-8")), encoding="utf-8")
    before, after = figures(), figures(again)
    assert after["store"].value == 2854
    assert after["terms"] == before["terms"]
    assert TABLES["storage"](after) != TABLES["storage"](before)
    assert TABLES["encoding"](after) == TABLES["encoding"](before)


def test_a_figure_that_is_gone_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("<!-- growth -->\n| passages | 10 |\n| --- | --: |\n| a row | 3.8 / 10.7 |\n", encoding="utf-8")
    assert cell(path, "<!-- growth -->", "a row", "10") == 3.8
    for part, row, column in (("<!-- load -->", "a row", "10"), ("<!-- growth -->", "another", "10")):
        with pytest.raises(click.ClickException, match=re.escape(part if part != "<!-- growth -->" else row)):
            cell(path, part, row, column)


def test_the_arithmetic_of_each_row_stands_in_its_name() -> None:
    value = {name: figure.value for name, figure in figures().items()}
    rows = dict(re.findall(r"^\| ([^|]+) \|(.*)\|$", TABLES["storage"](figures()), re.MULTILINE))
    disk = rows["folder: disk, n × (store + terms + vectors)"].split("|")[1].strip()
    assert disk == size(1e6 * (value["store"] + value["terms"] + value["vectors"]))
    assert duration(1e6 * value["written"]) in TABLES["encoding"](figures())


def test_links_are_those_of_all_levels() -> None:
    above = sum(16 / 16**level for level in range(1, 30))  # one vector in 16 is on the next level
    assert links(16) == pytest.approx(4 * (2 * 16 + above))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (size(2.2e9), "2.05 GiB"),
        (size(3e12), "2.7 TiB"),
        (duration(107), "107 s"),
        (duration(3e5), "3.47 d"),
        (power(10**9), "10⁹"),
    ],
)
def test_numbers_are_told_in_three_figures(result: str, expected: str) -> None:
    assert result == expected
