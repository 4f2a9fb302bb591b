"""Thousands of random changes through the real writer, compared with a dictionary and a matrix product."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from index.collections.build import build
from index.collections.collection import Collection
from index.maintenance.checking import check
from index.search import derived, vectors
from index.types import Vectors
from tests.support.building import write_texts
from tests.support.damage import again, created
from tests.support.fakes import FakeEncoder

ANIMALS = ["cats", "dogs", "owls", "hens", "sleep", "bark", "hunt", "lay"]
WORDS = [*ANIMALS, "night", "day", "house", "field", "river", "wood", "song", "rain"]
QUESTIONS = ["cats hunt by night", "rain", "the song of owls in the wood"]
SOURCES = 150

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
names = st.integers(0, SOURCES - 1).map(lambda number: f"{number % 3}/{number}.txt")


def vector(source: str, text: str) -> Vectors:
    """The stored vector: of the title, which is the name, and the text."""
    title = source.rpartition("/")[2].removesuffix(".txt")
    encoded: Vectors = FakeEncoder().encode([f"{title}\n{text}."])[0].astype(np.float16).astype(np.float32)
    return encoded


class Updates(RuleBasedStateMachine):
    """Dense search switches between exact and approximate as the collection grows and shrinks."""

    @initialize()
    def begin(self) -> None:
        small = {(vectors, "EXACT"): 60, (vectors, "FEW"): SOURCES, (derived, "LOOSE"): 25}
        self.patches = [mock.patch.object(module, name, value) for (module, name), value in small.items()]
        for patch in self.patches:
            patch.start()
        self.folder = tempfile.TemporaryDirectory()
        self.collection: Collection = created(Path(self.folder.name))
        self.texts: dict[str, str] = {}

    def teardown(self) -> None:
        self.collection.close()
        self.folder.cleanup()
        for patch in self.patches:
            patch.stop()

    @rule(
        put=st.dictionaries(names, texts, min_size=30, max_size=70),
        gone=st.lists(names, max_size=20),
        compacted=st.booleans(),
    )
    def change_many(self, put: dict[str, str], gone: Sequence[str], *, compacted: bool) -> None:
        left = sorted({source for source in gone if source in self.texts and source not in put})
        write_texts(self.collection.writer, {source: f"{text}." for source, text in put.items()}, left)
        self.texts |= put
        for source in left:
            del self.texts[source]
        if compacted:
            self.collection.compact()

    @precondition(lambda self: len(self.texts) > 100)
    @rule(kept=st.integers(0, 40))
    def delete_most(self, kept: int) -> None:
        result = sorted(self.texts)[kept:]
        self.collection.writer.delete(result)
        for source in result:
            del self.texts[source]

    @rule()
    def build(self) -> None:
        build(self.collection.writer, [])

    @rule()
    def compact(self) -> None:
        self.collection.compact()

    @rule()
    def reopen(self) -> None:
        place = self.collection.place
        self.collection.close()
        self.collection = again(place)

    @invariant()
    def search_finds_what_brute_force_finds(self) -> None:
        searcher = self.collection.searcher()
        sources = sorted(self.texts)
        assert [document.source for document in searcher.documents(None, 10 * SOURCES)] == sources
        matrix = np.array([vector(source, self.texts[source]) for source in sources]).reshape(
            len(sources), FakeEncoder().dimension
        )
        for question in QUESTIONS:
            cosines = dict(zip(sources, matrix @ FakeEncoder().encode([question])[0], strict=True))
            for pattern in ("**", "1/*", f"*/{len(sources)}.txt"):  # few enough for exact search
                matching = {source: cosines[source] for source in sources if matches(source, pattern)}
                dense, terms = searcher.rankings(question, [pattern])
                places = {number: source for number, source, _ in searcher.places([*dense, *terms])}
                assert len({places[number] for number in dense}) == len(dense)
                assert {number: cosines[places[number]] for number in dense} == pytest.approx(dense, abs=1e-5)
                best = sorted(matching.values(), reverse=True)[:100]
                assert list(dense.values()) == pytest.approx(best, abs=1e-5)
                having = {source for source in matching if set(question.split()) & set(self.texts[source].split())}
                assert {places[number] for number in terms} <= matching.keys()
                assert len(terms) == min(100, len(having))
            dense, _ = searcher.rankings(question)
            places = {number: source for number, source, _ in searcher.places(list(dense))}
            assert {number: cosines[places[number]] for number in dense} == pytest.approx(dense, abs=1e-5)

    @precondition(lambda self: self.texts)
    @rule()
    def check(self) -> None:
        (result,) = check(Path(self.folder.name))
        assert result.findings == []
        assert result.passages == len(self.texts)


def matches(source: str, pattern: str) -> bool:
    folder, _, name = source.partition("/")
    return pattern == "**" or pattern in (f"{folder}/*", f"*/{name}")


TestUpdates = Updates.TestCase
TestUpdates.settings = settings(max_examples=6, stateful_step_count=20, deadline=None)
