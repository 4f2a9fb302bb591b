"""HTML and XHTML: text as a browser shows it, each character with its bytes in the file (`mapped`).

Start reading at `extract`; `parsing` makes the tree, `selection` leaves out what is around the text, `layout` makes
text and blocks of it.
"""

from __future__ import annotations

import re

import numpy as np
from msgspec import Struct

from index.errors import EmptyDocument
from index.text.byte_map import ByteMap, Places
from index.text.formats.html import charset as charsets
from index.text.formats.html import head
from index.text.formats.html.head import Head
from index.text.formats.html.layout import lay_out
from index.text.formats.html.selection import select
from index.text.positions import byte_offsets
from index.types import Block, Extracted

MEDIA_TYPE = "text/html"
XHTML = "application/xhtml+xml"
IS_XML = re.compile(r"\s*<\?xml\b")
# Elements that an XHTML file closes at once; parsed as HTML they would swallow what follows.
CLOSED = re.compile(r"<(?:title|script|style|textarea|iframe|noscript|noembed|noframes|xmp)\b[^<>]*/>", re.IGNORECASE)


class Rendered(Struct, frozen=True):
    """A page's text, with the source code points of each character."""

    text: str
    blocks: tuple[Block, ...]
    starts: Places
    ends: Places
    head: Head


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a page. `charset`: from a header. Raises DocumentError."""
    decoded = charsets.decode(data, source, charset)
    is_xml = source.lower().endswith((".xhtml", ".xht")) or bool(IS_XML.match(decoded.text))
    page = render(decoded.text, is_xml=is_xml)
    if not page.blocks:
        raise EmptyDocument(source=source, reason="")
    offsets = byte_offsets(decoded.text, decoded.encoding, decoded.bom)
    return Extracted(
        text=page.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=XHTML if is_xml else MEDIA_TYPE,
        title=page.head.title,
        blocks=page.blocks,
        anchor="mapped",
        url=page.head.url,
        date=page.head.date,
        map=ByteMap.of(*in_bytes(page, offsets)),
        meta=page.head.meta,
    )


def render(text: str, *, is_xml: bool = False) -> Rendered:
    """A page's text. XHTML that is not well-formed is parsed as HTML, as is HTML that claims to be XML."""
    from index.text.formats.html import parsing, xhtml

    page = xhtml.parse(text) if is_xml else None
    if page is None:
        page = parsing.parse(CLOSED.sub(lambda match: " " * len(match[0]), text) if is_xml else text)
    laid = lay_out(page, select(page))
    starts, ends = laid.starts, laid.ends
    if len(page.source) != len(text):  # positions count normalised newlines
        starts, ends = _unnormalized(text, starts, ends)
    return Rendered(text=laid.text, blocks=laid.blocks, starts=starts, ends=ends, head=head.read(page))


def in_bytes(page: Rendered, offsets: Places) -> tuple[Places, Places]:
    """The start and end of each character's bytes; `offsets`: the byte offset of each code point of the source."""
    is_known = page.starts >= 0
    return np.where(is_known, offsets[page.starts], -1), np.where(is_known, offsets[page.ends], -1)


def _unnormalized(text: str, starts: Places, ends: Places) -> tuple[Places, Places]:
    """Convert positions in a text with normalised newlines to positions in the original."""
    is_kept = np.ones(len(text) + 1, np.bool_)
    is_kept[[match.start() + 1 for match in re.finditer("\r\n", text)]] = False
    origin = np.flatnonzero(is_kept)
    return np.where(starts >= 0, origin[starts], -1), np.where(ends >= 0, origin[ends], -1)
