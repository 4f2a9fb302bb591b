"""The contents of a document's version, stored in pieces: its record, sentences, passages and file.

Everything is in the store, so citations resolve without the machine that built the index. Versions never change, so
cached ones never go stale.
"""

from __future__ import annotations

import base64
import binascii
import threading
import zlib
from collections.abc import Sequence

import msgspec
import numpy as np
from cachetools import LRUCache
from msgspec import Struct
from msgspec.structs import replace

from index.errors import IndexDamaged
from index.milvus.engine import Engine
from index.milvus.tables import (
    NOTHING,
    PIECE,
    PIECES_TABLE,
    Row,
    new_version,
    piece_keys,
    version_of,
)
from index.storage.contents import ROOM, SPAN_BYTES, Content
from index.storage.tables import NewDocument
from index.text.extraction import Extraction, text_of
from index.text.structure import Structure
from index.types import Document, Passage, Span

PASSAGE_BYTES = 3 * SPAN_BYTES  # without its headings, which are part of the text


class Whole(Struct, frozen=True):
    """The complete contents of a version. `spans`: int32 [sentences, 2], code points."""

    document: Document
    origin: str | None
    spans: bytes
    passages: list[Passage]
    file: bytes
    structure: bytes = b""  # packed; none where an earlier version of Pincite wrote it
    extraction: Extraction | None = None  # where the text is not the file


def pieces_of(new: NewDocument, collection: str) -> tuple[str, list[Row]]:
    """The name and the piece rows of a new version of a document."""
    spans = np.array(new.spans, np.int32).tobytes()
    passages = [each.passage for each in new.passages]
    whole = Whole(new.document, new.origin, spans, passages, new.file, new.structure.packed(), new.extraction)
    text = base64.b64encode(zlib.compress(msgspec.msgpack.encode(whole), 1)).decode()
    parts = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    version = new_version(len(parts))
    rows = [
        {"key": key, "collection": collection, "version": version, "text": part, "vector": NOTHING}
        for key, part in zip(piece_keys(version), parts, strict=True)
    ]
    return version, rows


def joined(version: str, pieces: dict[str, str]) -> Whole | None:
    """Join a version from its pieces by key; None if one is missing or damaged."""
    try:
        text = "".join(pieces[key] for key in piece_keys(version))
        packed = zlib.decompress(base64.b64decode(text, validate=True))
        return msgspec.msgpack.decode(packed, type=Whole)
    except (KeyError, binascii.Error, zlib.error, msgspec.MsgspecError):
        return None


class Read(Struct, frozen=True):
    """A decoded version with its passages in order."""

    content: Content
    passages: list[Passage]

    @property
    def size(self) -> int:
        """Upper bound of the memory it uses, in bytes."""
        return self.content.size + PASSAGE_BYTES * len(self.passages)


class Versions:
    """A cache of decoded versions. Thread-safe."""

    def __init__(self, engine: Engine, room: int = ROOM) -> None:
        """`room`: bytes. A document that takes more is cached alone."""
        self._engine = engine
        self.cache = LRUCache[int, Read](room, lambda read: min(read.size, room))
        self._turn = threading.Lock()

    def of(self, number: int) -> Read:
        """A version by its document number. Raises IndexDamaged if pieces are missing."""
        read = self.all_of([number])[number]
        if read is None:
            version = version_of(number)
            raise IndexDamaged(path=self._engine.address, reason=f"pieces of version {version} are missing")
        return read

    def all_of(self, numbers: Sequence[int]) -> dict[int, Read | None]:
        """Several versions. None for one that is missing or damaged."""
        with self._turn:
            results: dict[int, Read | None] = {each: self.cache[each] for each in numbers if each in self.cache}
        missing = [number for number in numbers if number not in results]
        if missing:
            wholes = self.wholes([version_of(number) for number in missing])
            for number in missing:
                whole = wholes[version_of(number)]
                results[number] = None if whole is None else read(number, whole)
        with self._turn:
            for number, each in results.items():
                if each is not None:
                    self.cache[number] = each
        return results

    def wholes(self, versions: Sequence[str]) -> dict[str, Whole | None]:
        """Versions as stored; None for one that is missing or damaged."""
        keys = [key for version in versions for key in piece_keys(version)]
        rows = self._engine.get(PIECES_TABLE.name, keys, ["text"])
        pieces = {key: row["text"] for key, row in rows.items()}
        return {version: joined(version, pieces) for version in versions}


def read(number: int, whole: Whole) -> Read:
    document = replace(whole.document, number=number)
    spans = [Span(start, end) for start, end in np.frombuffer(whole.spans, np.int32).reshape(-1, 2).tolist()]
    text = text_of(document, whole.file, whole.extraction)
    structure = Structure.unpacked(whole.structure) if whole.structure else Structure.plain(len(spans))
    source_map = None if whole.extraction is None else whole.extraction.map
    return Read(Content(document, whole.file, text, spans, structure, source_map), whole.passages)
