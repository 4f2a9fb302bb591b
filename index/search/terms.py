"""Term search: a BM25 index derived from the store. The only module that imports tantivy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tantivy
from numpy.typing import NDArray

from index.storage.checksums import flaws
from index.storage.disk import system_error_in, writable

ANALYZER = "pincite"
WRITER_MEMORY = 64_000_000  # bytes that tantivy buffers before it writes a segment
WIDE = 20  # a filter that lets more than one passage in so many pass counts as wide
LONGEST_TERM = 64  # bytes; longer terms are encoded data, not words
# In scripts written without spaces, each character is a term.
UNSPACED = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")


class TermIndex:
    """BM25 search over a snapshot of the passages, taken when the index was opened."""

    def __init__(self, index: tantivy.Index) -> None:
        self._index = index
        self._searcher = index.searcher()

    @classmethod
    def open(cls, path: Path) -> TermIndex | None:
        """Open an index; None if it is missing or damaged, so that it can be rebuilt."""
        if flaws(path, contents=False):
            return None
        try:
            if writable(path):
                return cls(opened(path))
            with links_to(path) as links:
                return cls(opened(links))
        except (ValueError, OSError):
            return None

    @classmethod
    def create(cls, path: Path) -> TermIndex:
        """Create an empty index in a new folder. Raises OSError if the disk rejects it."""
        path.mkdir(parents=True)
        try:
            index = tantivy.Index(schema(), path=str(path))
            index.register_tokenizer(ANALYZER, analyzer())
            return cls(index)
        except ValueError as error:
            raise system_error_in(error) from error

    def updated(self, remove: Iterable[int], add: Iterable[tuple[int, int, str]]) -> TermIndex:
        """Remove passages by number and add (number, document, text). Durable on return.

        Adding an existing passage replaces it, so an interrupted update can be repeated. Raises OSError if the disk
        rejects the write, and rolls back.
        """
        try:
            writer = self._index.writer(heap_size=WRITER_MEMORY, num_threads=1)
        except ValueError as error:
            raise system_error_in(error) from error
        try:
            for number in remove:
                writer.delete_documents_by_term("number", number)
            for number, document, text in add:
                writer.delete_documents_by_term("number", number)
                writer.add_document(tantivy.Document(number=number, document=document, text=spaced(text)))
            writer.commit()
            with suppress(ValueError):  # the next commit retries a failed merge
                writer.wait_merging_threads()
        except ValueError as error:
            raise system_error_in(error) from error
        finally:
            del writer  # the writer holds tantivy's lock, and the error's traceback would keep it alive
        self._index.reload()
        return TermIndex(self._index)

    def search(
        self, question: str, depth: int, documents: list[int] | None = None, passages: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """The best passages as (number, BM25), best first, ties by number; only of `documents` if given.

        `passages` are those of `documents`, sorted. If there are many, it filters the global ranking, which is faster
        than a query per document.
        """
        any_term = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._index.schema, "text", term, index_option="freq"))
            for term in sorted(set(words(question)))
        ]
        if not any_term:
            return []
        query = tantivy.Query.boolean_query(any_term)
        if documents is None:
            return self._best(query, depth)
        if passages is not None and len(passages) * WIDE > self._searcher.num_docs:
            limit = 2 * WIDE * depth
            hits = self._best(query, limit)
            there = held(np.array([number for number, _ in hits], np.int64), passages)
            live = [hit for hit, is_there in zip(hits, there.tolist(), strict=True) if is_there]
            if len(live) >= depth or len(hits) < limit:
                return live[:depth]
        among = tantivy.Query.const_score_query(
            tantivy.Query.term_set_query(self._index.schema, "document", documents), 0.0
        )
        return self._best(
            tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, among)]), depth
        )

    def _best(self, query: tantivy.Query, depth: int) -> list[tuple[int, float]]:
        hits = self._searcher.search(query, limit=depth, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        scored = [(int(number or 0), float(score)) for number, (score, _) in zip(numbers, hits, strict=True)]
        return sorted(scored, key=lambda hit: (-hit[1], hit[0]))

    def numbers(self) -> list[int]:
        """The passages in this index, sorted."""
        if not self._searcher.num_docs:
            return []
        hits = self._searcher.search(tantivy.Query.all_query(), limit=self._searcher.num_docs, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        return sorted(int(number or 0) for number in numbers)

    def holds(self, word: str) -> bool:
        """Whether a passage has every term of a word."""
        return all(self._searcher.doc_freq("text", term) for term in words(word))

    def alike(self, word: str, most: int) -> list[int]:
        """Up to `most` passages with a term within two edits of that of a word: a mistake can change the stem too."""
        terms = words(word)
        if len(terms) != 1:
            return []
        query = tantivy.Query.fuzzy_term_query(
            self._index.schema, "text", terms[0], distance=2, transposition_cost_one=True
        )
        return [number for number, _ in self._best(query, most)]

    def rarity(self, term: str) -> float:
        """The inverse document frequency of a term in BM25: never negative, about 0 for a term that is everywhere."""
        passages, holding = self._searcher.num_docs, self._searcher.doc_freq("text", term)
        return math.log(1 + (passages - holding + 0.5) / (holding + 0.5)) if passages >= holding else 0.0


def opened(path: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(path))
    index.register_tokenizer(ANALYZER, analyzer())
    return index


@contextmanager
def links_to(folder: Path) -> Iterator[Path]:
    """A temporary folder with links to the files of another, without the locks that tantivy creates when opening.

    A tantivy thread may still take a lock while the folder is removed, so a few files may be left behind.
    """
    with TemporaryDirectory(prefix="pincite-", ignore_cleanup_errors=True) as links:
        for file in folder.iterdir():
            if file.suffix == ".lock":
                continue
            Path(links, file.name).symlink_to(file.absolute())
        yield Path(links)


def held(numbers: NDArray[np.int64], ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which values of `some` are in `many`: [3, 9], [1, 3, 5] -> [True, False]."""
    places = np.searchsorted(ordered, numbers).clip(max=len(ordered) - 1)
    is_present: NDArray[np.bool_] = ordered[places] == numbers
    return is_present


@cache
def analyzer() -> tantivy.TextAnalyzer:
    """Lower-cases words, strips accents and reduces English words to their stems."""
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(LONGEST_TERM))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("English"))
        .build()
    )


def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", indexed=True, fast=True)
    builder.add_integer_field("document", indexed=True)
    builder.add_text_field("text", tokenizer_name=ANALYZER, index_option="freq")
    return builder.build()


def spaced(text: str) -> str:
    return UNSPACED.sub(r" \1 ", text)


def words(text: str) -> list[str]:
    """The terms that term search finds in a text, in order."""
    terms: list[str] = analyzer().analyze(spaced(text))
    return terms
