"""Parses XHTML with expat to the same tree as HTML; no custom entities, nothing fetched."""

from __future__ import annotations

from html.entities import html5
from xml.parsers import expat

import numpy as np

from index.text.formats.html.elements import Page, Piece, normalized

NAMESPACE = "http://www.w3.org/1999/xhtml"
REFERENCE = "&"
IS_FINAL = True


def parse(text: str) -> Page | None:
    """The tree of an XHTML document; None if it is not well-formed or declares entities."""
    source = normalized(text)
    try:
        return _Builder(source).read()
    except expat.ExpatError:
        return None


class _Builder:
    def __init__(self, source: str) -> None:
        self._source = source
        self._bytes = source.encode()
        self._page = Page(source)
        self._places = None if source.isascii() else _places(source)
        parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = True
        parser.buffer_text = False  # deliver each run separately, so that it has its own position
        parser.UseForeignDTD()  # report HTML entities instead of rejecting them; the DTD is not read
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.SkippedEntityHandler = self._entity
        parser.EntityDeclHandler = self._declared
        parser.StartCdataSectionHandler = self._start_cdata
        parser.EndCdataSectionHandler = self._end_cdata
        self._in_cdata = False
        self._parser = parser

    def read(self) -> Page:
        self._parser.Parse(self._bytes, IS_FINAL)
        self._page.close()
        return self._page

    def _here(self) -> int:
        at = self._parser.CurrentByteIndex
        return at if self._places is None else int(self._places[at])

    def _start(self, name: str, attributes: list[str]) -> None:
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        self._page.open(name.rpartition(":")[2].lower(), pairs)

    def _end(self, name: str) -> None:  # noqa: ARG002
        self._page.close()

    def _characters(self, data: str) -> None:
        start = self._here()
        if self._source[start] == REFERENCE and not self._in_cdata:
            piece = Piece(start, self._source.index(";", start) + 1, data)
        else:
            piece = Piece(start, start + len(data))
        self._page.events.append(piece)

    def _entity(self, name: str, is_parameter: bool) -> None:  # noqa: FBT001  expat calls it like this
        if value := None if is_parameter else html5.get(f"{name};"):
            start = self._here()
            self._page.events.append(Piece(start, start + len(name) + 2, value))

    def _start_cdata(self) -> None:
        self._in_cdata = True

    def _end_cdata(self) -> None:
        self._in_cdata = False

    def _declared(self, *_: object) -> None:
        raise expat.ExpatError("an entity declaration")


def _places(source: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The code point that starts at each byte of UTF-8."""
    leads = (np.frombuffer(source.encode(), np.uint8) & 0xC0) != 0x80
    return np.cumsum(leads) - 1
