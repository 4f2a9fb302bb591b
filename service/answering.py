"""The spine: a question goes in, passages are found, read and composed into cited answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from index.collection import Collection
from index.errors import CollectionNotFound
from index.searcher import Searcher
from index.types import Hit
from service import schema
from service.catalogue import Catalogue
from service.composing import compose, passage_found
from service.reader import Reader, Reading
from service.readers import open_reader
from service.verifying import verify

DEPTH = 20  # passages found for a reader


class Answering:
    """Answers questions from the collections of an index. Safe in many threads at once."""

    def __init__(self, catalogue: Catalogue, reader: Reader) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._reading_time = 0.0  # seconds that the last reading took

    @classmethod
    def open(
        cls,
        index: Path,
        *,
        encoder: str | None = None,
        reader: str | None = None,
        collection: str = "default",
        program: Sequence[str] = (),
    ) -> Self:
        """Open every collection of an index. Raises what `open_reader` raises, and `Collection.open` of this one.

        `encoder` is what this collection must have been built with; `program` runs the `pincite` command.
        """
        return cls(Catalogue.open(index, collection, encoder, program), open_reader(reader, index))

    def ask(self, request: schema.AskRequest, request_id: str) -> schema.AskResponse:
        """Raises CollectionNotFound or BadPattern."""
        clock = Clock(request.deadline_ms)
        searcher = self.searcher(request.collection)
        hits = searcher.search(request.question, max(DEPTH, request.passages), request.sources)
        retrieved = clock.milliseconds()
        reading, skipped = self._read(request.question, hits[:DEPTH], searcher, clock)
        threshold = self._reader.threshold if request.min_confidence is None else request.min_confidence
        composed = compose(
            request.question,
            reading,
            searcher,
            threshold=threshold,
            certain=self._reader.threshold,
            limit=request.max_answers,
        )
        returned = max(request.passages, DEPTH if skipped else 0)
        return schema.AskResponse(
            request_id=request_id,
            status=composed.status,
            confidence=reading.confidence,
            answers=composed.answers,
            passages=found(hits[:returned], searcher),
            skipped=skipped,
            index=index_info(searcher),
            timings_ms=schema.AskTimings(
                retrieve=retrieved, read=round(clock.milliseconds() - retrieved, 3), total=clock.milliseconds()
            ),
        )

    def search(self, request: schema.SearchRequest) -> schema.SearchResponse:
        """Raises CollectionNotFound or BadPattern."""
        clock = Clock(None)
        searcher = self.searcher(request.collection)
        hits = searcher.search(request.query, request.top_k, request.sources)
        retrieved = clock.milliseconds()
        return schema.SearchResponse(
            passages=found(hits, searcher),
            index=index_info(searcher),
            timings_ms=schema.SearchTimings(retrieve=retrieved, total=clock.milliseconds()),
        )

    def verify(self, request: schema.VerifyRequest) -> schema.VerifyResponse:
        """Raises CollectionNotFound or LengthOutOfRange."""
        searcher = self.searcher(request.collection)
        return schema.VerifyResponse(citations=verify(searcher, request.citations), index=index_info(searcher))

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

    def ready(self) -> schema.Ready:
        collections = self._catalogue.present()
        name = "default" if "default" in collections else next(iter(collections), "default")
        first = self.searcher(name)
        return schema.Ready(
            status="ready",
            index_version=first.version,
            collections=[info_of(name, collection) for name, collection in collections.items()],
            recall=first.dense.recall,
            threshold=self._reader.threshold,
            models=[
                schema.ModelInfo(role="encoder", name=first.encoder.name, sha256=first.encoder.sha256),
                schema.ModelInfo(role="reader", name=self._reader.name, sha256=self._reader.sha256),
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

    def _read(self, question: str, hits: list[Hit], searcher: Searcher, clock: Clock) -> tuple[Reading, list[str]]:
        """Read, unless the last reading took longer than there is time left."""
        if clock.left() <= self._reading_time:
            return Reading([]), ["read"]
        started = time.monotonic()
        reading = self._reader.read(question, hits, searcher)
        self._reading_time = time.monotonic() - started
        return reading, []


class Clock:
    """The time since a request came, and until its deadline."""

    def __init__(self, deadline_ms: int | None) -> None:
        self._started = time.monotonic()
        self._deadline = float("inf") if deadline_ms is None else deadline_ms / 1000

    def milliseconds(self) -> float:
        return round((time.monotonic() - self._started) * 1000, 3)

    def left(self) -> float:
        """Seconds; infinite without a deadline."""
        return self._deadline - (time.monotonic() - self._started)


def found(hits: list[Hit], searcher: Searcher) -> list[schema.FoundPassage]:
    return [passage_found(hit, searcher.content(hit.passage.document.number)) for hit in hits]


def index_info(searcher: Searcher) -> schema.IndexInfo:
    return schema.IndexInfo(searcher.version, searcher.document_count, searcher.passages)


def info_of(name: str, collection: Collection) -> schema.CollectionInfo:
    searcher = collection.searcher()
    return schema.CollectionInfo(name, searcher.document_count, searcher.passages, searcher.encoder.name)
