"""Benchmarks at a tiny size: what they call is there, and their figures are of what they were given."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from eval.benchmarks import (
    choosers,
    deadlines,
    encoders,
    load,
    pages,
    peers,
    ray_build,
    readers,
    real_docs,
    servers,
    stores,
    thresholds,
)
from eval.benchmarks.inference import bare_questions_per_second
from eval.benchmarks.store_fixtures import KINDS
from eval.benchmarks.stores import on_set
from eval.training import ablation, train_reader
from tests.support.evaluating import ASKED, small_set

MAINS = {
    "choosers": choosers.main,
    "deadlines": deadlines.main,
    "encoders": encoders.main,
    "load": load.main,
    "pages": pages.main,
    "peers": peers.main,
    "ray_build": ray_build.main,
    "readers": readers.main,
    "real_docs": real_docs.main,
    "servers": servers.main,
    "stores": stores.main,
    "thresholds": thresholds.main,
    "ablation": ablation.main,
    "train_reader": train_reader.main,
}


@pytest.mark.parametrize("name", MAINS)
def test_a_benchmark_describes_itself(name: str) -> None:
    main = MAINS[name]
    assert isinstance(main, click.Command)
    described = CliRunner().invoke(main, ["--help"])
    assert (described.exit_code, described.exception) == (0, None)
    assert "Usage:" in described.output


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_is_measured(tmp_path: Path, documents: Path, index_folder: Path, kind: str) -> None:
    (tmp_path / "encoders").symlink_to(index_folder / "encoders")
    dataset = small_set(tmp_path / "set", documents)
    measured = on_set(tmp_path, kind, dataset, dataset.questions[:2])
    assert measured.passages > 0
    assert measured.recall == 1.0
    assert [len(part) for part in (measured.results, measured.milliseconds, measured.cited)] == [2, 2, 2]


def test_the_models_alone_are_measured(index_folder: Path) -> None:
    assert bare_questions_per_second(index_folder, [question for question, *_ in ASKED[:2]]) > 0
