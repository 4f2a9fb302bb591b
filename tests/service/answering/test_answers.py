"""Answers on the user's own two documents, which are beside the checkout if available."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.datasets.loading import load
from eval.runs.run import ALL
from eval.runs.target import InProcess
from index.embedding import models
from index.storage.layout import Layout
from tests.conftest import ROOT
from tests.support.building import build_index
from tests.support.evaluating import evaluate

DOCUMENTS = ROOT.parent / "shared" / "seeds"


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the two documents are not beside the checkout")
def test_two_questions_in_three_are_answered_right_and_every_citation_is_exact(exported: Path, tmp_path: Path) -> None:
    encoder = Layout(tmp_path / "index").encoder(models.DEFAULT_SHA256)
    encoder.parent.mkdir(parents=True)
    encoder.symlink_to(exported)
    build_index([DOCUMENTS], tmp_path / "index")
    target = InProcess.open(tmp_path / "index")
    dataset = load(ROOT / "eval" / "data" / "shared_seeds")
    assert dataset.dropped == []
    metrics = evaluate(dataset, target, tmp_path / "run")[ALL].metrics
    target.close()
    assert metrics["hit@1"].value >= 2 / 3
    assert metrics["exact citations"].value == 1.0
