"""Writes to a collection in Milvus from any number of processes, without a coordinator.

Each version of a document has its own name. Its passages and pieces are inserted first, where no reader looks. Then one
upsert of the document's row commits the change by naming the version. `sweep` erases versions that no row names; it
finds them in the journal, which is written before anything else. So a writer that crashes leaves no garbage, and a
replaced version stays readable while the row lists it. If two processes put the same document at the same time, both
succeed and the last row wins; `If-Match` is exact only within one process.

Finally the writer increments a counter of its own. The version of the collection is the sum of all counters.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from index.collections.document_writer import DocumentWriter, Origin
from index.milvus.contents import pieces_of
from index.milvus.engine import batches
from index.milvus.partition import Part
from index.milvus.tables import (
    COLLECTIONS,
    DOCUMENTS,
    JOURNAL,
    LARGEST_TEXT,
    NOTHING,
    PIECES_TABLE,
    Row,
    among,
    fitting,
    passage_key,
    piece_keys,
)
from index.search.terms import words
from index.storage.tables import RETENTION_SECONDS, NewDocument
from index.text.extraction import text_of
from index.text.passages import context
from index.text.rendering import Renderer
from index.types import Document

CLOCK_SKEW_SECONDS = 60  # covers clock skew between machines and the longest request
MOST_REPLACED = 400  # replaced versions listed in a document's row; older ones are not readable

Named = tuple[str, str]  # (source, version)


class ReplacedVersion(Struct, frozen=True, array_like=True):
    """A recently replaced version."""

    version: str
    sha256: str
    at: float


class Present(Struct, frozen=True):
    """A document's row."""

    document: Document
    version: str
    replaced: list[ReplacedVersion]
    origin: str | None
    passages: int
    words: int

    @classmethod
    def of(cls, row: Row) -> Present:
        document, origin = msgspec.json.decode(row["record"], type=tuple[Document, str | None])
        return cls(
            replace(document, number=int(row["version"], 16)),
            row["version"],
            msgspec.json.decode(row["kept"], type=list[ReplacedVersion]),
            origin,
            row["passages"],
            row["words"],
        )

    def named(self, now: float) -> list[str]:
        """The versions that can still be read."""
        return [self.version, *(each.version for each in self.replaced if each.at >= now - RETENTION_SECONDS)]


FIELDS = [*DOCUMENTS.texts, *DOCUMENTS.numbers][1:]


class MilvusWriter(DocumentWriter):
    """Changes of one process to one collection. Thread-safe."""

    def __init__(self, part: Part, require_present: Callable[[], object]) -> None:
        super().__init__(part.encoder, part.config)
        self._part = part
        self._engine = part.engine
        self._require_present = require_present
        self._turn = threading.RLock()
        self._counts = dict.fromkeys(COLLECTIONS.numbers, 0)
        self._row = f"{part.identity}/{secrets.token_hex(6)}"

    # ---- what the collection holds

    def present(self, sources: Iterable[str]) -> dict[str, Present]:
        """The rows of these sources; missing ones are left out."""
        keys = {self._part.key(source): source for source in sources}
        rows = self._engine.get(DOCUMENTS.name, list(keys), FIELDS)
        return {keys[key]: Present.of(row) for key, row in rows.items()}

    def live(self, sources: Sequence[str]) -> list[Document | None]:
        present = self.present(sources)
        return [present[source].document if source in present else None for source in sources]

    def origins(self) -> dict[str, Origin]:
        rows = map(Present.of, self._engine.rows(DOCUMENTS.name, self._part.rows, FIELDS))
        return {each.document.source: (each.origin, each.document.sha256) for each in rows}

    def origins_of(self, sources: Sequence[str]) -> dict[str, Origin]:
        present = self.present(sources)
        return {source: (each.origin, each.document.sha256) for source, each in present.items()}

    def vectors_of(self, sources: Sequence[str]) -> dict[bytes, NDArray[np.float16]]:
        versions = [each.version for each in self.present(sources).values()]
        vectors: dict[bytes, NDArray[np.float16]] = {}
        for some in batches(versions, 100):
            expression = f"{self._part.rows} and {among('version', some)}"
            for row in self._engine.rows(self._part.table.name, expression, ["hash", "vector"]):
                vectors[bytes.fromhex(row["hash"])] = np.array(row["vector"], np.float16)
        return vectors

    # ---- changes

    @contextmanager
    def changing(self) -> Iterator[None]:
        with self._turn:
            self._require_present()
            yield

    def apply(self, put: Sequence[NewDocument], remove: Sequence[str]) -> None:
        """Commit a change. Raises BeyondStore before anything is written, StoreUnavailable or StoreRefused."""
        if not put and not remove:
            return
        now = time.time()
        before = self.present([*(new.document.source for new in put), *remove])
        written = [self._written(new, before.get(new.document.source), now) for new in put]
        replaceable = [(new.document.source, row["version"]) for new, (row, _, _) in zip(put, written, strict=True)]
        replaceable += [(source, before[source].version) for source, _ in replaceable if source in before]
        removed = [(source, each.version) for source in remove if source in before for each in [before[source]]]
        removed += [
            (source, earlier.version) for source in remove if source in before for earlier in before[source].replaced
        ]
        journal = [
            *self._entries(replaceable, now + RETENTION_SECONDS + CLOCK_SKEW_SECONDS),
            *self._entries(removed, now + 2 * CLOCK_SKEW_SECONDS),
        ]
        self._engine.insert(JOURNAL.name, journal)
        self._engine.insert(PIECES_TABLE.name, [piece for _, pieces, _ in written for piece in pieces])
        self._engine.insert(self._part.table.name, [passage for *_, passages in written for passage in passages])
        if removed:
            self._engine.delete(DOCUMENTS.name, [self._part.key(source) for source, _ in removed])
        if written:
            self._engine.upsert(DOCUMENTS.name, [row for row, _, _ in written])
        self._count(
            documents=sum(new.document.source not in before for new in put) - len(set(remove) & before.keys()),
            passages=sum(row["passages"] for row, _, _ in written) - sum(each.passages for each in before.values()),
            words=sum(row["words"] for row, _, _ in written) - sum(each.words for each in before.values()),
        )
        self._engine.upsert(JOURNAL.name, [entry | {"done": 1} for entry in journal])

    def _written(self, new: NewDocument, before: Present | None, now: float) -> tuple[Row, list[Row], list[Row]]:
        """The rows of a new document: document row, pieces, passages. Raises BeyondStore."""
        source, document = new.document.source, new.document
        version, pieces = pieces_of(new, self._part.identity)
        text = text_of(document, new.file, new.extraction)
        renderer = Renderer(text, new.spans, new.structure, document.media_type)
        passages: list[Row] = []
        for number, each in enumerate(new.passages):
            passage = each.passage
            part = text[passage.span.start : passage.span.end]
            above = context(document.title, passage.headings)
            read = renderer.text(passage.first, passage.last, passage.span)
            passages.append(
                {
                    "key": passage_key(version, number),
                    "collection": self._part.identity,
                    "version": version,
                    "source": source,
                    "text": part,
                    "headings": msgspec.json.encode(passage.headings).decode(),
                    "hash": each.key.hex(),
                    "terms": " ".join(map(spelled, words(above + read))),
                    "first": passage.first,
                    "last": passage.last,
                    "begin": passage.span.start,
                    "stop": passage.span.end,
                    "vector": each.vector.astype(np.float32).tolist(),
                }
            )
        replaced_versions = []
        if before is not None:
            replaced = ReplacedVersion(before.version, before.document.sha256, now)
            replaced_versions = [replaced, *(each for each in before.replaced if each.at >= now - RETENTION_SECONDS)][
                :MOST_REPLACED
            ]
        row: Row = {
            "key": self._part.key(source),
            "collection": self._part.identity,
            "version": version,
            "sha256": document.sha256,
            "record": msgspec.json.encode((document, new.origin)).decode(),
            "kept": msgspec.json.encode(replaced_versions).decode(),
            "passages": len(passages),
            "words": sum(len(each["terms"].split()) for each in passages),
            "vector": NOTHING,
        }
        fitting([row], DOCUMENTS, source)
        fitting(passages, self._part.table, source)
        return row, pieces, passages

    def _entries(self, named: Sequence[Named], due: float) -> list[Row]:
        """Journal rows. Once due, `sweep` erases the versions they list, unless a document's row names them."""
        parts: list[list[Named]] = []
        room = 0
        for each in named:
            size = len(msgspec.json.encode(each)) + 1
            if size > room:
                parts.append([])
                room = LARGEST_TEXT - 10
            parts[-1].append(each)
            room -= size
        return [
            {
                "key": f"{self._part.identity}/{secrets.token_hex(12)}",
                "collection": self._part.identity,
                "versions": msgspec.json.encode(part).decode(),
                "due": int(due),
                "done": 0,
                "vector": NOTHING,
            }
            for part in parts
        ]

    def _count(self, *, documents: int, passages: int, words: int) -> None:
        """Increment the version and update this writer's totals."""
        more = {"changes": 1, "documents": documents, "passages": passages, "words": words}
        self._counts = {name: self._counts[name] + more[name] for name in self._counts}
        row = {"key": self._row, "collection": self._part.identity, "config": "", "vector": NOTHING}
        self._engine.upsert(COLLECTIONS.name, [row | self._counts])

    def finish(self) -> tuple[int, int, str]:
        for table in (self._part.table, DOCUMENTS, PIECES_TABLE):
            self._engine.flush(table.name)
        state = self._part.state()
        return state.documents, state.passages, state.version

    # ---- cleaning up

    def sweep(self, now: float) -> bool:
        """Erase versions that are due and that no document's row names. False if there were none."""
        expression = f"{self._part.rows} and due < {int(now)}"
        due = list(self._engine.rows(JOURNAL.name, expression, ["versions", "done"]))
        erased = False
        for entry in due:
            named = msgspec.json.decode(entry["versions"], type=list[Named])
            present = self.present({source for source, _ in named})
            held = {version for each in present.values() for version in each.named(now)}
            dead = [version for _, version in named if version not in held]
            self.erase(dead)
            erased = erased or bool(dead)
            if not entry["done"]:
                self.recount()
            self._engine.delete(JOURNAL.name, [entry["key"]])
        return erased

    def erase(self, versions: Sequence[str]) -> None:
        for some in batches(versions, 100):
            expression = f"{self._part.rows} and {among('version', some)}"
            self._engine.delete_where(self._part.table.name, expression)
            self._engine.delete(PIECES_TABLE.name, [key for version in some for key in piece_keys(version)])

    def recount(self) -> None:
        """Correct the totals after a writer crashed between a change and its count."""
        with self._turn:
            rows = list(self._engine.rows(DOCUMENTS.name, self._part.rows, ["passages", "words"]))
            state = self._part.state()
            self._count(
                documents=len(rows) - state.documents,
                passages=sum(row["passages"] for row in rows) - state.passages,
                words=sum(row["words"] for row in rows) - state.words,
            )


def spelled(term: str) -> str:
    """Encode a term so that every analyzer keeps it whole: "ship" -> "ship", "é" -> "uc3a9"."""
    return term if term.isascii() else f"u{term.encode().hex()}"
