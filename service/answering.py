"""The spine: a question goes in, passages are found, read and composed into cited answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Self

from index.addresses import Address
from index.errors import CollectionNotFound
from index.homes import home_of
from index.seams import Collection, Searcher
from index.types import Hit
from service import schema
from service.caching import AnswerCache
from service.catalogue import Catalogue, Limited
from service.composing import compose, passage_found
from service.metrics import PAIRS
from service.observing import counted, stage
from service.patience import Pace, Patience
from service.reader import Reader, Reading
from service.readers import open_reader
from service.verifying import verify

DEPTH = 20  # passages found for a reader
RETRIEVE, READ, READ_ON = "retrieve", "read", "read-on"  # what may be skipped: all, reading, or a part of reading


class Answering:
    """Answers questions from the collections of an index. Safe in many threads at once."""

    def __init__(self, catalogue: Catalogue | Limited, reader: Reader, cache: AnswerCache | None = None) -> None:
        self.cache = cache or AnswerCache(0)
        self._catalogue = catalogue
        self.reader = reader
        self._search_pace = Pace()

    @classmethod
    def open(
        cls,
        index: Path,
        *,
        store: Address | None = None,
        encoder: str | None = None,
        reader: str | None = None,
        collection: str = "default",
        program: Sequence[str] = (),
        threads: int | None = None,
        cache_bytes: int = 0,
    ) -> Self:
        """Open every collection of an index, or of a store. Raises what `open_reader` raises, and opening this one.

        `encoder` is what this collection must have been built with; `program` runs the `pincite` command; `threads`
        read at once, by default one for each CPU; answers given are kept in `cache_bytes`.
        """
        catalogue = Catalogue.open(home_of(index, store), collection, encoder, program)
        return cls(catalogue, open_reader(reader, index, threads), AnswerCache(cache_bytes))

    @counted
    def ask(self, request: schema.AskRequest, request_id: str, patience: Patience | None = None) -> schema.AskResponse:
        """`patience`: since when the asker waits, and how long. Raises CollectionNotFound, BadPattern or HungUp."""
        patience = patience or Patience(request.deadline_ms)
        searcher = self.searcher(request.collection)
        known = self.cache.get(request, searcher.version, request_id, patience)
        if known is not None:
            return known
        response = self._answered(request, request_id, searcher, patience)
        self.cache.put(request, response)
        return response

    def _answered(
        self, request: schema.AskRequest, request_id: str, searcher: Searcher, patience: Patience
    ) -> schema.AskResponse:
        hits, skipped = self._search(request, searcher, patience)
        retrieved = patience.milliseconds()
        reading = Reading([], cut=True) if skipped else self._read(request.question, hits[:DEPTH], searcher, patience)
        if reading.cut:
            skipped += [READ_ON if reading.candidates else READ]
        threshold = self.reader.threshold if request.min_confidence is None else request.min_confidence
        with stage("compose"):
            composed = compose(
                request.question,
                reading,
                searcher,
                threshold=threshold,
                certain=self.reader.threshold,
                limit=request.max_answers,
            )
        returned = max(request.passages, DEPTH if READ in skipped else 0)
        return schema.AskResponse(
            request_id=request_id,
            status=composed.status,
            confidence=reading.confidence,
            answers=composed.answers,
            passages=found(hits[:returned], searcher),
            skipped=skipped,
            index=index_info(searcher),
            timings_ms=schema.AskTimings(
                retrieve=retrieved, read=round(patience.milliseconds() - retrieved, 3), total=patience.milliseconds()
            ),
        )

    def search(self, request: schema.SearchRequest) -> schema.SearchResponse:
        """Raises CollectionNotFound or BadPattern."""
        patience = Patience()
        searcher = self.searcher(request.collection)
        with stage("retrieve"):
            hits = searcher.search(request.query, request.top_k, request.sources)
        retrieved = patience.milliseconds()
        return schema.SearchResponse(
            passages=found(hits, searcher),
            index=index_info(searcher),
            timings_ms=schema.SearchTimings(retrieve=retrieved, total=patience.milliseconds()),
        )

    def verify(self, request: schema.VerifyRequest) -> schema.VerifyResponse:
        """Raises CollectionNotFound or LengthOutOfRange."""
        searcher = self.searcher(request.collection)
        return schema.VerifyResponse(citations=verify(searcher, request.citations), index=index_info(searcher))

    @property
    def index(self) -> Path | None:
        """The folder that the collections lie in."""
        return self._catalogue.index

    def limited_to(self, allowed: frozenset[str] | None) -> Self:
        """The same, for a caller who may use these collections alone; None: all. Others raise CollectionForbidden."""
        if allowed is None:
            return self
        limited = copy(self)
        limited._catalogue = Limited(self._catalogue, allowed)  # noqa: SLF001  # it is one of us
        return limited

    def collection(self, name: str) -> Collection:
        return self._catalogue[name]

    def collections(self) -> list[schema.CollectionInfo]:
        return [info_of(name, collection) for name, collection in self._catalogue.present().items()]

    def collection_info(self, name: str) -> schema.CollectionInfo:
        return info_of(name, self._catalogue[name])

    def make_collection(self, name: str, encoder: str | None) -> bool:
        """True where it is new. Raises what `Catalogue.make` raises."""
        return self._catalogue.make(name, encoder)

    def drop_collection(self, name: str) -> None:
        """Raises what `Catalogue.drop` raises."""
        self._catalogue.drop(name)

    def searcher(self, collection: str) -> Searcher:
        """The view of a collection as of its last change."""
        return self.collection(collection).searcher()

    def searchers(self) -> dict[str, Searcher]:
        """The view of every collection that can be used, as of its last change."""
        return {name: collection.searcher() for name, collection in self._catalogue.present().items()}

    def ready(self) -> schema.Ready:
        collections = self._catalogue.present()
        name = "default" if "default" in collections else next(iter(collections), "default")
        first = self.searcher(name)
        return schema.Ready(
            status="ready",
            index_version=first.version,
            collections=[info_of(name, collection) for name, collection in collections.items()],
            recall=first.dense.recall,
            threshold=self.reader.threshold,
            models=[
                schema.ModelInfo(role="encoder", name=first.encoder.name, sha256=first.encoder.sha256),
                schema.ModelInfo(role="reader", name=self.reader.name, sha256=self.reader.sha256),
            ],
        )

    def close(self) -> None:
        self._catalogue.close()

    def compact(self) -> None:
        """Erase what was removed and nobody may ask for any more. Call it now and then."""
        self._catalogue.sweep()
        for collection in self._catalogue.present().values():
            with suppress(CollectionNotFound):  # it was dropped meanwhile
                collection.compact()

    def _search(
        self, request: schema.AskRequest, searcher: Searcher, patience: Patience
    ) -> tuple[list[Hit], list[str]]:
        """The passages found, unless that would take longer than there is time left; what was skipped."""
        patience.require_listener()
        if patience.left() <= self._search_pace.seconds:
            return [], [RETRIEVE]
        begun = time.monotonic()
        with stage("retrieve"):
            hits = searcher.search(request.question, max(DEPTH, request.passages), request.sources)
        self._search_pace.took(time.monotonic() - begun)
        return hits, []

    def _read(self, question: str, hits: list[Hit], searcher: Searcher, patience: Patience) -> Reading:
        if patience.left() <= 0:
            return Reading([], cut=True)
        with stage("read"):
            reading = self.reader.read(question, hits, searcher, patience)
        PAIRS.observe(reading.read)
        return reading


def found(hits: list[Hit], searcher: Searcher) -> list[schema.FoundPassage]:
    return [passage_found(hit, searcher.content(hit.passage.document.number)) for hit in hits]


def index_info(searcher: Searcher) -> schema.IndexInfo:
    return schema.IndexInfo(searcher.version, searcher.document_count, searcher.passages)


def info_of(name: str, collection: Collection) -> schema.CollectionInfo:
    searcher = collection.searcher()
    return schema.CollectionInfo(name, searcher.document_count, searcher.passages, searcher.encoder.name)
