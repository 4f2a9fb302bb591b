"""The table of record names the reader that its figures are of, and that is the one which is shipped."""

from __future__ import annotations

from pathlib import Path

from eval.benchmarks.bench import Built, ask_all, section
from eval.runs.results import parts_written, readers_named, write_part
from service.reader.selection import open_reader
from tests.support.evaluating import small_set


def test_the_table_of_record_is_of_the_shipped_reader(tmp_path: Path) -> None:
    shipped = open_reader(None, tmp_path)
    assert set(readers_named().values()) <= {(shipped.name, shipped.sha256)}
    if "bench" in parts_written():
        assert "bench" in readers_named()


def test_a_benchmark_names_the_reader_that_answered(tmp_path: Path, documents: Path, index_folder: Path) -> None:
    built = Built(index_folder, documents=5, passages=9, seconds=1.0, encoding=1.0, again=0.1)
    text = section([ask_all(small_set(tmp_path / "set", documents), built, tmp_path / "runs")])
    assert "| hit@1 |" in text
    path = tmp_path / "RESULTS.md"
    write_part("bench", text, path)
    shipped = open_reader(None, tmp_path)
    assert readers_named(path) == {"bench": (shipped.name, shipped.sha256)}
