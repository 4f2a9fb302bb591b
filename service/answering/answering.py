"""Answers questions: finds passages, reads them, and composes cited answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from index.backends import open_backend
from index.collections.addresses import Address
from index.collections.protocols import Collection, Searcher
from index.cpus import cpus
from index.errors import CollectionNotFound
from index.types import Hit
from service import schema
from service.answering.caching import AnswerCache
from service.answering.catalogue import Catalogue, Limited
from service.answering.composing import compose, passage_found
from service.answering.context_packing import MOST_PACKED, packed_context
from service.answering.retrieval import Retrieval
from service.answering.selection import Status, alternatives, length, select, united, with_companions
from service.answering.units import as_units
from service.answering.verifying import verify
from service.reader.reader import Reader, Reading
from service.reader.selection import open_reader
from service.scheduling.deadline import Deadline
from service.telemetry.instrumentation import counted, stage
from service.telemetry.metrics import PAIRS

if TYPE_CHECKING:
    from service.llm.choosing import Chooser  # loaded only if used

DEPTH = 20  # passages retrieved for the reader
IN_STORE = 256  # concurrent searches in a remote store, limited here so that other questions need not wait
# Stages that may be skipped: all, reading, part of reading, or the language model's choice.
RETRIEVE, READ, READ_ON, CHOOSE = "retrieve", "read", "read-on", "choose"


class Answering:
    """Answers questions from the collections of an index. Thread-safe."""

    def __init__(
        self,
        catalogue: Catalogue | Limited,
        reader: Reader,
        cache: AnswerCache | None = None,
        chooser: Chooser | None = None,
        searches: int | None = None,
    ) -> None:
        """`searches`: concurrent ones; by default, one per CPU, because more would only slow each other down."""
        self.chooser = chooser
        self.cache = cache or AnswerCache(0)
        self._catalogue = catalogue
        self.reader = reader
        self.retrieval = Retrieval(searches or cpus())

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
        device: str | None = None,
        cache_bytes: int = 0,
        chooser: Chooser | None = None,
    ) -> Self:
        """Open all collections of an index or a store. Raises what `open_reader` and opening this collection raise.

        `encoder`: the encoder this collection must have been built with. `program` runs the `pincite` command.
        `threads` read concurrently, by default one per CPU, or a torch `device` does. `cache_bytes`: the size of the
        answer cache. A `chooser` is closed with it.
        """
        catalogue = Catalogue.open(open_backend(index, store), collection, encoder, program)
        opened = open_reader(reader, index, threads, device)
        return cls(catalogue, opened, AnswerCache(cache_bytes), chooser, IN_STORE if store else None)

    @counted
    def ask(self, request: schema.AskRequest, request_id: str, deadline: Deadline | None = None) -> schema.AskResponse:
        """`deadline`: by default, that of the request. Raises CollectionNotFound, BadPattern or HungUp."""
        deadline = deadline or Deadline(request.deadline_ms)
        searcher = self.searcher(request.collection)
        cached = self.cache.get(request, searcher.version, request_id, deadline)
        if cached is not None:
            return cached
        response = self._response(request, request_id, searcher, deadline)
        self.cache.put(request, response)
        return response

    def _response(
        self, request: schema.AskRequest, request_id: str, searcher: Searcher, deadline: Deadline
    ) -> schema.AskResponse:
        retrieved = self.retrieval.search(
            searcher, request.question, max(DEPTH, request.passages), request.sources, deadline
        )
        request, hits = replace(request, question=retrieved.question), retrieved.hits
        skipped = [RETRIEVE] if retrieved.skipped else []
        retrieve_ms = deadline.elapsed_ms()
        reading = Reading([], cut=True) if skipped else self._read(request.question, hits[:DEPTH], searcher, deadline)
        if reading.cut:
            skipped += [READ_ON if reading.candidates else READ]
        status, answers, choosing = self._answers(request, reading, searcher, deadline, skipped)
        returned = max(request.passages, DEPTH if READ in skipped else 0)
        total = deadline.elapsed_ms()
        return schema.AskResponse(
            request_id=request_id,
            status=status,
            confidence=reading.confidence,
            answers=answers,
            nearest=nearest(request, reading, searcher) if status == "abstained" else [],
            matched=matched(request.sources, searcher),
            passages=found(hits[:returned], searcher),
            skipped=skipped,
            index=index_info(searcher),
            timings_ms=schema.AskTimings(
                retrieve=retrieve_ms, read=round(total - retrieve_ms - choosing, 3), choose=choosing, total=total
            ),
        )

    def search(self, request: schema.SearchRequest, deadline: Deadline | None = None) -> schema.SearchResponse:
        """`deadline`: only carries a disconnect here. Raises CollectionNotFound, BadPattern or HungUp."""
        deadline = deadline or Deadline()
        searcher = self.searcher(request.collection)
        hits = self.retrieval.search(searcher, request.query, request.top_k, request.sources, deadline).hits
        retrieve_ms = deadline.elapsed_ms()
        return schema.SearchResponse(
            passages=found(hits, searcher),
            index=index_info(searcher),
            timings_ms=schema.SearchTimings(retrieve=retrieve_ms, total=deadline.elapsed_ms()),
        )

    def context(
        self, request: schema.ContextRequest, request_id: str, deadline: Deadline | None = None
    ) -> schema.ContextResponse:
        """`deadline`: as in `search`. Raises CollectionNotFound, BadPattern, UnknownTokens or HungUp."""
        deadline = deadline or Deadline()
        searcher = self.searcher(request.collection)
        hits = self.retrieval.search(searcher, request.question, MOST_PACKED, request.sources, deadline).hits
        retrieve_ms = deadline.elapsed_ms()
        deadline.raise_if_hung_up()
        packed = packed_context(hits, searcher, request.max_tokens, request.encoding)
        return schema.ContextResponse(
            request_id=request_id,
            context=packed.text,
            tokens=packed.tokens,
            citations=packed.citations,
            left_out=packed.left_out,
            index=index_info(searcher),
            timings_ms=schema.SearchTimings(retrieve=retrieve_ms, total=deadline.elapsed_ms()),
        )

    def verify(self, request: schema.VerifyRequest) -> schema.VerifyResponse:
        """Raises CollectionNotFound or LengthOutOfRange."""
        searcher = self.searcher(request.collection)
        return schema.VerifyResponse(citations=verify(searcher, request.citations), index=index_info(searcher))

    @property
    def index(self) -> Path | None:
        """The folder of the collections."""
        return self._catalogue.index

    def limited_to(self, allowed: frozenset[str] | None) -> Self:
        """A copy for a caller who may use only these collections; None: all. Others raise CollectionForbidden."""
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
        """True if it is new. Raises what `Catalogue.make` raises."""
        return self._catalogue.make(name, encoder)

    def drop_collection(self, name: str) -> None:
        """Raises what `Catalogue.drop` raises."""
        self._catalogue.drop(name)

    def searcher(self, collection: str) -> Searcher:
        """A searcher on the latest change of a collection."""
        return self.collection(collection).searcher()

    def searchers(self) -> dict[str, Searcher]:
        """Searchers on the latest change of all usable collections."""
        return {name: collection.searcher() for name, collection in self._catalogue.present().items()}

    def ready(self) -> schema.Ready:
        collections = self._catalogue.present()
        name = "default" if "default" in collections else next(iter(collections), "default")
        first = self.searcher(name)
        operation = self.reader.operation
        return schema.Ready(
            status="ready",
            index_version=first.version,
            collections=[info_of(name, collection) for name, collection in collections.items()],
            recall=first.dense.recall,
            threshold=self.reader.threshold,
            threshold_precision=operation.precision if operation else None,
            threshold_coverage=operation.coverage if operation else None,
            models=[
                schema.ModelInfo(role="encoder", name=first.encoder.name, sha256=first.encoder.sha256),
                schema.ModelInfo(role="reader", name=self.reader.name, sha256=self.reader.sha256),
            ],
            chooser=None if self.chooser is None else self.chooser.info(),
        )

    def close(self) -> None:
        if self.chooser is not None:
            self.chooser.close()
        self._catalogue.close()

    def compact(self) -> None:
        """Erase removed documents that nobody can read any more. Call it periodically."""
        self._catalogue.sweep()
        for collection in self._catalogue.present().values():
            with suppress(CollectionNotFound):  # dropped meanwhile
                collection.compact()

    def _read(self, question: str, hits: list[Hit], searcher: Searcher, deadline: Deadline) -> Reading:
        if deadline.remaining() <= 0:
            return Reading([], cut=True)
        with stage("read"):
            reading = self.reader.read(question, hits, searcher, deadline)
        PAIRS.observe(reading.read)
        return as_units(question, reading, searcher)

    def _answers(
        self,
        request: schema.AskRequest,
        reading: Reading,
        searcher: Searcher,
        deadline: Deadline,
        skipped: list[str],
    ) -> tuple[Status, list[schema.Answer], float]:
        """The status, the answers, and the milliseconds of the language model's choice. Adds failures to `skipped`."""
        with stage("compose"):
            selection = select(
                request.question,
                reading,
                searcher,
                threshold=self.reader.threshold if request.min_confidence is None else request.min_confidence,
                certain=self.reader.threshold,
                limit=request.max_answers,
            )
            if selection.status != "answered":
                return selection.status, compose(selection, searcher), 0.0
            first = selection.answers[0]
            needed = alternatives(first, reading.companions, 0.0, searcher)
            if self.chooser is None:
                selection = with_companions(selection, needed, searcher)
                return selection.status, compose(selection, searcher), 0.0
        begun = deadline.elapsed_ms()
        others = alternatives(first, reading.candidates, self.chooser.settings.floor, searcher)
        choice = self.chooser.choose(request.question, first.candidate, others, searcher, deadline)
        choosing = round(deadline.elapsed_ms() - begun, 3)
        if choice.failed:
            skipped.append(CHOOSE)
        with stage("compose"):
            most = self.chooser.settings.sentences - length(first.candidate.run)
            selection = with_companions(selection, united(needed, choice.companions, most), searcher)
            return selection.status, compose(selection, searcher), choosing


def nearest(request: schema.AskRequest, reading: Reading, searcher: Searcher) -> list[schema.Answer]:
    """The best answers below the threshold, as they would be shown: what the documents have closest."""
    if not request.nearest:
        return []
    selection = select(request.question, reading, searcher, threshold=0, certain=1.1, limit=request.nearest)
    return compose(selection, searcher)


def matched(sources: Sequence[str] | None, searcher: Searcher) -> schema.Matched | None:
    """How many documents the patterns leave; None where there are none."""
    return None if sources is None else schema.Matched(documents=searcher.matching(sources))


def found(hits: list[Hit], searcher: Searcher) -> list[schema.FoundPassage]:
    return [passage_found(hit, searcher.content(hit.passage.document.number)) for hit in hits]


def index_info(searcher: Searcher) -> schema.IndexInfo:
    return schema.IndexInfo(searcher.version, searcher.document_count, searcher.passages)


def info_of(name: str, collection: Collection) -> schema.CollectionInfo:
    searcher = collection.searcher()
    return schema.CollectionInfo(name, searcher.document_count, searcher.passages, searcher.encoder.name)
