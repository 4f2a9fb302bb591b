"""Searches a collection in Milvus. The engine proposes passages; document rows decide which are live.

A question searches first and then reads the rows of the documents found. Hits of replaced versions are dropped. If a
row names a version that may be newer than the search, the question searches again. So for each document a question sees
either the old or the new version, never a mix.

Both searches are fused here, not in the engine: the engine's RRF has one weight for both, ours has two fitted ones, and
the reader needs the cosine and the BM25 of each passage, which a fused search does not return. `make bench-stores`
compares the two.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from threading import Lock

import numpy as np
from cachetools import LRUCache
from msgspec import Struct
from numpy.typing import NDArray

from index.errors import DocumentNotFound
from index.milvus import bm25
from index.milvus.contents import Versions
from index.milvus.engine import CONTROL, MOST_ROWS
from index.milvus.partition import Part, State
from index.milvus.recall import Recall
from index.milvus.tables import DOCUMENTS, FOREVER, NUMBER, TICKS, Row, among, quoted
from index.milvus.writer import FIELDS, Present, spelled
from index.search.fusion import CANDIDATES, Fusion
from index.search.searcher import FILTERS
from index.search.terms import words
from index.search.vectors import Dense
from index.storage.contents import Content
from index.text.positions import PositionMap
from index.text.sources import beginning, select
from index.types import Document, Hit, Passage, Span, StoredPassage, Vectors

SHA256 = re.compile("[0-9a-f]{64}")
WIDE = 2 * CANDIDATES  # passages requested at first: some may be of replaced versions
FEW = 1000  # a term in fewer passages is counted by finding them all
ROUNDS = 6  # of searching again
FRESH = 10.0  # seconds; upper bound of the clock skew between machines
DIGITS = 6  # of a cosine: further digits depend on the kind of segment
TERMS = 100_000  # terms whose passage counts are cached per version: some 10 MB
LISTED = 2000  # documents; a filter lists up to this many by name


class Filter(Struct, frozen=True):
    """A document filter: `expression` matches all of `sources`, and may match others."""

    expression: str
    sources: frozenset[str] | None = None


class TermCounts:
    """An LRU cache of the number of passages with each term, for `most` terms. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._counts = LRUCache[str, int](most)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def of(self, terms: Sequence[str]) -> dict[str, int]:
        """The cached counts of these terms."""
        with self._lock:
            return {term: self._counts[term] for term in terms if term in self._counts}

    def keep(self, counts: Mapping[str, int]) -> None:
        with self._lock:
            self._counts.update(counts)


class MilvusSearcher:
    """A snapshot of one version of a collection. Thread-safe."""

    def __init__(self, part: Part, versions: Versions, recall: Recall, state: State) -> None:
        self.encoder = part.encoder
        self.version = state.version
        self.fusion = Fusion()
        self.state = state
        self.part = part
        self._engine = part.engine
        self._table = part.table.name
        self._versions = versions
        self._recall = recall
        self._whole = Filter(part.rows)
        self._among = lru_cache(FILTERS)(self._filter)
        self.counts = TermCounts(TERMS)

    @property
    def passages(self) -> int:
        return self.state.passages

    @property
    def document_count(self) -> int:
        return self.state.documents

    @property
    def dense(self) -> Dense:
        return Dense(count=self.passages, recall=self._recall.of(self.passages), graph=True)

    # ---- passages

    def encode(self, texts: Sequence[str]) -> Vectors:
        return self.encoder.encode([self.part.config.passage_prompt.format(context="", text=text) for text in texts])

    def encode_question(self, question: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.encoder.encode([self.part.config.query_prompt.format(text=question)])[0]
        return vector

    def rarity(self, term: str) -> float:
        return bm25.rarity(self.passages, self._passage_counts([spelled(term)])[spelled(term)])

    def corrected(self, question: str) -> str:
        """The question as it is: Milvus does not find terms by edit distance."""
        return question

    def search(self, question: str, depth: int, sources: Sequence[str] | None = None) -> list[Hit]:
        dense, terms = self.rankings(question, sources)
        return self.fusion.hits(dense, terms, depth, self._read)

    def _read(self, numbers: Sequence[int]) -> dict[int, StoredPassage]:
        there = self._versions.all_of([version_number(number) for number in numbers])
        return {
            number: stored_passage(number, read.content, read.passages[ordinal(number)])
            for number in numbers
            for read in [there[version_number(number)]]
            if read is not None
        }

    def rankings(
        self, question: str, sources: Sequence[str] | None = None
    ) -> tuple[dict[int, float], dict[int, float]]:
        wanted = self._whole if sources is None else self._among(tuple(sources))
        if wanted.sources is not None and not wanted.sources:
            return {}, {}
        query_terms = [spelled(term) for term in sorted(set(words(question)))]
        nearest, matching = self._live_hits(self.encode_question(question).tolist(), " ".join(query_terms), wanted)
        dense = sorted(
            ((round(score, DIGITS), number_of(row)) for score, row in nearest), key=lambda hit: (-hit[0], hit[1])
        )
        candidates = {number_of(row): row["terms"].split() for _, row in matching}
        weighed = bm25.scores(
            query_terms, candidates, self._passage_counts(query_terms), self.passages, self.state.words
        )
        terms = sorted(weighed.items(), key=lambda hit: (-hit[1], hit[0]))
        return {number: cosine for cosine, number in dense[:CANDIDATES]}, dict(terms[:CANDIDATES])

    def _live_hits(
        self, vector: Sequence[float], terms: str, wanted: Filter
    ) -> tuple[list[tuple[float, Row]], list[tuple[float, Row]]]:
        """Hits of dense and of term search in live versions: CANDIDATES each, if there are that many."""
        versions: dict[str, str] = {}
        limits = [WIDE, WIDE if terms else 0]
        for _ in range(ROUNDS):
            began = time.time()
            nearest = self._engine.nearest(self._table, vector, limits[0], wanted.expression, ["version", "source"])
            matching = self._matching(terms, limits[1], wanted)
            present = self._present({row["source"] for _, row in [*nearest, *matching]})
            early = any(
                versions.get(source) != version and created_at(version) > began - FRESH
                for source, version in present.items()
            )
            versions = present
            filtered = [[hit for hit in hits if counts(hit[1], present, wanted)] for hits in (nearest, matching)]
            short = [
                len(usable) < CANDIDATES and len(hits) == limit < MOST_ROWS
                for usable, hits, limit in zip(filtered, (nearest, matching), limits, strict=True)
            ]
            if not early and not any(short):
                break
            limits = [min(4 * limit, MOST_ROWS) if few else limit for limit, few in zip(limits, short, strict=True)]
        return filtered[0], filtered[1]

    def _matching(self, terms: str, limit: int, wanted: Filter) -> list[tuple[float, Row]]:
        if not terms:
            return []
        fields = ["version", "source", "terms"]
        (hits,) = self._engine.matching(self._table, [terms], limit, wanted.expression, fields)
        return hits

    def _present(self, sources: Iterable[str]) -> dict[str, str]:
        """The live versions of these documents, by source; missing ones are left out."""
        keys = [self.part.key(source) for source in sources]
        rows = self._engine.get(DOCUMENTS.name, keys, ["version"])
        return {key.partition("/")[2]: row["version"] for key, row in rows.items()}

    def _passage_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """The number of passages with each term. Rare terms are counted with one search for all of them."""
        counts = self.counts.of(terms)
        missing = [term for term in dict.fromkeys(terms) if term not in counts]
        if missing:
            results = self._engine.matching(self._table, missing, FEW, self._whole.expression, [])
            for term, hits in zip(missing, results, strict=True):
                few = len(hits) < FEW
                counts[term] = len(hits) if few else self._engine.holding(self._table, term, self._whole.expression)
            self.counts.keep({term: counts[term] for term in missing})
        return counts

    def _filter(self, patterns: tuple[str, ...]) -> Filter:
        """Translate glob patterns to an expression: a list of documents if they are few, else prefix ranges.

        Milvus has no such patterns, but it compares texts, and the part before the first wildcard is a prefix of every
        matching name.
        """
        begin = [start for start in map(beginning, patterns) if not CONTROL.search(start)]
        keys = " or ".join(within("key", self.part.key(each)) for each in begin)
        rows = self._engine.rows(DOCUMENTS.name, f"{self._whole.expression} and ({keys})", []) if keys else ()
        listed = [row["key"].partition("/")[2] for row in rows]
        matched = [listed[place] for place in select(patterns, listed)]
        if len(matched) <= LISTED:
            ranges = among("source", matched)
        else:
            ranges = " or ".join(within("source", each) for each in begin)
        return Filter(f"{self._whole.expression} and ({ranges})", frozenset(matched))

    def matching(self, sources: Sequence[str]) -> int:
        return len(self._among(tuple(sources)).sources or ())

    def places(self, numbers: Sequence[int]) -> list[tuple[int, str, Span]]:
        there = self._versions.all_of(list({version_number(number) for number in numbers}))
        return [
            (number, read.content.document.source, read.passages[ordinal(number)].span)
            for number in numbers
            for read in [there[version_number(number)]]
            if read is not None
        ]

    # ---- documents

    def documents(self, after: str | None, limit: int) -> list[Document]:
        expression = self._whole.expression
        if after is not None:
            expression += f" and key > {quoted(self.part.key(after))}"
        rows = self._engine.rows(DOCUMENTS.name, expression, FIELDS, limit=limit)
        return [Present.of(row).document for row in rows]

    def document(self, source: str) -> Document:
        document = self.live(source)
        if document is None:
            raise DocumentNotFound(source=source)
        return document

    def live(self, source: str) -> Document | None:
        for row in self._engine.get(DOCUMENTS.name, [self.part.key(source)], FIELDS).values():
            return Present.of(row).document
        return None

    def with_content(self, sha256: str) -> list[Document]:
        if not SHA256.fullmatch(sha256):
            return []
        expression = f"{self._whole.expression} and sha256 == {quoted(sha256)}"
        return [Present.of(row).document for row in self._engine.rows(DOCUMENTS.name, expression, FIELDS)]

    def file(self, source: str) -> bytes:
        return self.content(self.document(source).number).file

    def text(self, source: str) -> str:
        return self.content(self.document(source).number).text

    def sentences(self, source: str) -> list[Span]:
        return self.content(self.document(source).number).sentences

    def positions(self, source: str) -> PositionMap:
        return self.content(self.document(source).number).positions

    def content(self, number: int) -> Content:
        return self._versions.of(number).content


def counts(row: Row, present: dict[str, str], wanted: Filter) -> bool:
    """Whether a passage is of a live version and of a requested document."""
    return present.get(row["source"]) == row["version"] and (wanted.sources is None or row["source"] in wanted.sources)


def within(field: str, start: str) -> str:
    """An expression for all texts with this prefix."""
    return f"({field} >= {quoted(start)} and {field} < {quoted(start + FOREVER)})"


def number_of(row: Row) -> int:
    return int(str(row["key"]), 16)


def version_number(passage: int) -> int:
    """The document number of a passage's version, from the passage's number."""
    return passage >> 4 * NUMBER


def ordinal(passage: int) -> int:
    return passage & ((1 << 4 * NUMBER) - 1)


def created_at(version: str) -> float:
    """When a version was created, in seconds since the epoch, by its writer's clock."""
    return int(version[:TICKS], 16) / 1e6


def stored_passage(number: int, content: Content, passage: Passage) -> StoredPassage:
    start, end = passage.span
    return StoredPassage(number, content.document, passage, content.text[start:end])
