"""The growth benchmark: its measurements and its tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest

from eval.benchmarks import synthetic_corpus
from eval.benchmarks.growing import Built, Searched
from eval.benchmarks.growth import Grown, exponent, plot, report
from eval.benchmarks.synthetic_corpus import FARTHEST, NEAREST, PASSAGES, Copies, Real, real
from index.config import IndexConfig
from index.maintenance.checking import check
from index.search.derived import save_terms, save_vectors
from index.storage.layout import Layout
from index.storage.store import Store
from tests.support.fakes import FakeEncoder

CONTEXTS = [
    f"The {animal} sleeps in the {place}. It hunts there by {time}."
    for animal in ("cat", "dog", "owl", "hen")
    for place in ("house", "barn", "wood")
    for time in ("day", "night")
]


@pytest.fixture
def originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Real:
    rows = [{"context": context, "title": "animals", "question": f"{context[:9]}?"} for context in CONTEXTS]
    lines = b"\n".join(msgspec.json.encode(row) for row in rows)
    (tmp_path / "set.jsonl.gz").write_bytes(gzip.compress(lines))
    monkeypatch.setattr(synthetic_corpus, "DOCUMENTATION", tmp_path / "none")
    encoder = FakeEncoder()
    config = IndexConfig("fake", encoder.sha256, encoder.dimension)
    made = real(tmp_path / "real.msgpack", tmp_path, encoder, config)
    assert real(tmp_path / "real.msgpack", tmp_path, encoder, config) == made
    return made


def test_copies_make_an_index_that_is_whole(originals: Real, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    place = Layout(tmp_path / "index").collection("default")
    store = Store.create(place.store, IndexConfig("fake", encoder.sha256, encoder.dimension), "test")
    store.commit(list(Copies(originals, encoder.dimension).documents(105)), [], at=0.0)
    save_terms(place, store)
    save_vectors(place, store)
    (result,) = check(tmp_path / "index")
    assert (result.documents, result.passages, result.findings) == (-(-105 // PASSAGES), 105, [])


def test_a_copy_is_near_its_original_and_says_other_things(originals: Real) -> None:
    vectors = np.frombuffer(originals.vectors, np.float16).reshape(len(CONTEXTS), -1).astype(np.float32)
    documents = list(Copies(originals, vectors.shape[1]).documents(len(CONTEXTS)))
    copied = np.concatenate([[row.vector for row in document.passages] for document in documents]).astype(np.float32)
    cosines = (copied * vectors).sum(axis=1)
    assert np.all((cosines > FARTHEST - 0.01) & (cosines < NEAREST + 0.01))
    assert np.allclose(np.linalg.norm(copied, axis=1), 1, atol=2e-3)
    texts = {document.file.decode() for document in documents}
    assert not any(context in text for context in CONTEXTS for text in texts)


def test_an_exponent_is_the_slope_of_the_logarithms() -> None:
    assert exponent([10, 100, 1000], [5, 50, 500]) == "1.00"
    assert exponent([10, 1000], [5, 50]) == "0.50"
    assert exponent([10, 100], [0, 1]) == "–"
    assert exponent([10], [5]) == "–"


def test_what_was_measured_is_told_and_drawn(originals: Real, tmp_path: Path) -> None:
    times = dict.fromkeys(("dense", "terms", "dense, terms and fusion", "whole"), (1.0, 2.0))
    grown = [
        Grown(
            size,
            Built(size / 1e4, 1.0, 2.0, 3000 * size, 500 * size, 800 * size, 1 << 30),
            Searched(0.5, 9.0, 1 << 28, (1 << 28) + 900 * size, times, lists, 50, 0.981, 0.979),
        )
        for size, lists in ((10_000, 0), (1_000_000, 2000))
    ]
    text = report(grown, originals)
    assert "| … committed | 1.0 | 100.0 | 1.00 |" in text
    assert "| bytes on disk per passage | 4300 | 4300 | 1.00 |" in text
    assert "| lists probed | compared with all | 50 of 2000 | – |" in text
    assert "| whole, ms | 1.0 / 2.0 | 1.0 / 2.0 | 0.00 |" in text
    plot(grown, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
