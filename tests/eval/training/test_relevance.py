"""The relevance head: fitted to what the network makes of a pair, and written into the model that is served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from eval.training.export_reader import export
from eval.training.relevance import fitted, states_of, write
from service.reader.network import MODEL, Network
from service.reader.neural import packaged
from tests.eval.training.test_training import TEXT, small_network


def test_a_linear_head_is_found_again() -> None:
    rng = np.random.default_rng(1)
    states = (rng.normal(size=(300, 20)) * rng.uniform(0.1, 10, 20)).astype(np.float32)
    wanted = rng.normal(size=20)
    weight, bias = fitted(states, (states @ wanted + 3.0).astype(np.float32))
    assert np.corrcoef(states @ weight, states @ wanted)[0, 1] > 0.9999
    assert bias == pytest.approx(3.0, abs=0.1)


def test_the_head_that_is_written_is_the_one_that_is_read(tmp_path: Path) -> None:
    export(small_network().eval(), packaged() / "tokenizer.json", tmp_path, "small")
    before = Network(tmp_path)
    pair = before.pairs.windows(before.pairs.question("When was the mill built?"), "", TEXT)[0]
    model = onnx.load(str(tmp_path / MODEL))
    states = states_of(model, [pair])
    weight = np.linspace(-1, 1, states.shape[1]).astype(np.float32)
    write(model, weight, 0.5, tmp_path)
    after = Network(tmp_path)
    assert after.run(pair).relevance == pytest.approx(float(states[0] @ weight) + 0.5, abs=1e-4)
    assert after.run(pair).here == before.run(pair).here
    assert after.sha256 != before.sha256
