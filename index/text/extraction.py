"""The text of a document whose text is not its file, and how it lies in the file: as it is stored and handed on."""

from __future__ import annotations

import zlib

import msgspec
from msgspec import Struct

from index.text.byte_map import ByteMap
from index.text.maps import BlockMap, PageMap
from index.types import Document

AnyMap = BlockMap | ByteMap | PageMap  # told apart by their tags


class Extraction(Struct, frozen=True):
    text: str
    map: AnyMap

    def packed(self) -> bytes:
        return zlib.compress(msgspec.msgpack.encode(self))

    @classmethod
    def unpacked(cls, packed: bytes) -> Extraction:
        """Raises zlib.error or msgspec.MsgspecError."""
        return msgspec.msgpack.decode(zlib.decompress(packed), type=cls)


def text_of(document: Document, file: bytes, extraction: Extraction | None) -> str:
    """The text that positions count in. Raises UnicodeDecodeError where the file is damaged."""
    return file[document.bom :].decode(document.encoding) if extraction is None else extraction.text
