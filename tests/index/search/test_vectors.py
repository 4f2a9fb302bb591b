"""Dense search against a matrix product, exact and approximate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.search import vectors as dense
from index.search.vectors import DEEP, Block, Dense, Numbers, Read, VectorIndex, between, save_base
from index.storage.checksums import seal
from index.types import Vectors
from tests.support.damage import cut, flip

DIMENSION = 16
BLOCK = 700


def unit_vectors(n: int, seed: int = 0) -> NDArray[np.float16]:
    """Clustered vectors, like those of texts."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(30, DIMENSION))
    vectors: NDArray[np.float64] = centres[random.integers(0, 30, n)] + random.normal(scale=0.7, size=(n, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16)


def reading(numbers: Numbers, vectors: NDArray[np.float16]) -> Read:
    def read(wanted: Numbers) -> Iterator[Block]:
        for start in range(0, len(wanted), BLOCK):
            part = wanted[start : start + BLOCK]
            yield part, vectors[np.searchsorted(numbers, part)]

    return read


def saved(folder: Path, numbers: Numbers, vectors: NDArray[np.float16]) -> VectorIndex:
    path = folder / "vectors.1.faiss"
    save_base(path, DIMENSION, numbers, reading(numbers, vectors))
    opened = VectorIndex.open(path, DIMENSION)
    assert opened is not None
    return opened


def brute_force(numbers: Numbers, vectors: NDArray[np.float16], query: Vectors, depth: int) -> list[tuple[int, float]]:
    cosines = vectors.astype(np.float32) @ query
    best = sorted(zip((-cosines).tolist(), numbers.tolist(), strict=True))[:depth]
    return [(number, -cosine) for cosine, number in best]


def same(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> bool:
    """Equal up to the order of ties."""
    near = np.allclose([cosine for _, cosine in found], [cosine for _, cosine in expected], atol=1e-5)
    return len(found) == len(expected) and near


@pytest.fixture
def lists_from_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "EXACT", 500)
    monkeypatch.setattr(dense, "FEW", 100)


@given(st.integers(0, 60), st.integers(1, 70), st.integers(0, 99), st.data())
def test_search_finds_what_brute_force_finds(n: int, depth: int, seed: int, data: st.DataObject) -> None:
    numbers = np.arange(n) * 3 + 5
    vectors, query = unit_vectors(n, seed), unit_vectors(1, seed + 1000)[0].astype(np.float32)
    index = VectorIndex.of(DIMENSION, [(numbers, vectors)])
    assert same(index.search(query, depth), brute_force(numbers, vectors, query, depth))
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    found = index.search(query, depth, among=numbers[chosen])
    assert same(found, brute_force(numbers[chosen], vectors[chosen], query, depth))
    assert {number for number, _ in found} <= set(numbers[chosen].tolist())


def test_an_update_drops_what_is_gone_and_leaves_the_old_index_as_it_was() -> None:
    vectors = unit_vectors(6)
    old = VectorIndex.of(DIMENSION, [(np.arange(4), vectors[:4])])
    new = old.updated(np.array([0, 2]), [(np.array([4, 5]), vectors[4:])])
    assert sorted(number for number, _ in new.search(vectors[0].astype(np.float32), 10)) == [1, 3, 4, 5]
    assert sorted(number for number, _ in old.search(vectors[0].astype(np.float32), 10)) == [0, 1, 2, 3]
    assert new.search(vectors[5].astype(np.float32), 1)[0][0] == 5
    assert (new.count, new.loose, new.numbers.tolist()) == (4, 8, [1, 3, 4, 5])


def test_many_small_updates_leave_few_parts_that_hold_everything() -> None:
    vectors = unit_vectors(300)
    index = VectorIndex.of(DIMENSION)
    for number in range(300):
        result = np.array([number - 3]) if number % 5 == 4 else np.empty(0, np.int64)
        index = index.updated(result, [(np.array([number]), vectors[number : number + 1])])
    kept = np.array([number for number in range(300) if number % 5 != 1])
    assert np.array_equal(index.numbers, kept)
    assert index.count == len(kept)
    assert len(index._tail) < 10  # noqa: SLF001  # what this is about cannot be seen from outside
    for query in unit_vectors(20, 7).astype(np.float32):
        assert same(index.search(query, 12), brute_force(kept, vectors[kept], query, 12))


@pytest.mark.parametrize("n", [50, 3000])
def test_a_saved_base_finds_what_brute_force_finds_after_updates_and_under_filters(
    n: int, tmp_path: Path, lists_from_500: None
) -> None:
    random = np.random.default_rng(3)
    vectors = unit_vectors(n + 200)
    numbers = np.sort(random.choice(5 * n, n + 200, replace=False)) + 1
    base, added = slice(0, n), slice(n, n + 200)
    result = np.sort(random.choice(numbers, n // 10, replace=False))
    index = saved(tmp_path, numbers[base], vectors[base])
    assert bool(index.dense.lists) == (n > 500)
    index = index.updated(np.empty(0, np.int64), [(numbers[added], vectors[added])]).updated(result, [])
    there = ~np.isin(numbers, result)
    assert np.array_equal(index.numbers, numbers[there])
    assert index.count == there.sum()

    queries = between(vectors.astype(np.float32))[:60]
    for share in (1.0, 0.5, 0.1, 1 / n):  # also of one passage among thousands
        chosen = there & (random.random(len(numbers)) < share)
        chosen[np.flatnonzero(there)[0]] = True
        among = None if share == 1 else numbers[chosen]
        wanted = there if among is None else chosen
        shares = []
        for query in queries:
            found = index.search(query, DEEP, among)
            expected = brute_force(numbers[wanted], vectors[wanted], query, DEEP)
            assert len(found) == len(expected)
            assert {number for number, _ in found} <= set(numbers[wanted].tolist())
            shares.append(np.mean([cosine >= expected[-1][1] - 1e-5 for _, cosine in found]))
            if n <= 500 or wanted.sum() <= dense.FEW:
                assert same(found, expected)
        assert np.mean(shares) >= 0.97  # the base guarantees 0.98 on other queries


def test_the_recall_that_is_told_is_what_brute_force_measures(tmp_path: Path, lists_from_500: None) -> None:
    numbers, vectors = np.arange(1, 4001), unit_vectors(4000)
    index = saved(tmp_path, numbers, vectors)
    result = index.dense
    assert (result.count, result.last) == (4000, 4000)
    assert 1 < result.probed < result.lists
    assert result.recall >= 0.98
    measured = []
    for query in between(vectors.astype(np.float32)):  # it was trained on all vectors
        best = brute_force(numbers, vectors, query, DEEP)
        measured.append(np.mean([cosine >= best[-1][1] - 1e-6 for _, cosine in index.search(query, DEEP)]))
    assert result.recall == pytest.approx(np.mean(measured), abs=0.002)


@pytest.mark.parametrize("n", [400, 1500])
def test_the_same_vectors_give_the_same_file(n: int, tmp_path: Path, lists_from_500: None) -> None:
    numbers, vectors = np.arange(n), unit_vectors(n)
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name, numbers, vectors)
        files.append((tmp_path / name / "vectors.1.faiss").read_bytes())
    assert files[0] == files[1]


def test_equal_passages_do_not_spoil_the_measurement(tmp_path: Path, lists_from_500: None) -> None:
    vectors = np.repeat(unit_vectors(40), 25, axis=0)
    result = saved(tmp_path, np.arange(1000), vectors).dense
    assert result.recall >= 0.98
    assert result.probed < result.lists


@pytest.mark.parametrize("n", [400, 1500])
def test_what_was_saved_opens_again(n: int, tmp_path: Path, lists_from_500: None) -> None:
    vectors = unit_vectors(n)
    index = saved(tmp_path, np.arange(n), vectors)
    again = VectorIndex.open(tmp_path / "vectors.1.faiss", DIMENSION)
    assert again is not None
    assert again.dense == index.dense
    assert again.search(vectors[7].astype(np.float32), 5) == index.search(vectors[7].astype(np.float32), 5)


@pytest.mark.parametrize("n", [50, 1500])
@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_file_is_not_opened(n: int, damage: object, tmp_path: Path, lists_from_500: None) -> None:
    from random import Random

    path = tmp_path / "vectors.1.faiss"
    assert callable(damage)
    for seed in range(8):
        saved(tmp_path, np.arange(n), unit_vectors(n))
        damage(path, Random(seed))  # noqa: S311
        assert VectorIndex.open(path, DIMENSION) is None


@pytest.mark.parametrize("kept", [0, 10, 100, -1])
def test_a_truncated_file_is_not_opened(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "vectors.1.faiss"
    save_base(path, DIMENSION, np.arange(50), reading(np.arange(50), unit_vectors(50)))
    path.write_bytes(path.read_bytes()[:kept])
    assert VectorIndex.open(path, DIMENSION) is None


def test_a_file_of_another_dimension_or_another_record_is_not_opened(tmp_path: Path, lists_from_500: None) -> None:
    import msgspec

    path = tmp_path / "vectors.1.faiss"
    result = saved(tmp_path, np.arange(600), unit_vectors(600)).dense
    assert VectorIndex.open(path, DIMENSION + 1) is None
    whole = path.read_bytes()
    for record in (
        b"",
        b"{",
        msgspec.json.encode(Dense(600, 599)),
        msgspec.json.encode(Dense(599, 599, result.lists, result.probed)),
        msgspec.json.encode(Dense(600, 599, result.lists + 1, result.probed)),
    ):
        path.write_bytes(whole)
        seal(path, record)
        assert VectorIndex.open(path, DIMENSION) is None
    path.write_bytes(whole)
    seal(path, msgspec.json.encode(result))
    assert VectorIndex.open(path, DIMENSION) is not None
