"""The threshold is chosen on answers as they are served, every set weighing alike."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from eval.benchmarks.operating_point import ServedAnswer, chosen, main, table, weights_of
from service.reader.neural import Calibration
from tests.conftest import ROOT
from tests.support.evaluating import small_set

# Of two sets: one of four answers, one of two.
ANSWERS = [
    ServedAnswer("large", 0.9, right=True),
    ServedAnswer("large", 0.8, right=True),
    ServedAnswer("large", 0.4, right=False),
    ServedAnswer("large", 0.1, right=False),
    ServedAnswer("small", 0.7, right=True),
    ServedAnswer("small", 0.3, right=False),
]


def test_sets_weigh_alike_whatever_their_size() -> None:
    assert weights_of(ANSWERS) == {"large": 0.25, "small": 0.5}


def test_the_operating_point_shows_what_is_right_and_says_what_it_is_worth() -> None:
    best = chosen(ANSWERS)
    assert (best.threshold, best.precision) == (0.7, 1.0)
    assert best.coverage == pytest.approx((0.25 + 0.25 + 0.5) / 2)
    worse = chosen(ANSWERS, 0.35)
    assert worse.precision == pytest.approx(1.0 / 1.25)
    assert "| **0.7** | 1.000 | 0.500 | 0.50 / 0.00 | 0.50 / 0.00 |" in table(ANSWERS, best)


def test_the_command_writes_the_threshold_into_a_calibration(tmp_path: Path, documents: Path) -> None:
    small_set(tmp_path / "set", documents)
    real = tmp_path / "real"
    (real / "corpus").mkdir(parents=True)
    (real / "corpus" / "owls.txt").write_text("Owls hunt at night.\n")
    question = {"question": "When do owls hunt?", "kind": "fact", "accept": ["at night"]}
    (real / "questions.jsonl").write_text(json.dumps(question))
    copy = tmp_path / "calibration.json"
    copy.write_bytes((ROOT / "service" / "reader" / "weights" / "calibration.json").read_bytes())
    before = msgspec.json.decode(copy.read_bytes(), type=Calibration)
    arguments = [str(tmp_path / "set"), "--real", str(real), "--work", str(tmp_path / "work"), "--write", str(copy)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "| threshold | precision | coverage |" in result.output
    after = msgspec.json.decode(copy.read_bytes(), type=Calibration)
    assert 0 < after.threshold < 1
    unchanged = msgspec.structs.replace(
        after, threshold=before.threshold, precision=before.precision, coverage=before.coverage
    )
    assert unchanged == before
