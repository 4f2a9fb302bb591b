"""Zip containers of XML, as in office files. Both are untrusted, so their sizes are limited before reading.

Nothing is fetched and no entity is expanded: parts with a document type are rejected.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.parsers import expat

from index.errors import DamagedFile, EncryptedFile, OldOfficeFormat, UnpackedTooLarge

Element = ET.Element

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of the old binary formats and of encrypted modern files
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
CENTRAL_ENTRY = b"PK\x01\x02"
MOST_MEMBERS = 20_000
LARGEST_MEMBER = 96_000_000  # bytes of XML parsed into a tree
LARGEST_STREAM = 1_000_000_000  # bytes of XML parsed as a stream
MOST_TAGS, MOST_TAGS_OF_STREAM = 4_000_000, 40_000_000  # tags; a tree takes some 150 bytes per tag
HIGHEST_RATIO, ANY_RATIO = 250, 16_000_000  # ratio; deflate reaches 1,000 on zeros, a sheet of numbers 10 to 30
CHUNK = 1 << 16
DEEPEST = 60  # nesting depth of elements with blocks or text


class Container:
    """The members of a zip container by case-insensitive name."""

    def __init__(self, data: bytes, source: str, modern: str) -> None:
        """Raises DamagedFile, EncryptedFile, UnpackedTooLarge or OldOfficeFormat; `modern`: what to convert that to."""
        self.source = source
        if data.startswith(OLE):
            if ENCRYPTED_PACKAGE in data:
                raise EncryptedFile(source=source)
            raise OldOfficeFormat(source=source, target=modern)
        # The signature of each directory entry; zipfile takes some 700 bytes of memory per entry.
        if data.count(CENTRAL_ENTRY) > MOST_MEMBERS:
            raise UnpackedTooLarge(source=source, part="the container", limit=MOST_MEMBERS, unit="members")
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError):
            raise DamagedFile(source=source, reason="it is not a zip container") from None
        self.members = {member.filename.lower(): member for member in self.zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.members

    def chunks(self, name: str, limit: int, most_tags: int) -> Iterator[bytes]:
        """The contents of a member, unpacked in chunks. Raises as soon as they exceed the limit."""
        member = self.members.get(name.lower())
        if member is None:
            raise DamagedFile(source=self.source, reason=f"it has no part {name}")
        if member.flag_bits & 1:
            raise EncryptedFile(source=self.source)
        size = tags = 0
        most = min(limit, max(ANY_RATIO, member.compress_size * HIGHEST_RATIO))
        try:
            with self.zip.open(member) as file:
                while chunk := file.read(CHUNK):
                    size += len(chunk)
                    tags += chunk.count(b"<")
                    if size > most:
                        raise UnpackedTooLarge(source=self.source, part=name, limit=most, unit="bytes")
                    if tags > most_tags:
                        raise UnpackedTooLarge(source=self.source, part=name, limit=most_tags, unit="tags")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, OSError, EOFError, RuntimeError):
            raise DamagedFile(source=self.source, reason=f"{name} cannot be unpacked") from None

    def tree(self, name: str) -> Element:
        """The root element of a part. Raises DocumentError if it is missing, too large, or not plain XML."""
        data = b"".join(self.chunks(name, LARGEST_MEMBER, MOST_TAGS))
        parser = ET.XMLParser()  # noqa: S314 - what it must not read is refused in front of it
        try:
            _refuse_document_type(data)
            parser.feed(data)
            return parser.close()
        except (ET.ParseError, expat.ExpatError, LookupError, ValueError):
            raise self.not_xml(name) from None

    def tree_if_present(self, name: str) -> Element | None:
        return self.tree(name) if name in self else None

    def feed(self, name: str, parser: expat.XMLParserType) -> None:
        """Feed a part to the handlers of an expat parser. Raises DocumentError as `tree` does."""
        parser.StartDoctypeDeclHandler = _document_type
        try:
            for chunk in self.chunks(name, LARGEST_STREAM, MOST_TAGS_OF_STREAM):
                parser.Parse(chunk)
            parser.Parse(b"", True)  # noqa: FBT003 - takes it by position alone
        except (expat.ExpatError, LookupError, ValueError):
            raise self.not_xml(name) from None

    def not_xml(self, name: str) -> DamagedFile:
        return DamagedFile(source=self.source, reason=f"{name} is no well-formed XML without a document type")


class _RootReached(Exception):
    pass


def _refuse_document_type(data: bytes) -> None:
    """Read up to the root element, because a document type comes before it. Raises ValueError."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _document_type
    parser.StartElementHandler = _root_reached
    try:
        parser.Parse(data, True)  # noqa: FBT003 - takes it by position alone
    except _RootReached:
        return


def _document_type(*_: object) -> None:
    raise ValueError("a document type is declared")


def _root_reached(*_: object) -> None:
    raise _RootReached
