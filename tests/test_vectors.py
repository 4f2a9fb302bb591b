from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Vectors
from index.vectors import VectorIndex


def unit_vectors(n: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def brute_force(numbers: list[int], vectors: Vectors, query: Vectors, depth: int) -> list[int]:
    cosines = vectors @ query
    return [number for _, number in sorted(zip((-cosines).tolist(), numbers, strict=True))[:depth]]


@given(st.integers(0, 60), st.integers(1, 70), st.integers(0, 99), st.data())
def test_search_finds_what_brute_force_finds(n: int, depth: int, seed: int, data: st.DataObject) -> None:
    numbers = np.arange(n) * 3 + 5
    vectors, query = unit_vectors(n, seed), unit_vectors(1, seed + 1000)[0]
    index = VectorIndex.of(numbers, vectors)
    assert [number for number, _ in index.search(query, depth)] == brute_force(numbers.tolist(), vectors, query, depth)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    found = [number for number, _ in index.search(query, depth, among=numbers[chosen])]
    assert found == brute_force(numbers[chosen].tolist(), vectors[chosen], query, depth)


def test_an_update_drops_what_is_gone_and_leaves_the_old_index_as_it_was() -> None:
    vectors = unit_vectors(6)
    old = VectorIndex.of(np.arange(4), vectors[:4])
    new = old.updated(np.array([0, 2]), np.array([4, 5]), vectors[4:])
    assert sorted(number for number, _ in new.search(vectors[0], 10)) == [1, 3, 4, 5]
    assert sorted(number for number, _ in old.search(vectors[0], 10)) == [0, 1, 2, 3]
    assert new.search(vectors[5], 1)[0][0] == 5


def test_what_was_saved_opens_again(tmp_path: Path) -> None:
    vectors = unit_vectors(50)
    index = VectorIndex.of(np.arange(50), vectors)
    index.save(tmp_path / "vectors.1.faiss")
    opened = VectorIndex.open(tmp_path / "vectors.1.faiss", 8)
    assert opened is not None
    assert opened.search(vectors[7], 5) == index.search(vectors[7], 5)


@pytest.mark.parametrize("kept", [0, 10, 100, -1])
def test_a_truncated_file_is_not_opened(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "vectors.1.faiss"
    VectorIndex.of(np.arange(50), unit_vectors(50)).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    assert VectorIndex.open(path, 8) is None


def test_a_file_of_another_dimension_is_not_opened(tmp_path: Path) -> None:
    VectorIndex.of(np.arange(5), unit_vectors(5)).save(tmp_path / "vectors.1.faiss")
    assert VectorIndex.open(tmp_path / "vectors.1.faiss", 9) is None
