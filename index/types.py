"""The value types of the index: frozen structs that every other module may import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # [n, dimension], each row of unit length
Anchor = Literal["exact", "mapped", "page", "block"]
BlockKind = Literal[
    "heading",
    "paragraph",
    "item",  # of an unordered list
    "step",  # of an ordered list
    "header",  # the header row of a table
    "row",
    "code",
    "quotation",
    "caption",
    "contents",  # a table of contents
    "comment",
    "front_matter",
    "furniture",  # navigation, page headers and footers: never part of an answer
    "speech",  # a subtitle cue
]


class Span(NamedTuple):
    """A half-open range of code points in a document's text."""

    start: int
    end: int


class Block(Struct, frozen=True):
    """A run of text that no sentence crosses: a paragraph, a heading, a list item."""

    span: Span
    headings: tuple[str, ...] = ()  # the path of headings above it, outermost first; a heading counts itself
    kind: BlockKind = "paragraph"
    group: int | None = None  # shared by the blocks of one list or table, and by code and its introduction
    level: int = 0  # nesting depth of an item or a step, from 0; level of a heading, from 1
    introduces: bool = False  # a paragraph before the list, table or code of the same group
    label: str | None = None  # a label of the position, if the format has one: "page 3", "Prices, row 7"


class SourceMap(Protocol):
    """Maps a document's text to positions in its file; `index.text.maps` has a kind for each anchor but `exact`."""

    def label(self, span: Span) -> str | None:
        """A label of the position: "page 3"."""

    def part(self, span: Span) -> str | None:
        """The member of a container in which the span starts."""

    def segments(self, span: Span) -> list[tuple[int, int]]:
        """The slices of the file that the span comes from, in bytes; none where its text is not made of such."""

    def ocr(self, span: Span) -> bool:
        """Whether any of the text was recognised in an image."""


class Extracted(Struct, frozen=True):
    """The result of reading a file: its text, and the map to its file."""

    text: str
    encoding: str  # a Python codec, without BOM: file[byte0:byte1].decode(encoding) is the quote
    bom: int  # bytes of the byte-order mark, counted in byte positions, not part of the text
    guessed: bool  # True if neither the file nor its headers declared the encoding
    media_type: str
    title: str | None
    blocks: tuple[Block, ...]
    anchor: Anchor = "exact"
    url: str | None = None
    date: str | None = None
    map: SourceMap | None = None  # None: the text is the file
    meta: dict[str, str] = {}  # metadata from front matter or the file
    notices: tuple[str, ...] = ()  # omissions: "page 4 has no text"


NO_BLOCK = Block(Span(0, 0))


PictureFormat = Literal["webp", "png"]


class Picture(Struct, frozen=True):
    """A page as it is displayed: rotation and crop box applied."""

    data: bytes
    media_type: str
    width: float  # of the page, in points
    height: float
    pages: int  # of the document


class Sentence(Struct, frozen=True):
    """The position of a sentence, and its block.

    Between two sentences are only white space and text that is never cited: front matter, comments, headers and
    footers.
    """

    span: Span
    headings: tuple[str, ...] = ()
    block: Block = NO_BLOCK


class Passage(Struct, frozen=True):
    """A window of whole sentences, or one part of a sentence too long for any window."""

    first: int  # sentence numbers, inclusive
    last: int
    span: Span
    headings: tuple[str, ...] = ()


class Document(Struct, frozen=True):
    """A document's record in the store, without its text."""

    number: int  # the row in the store, never reused after a deletion
    source: str
    document_id: str
    sha256: str
    bytes: int
    encoding: str
    bom: int
    media_type: str
    anchor: Anchor
    title: str
    url: str | None
    date: str | None
    sentences: int
    updated_at: str  # RFC 3339, UTC
    encoding_guessed: bool = False  # neither the sender nor the file declares its encoding


class StoredPassage(Struct, frozen=True):
    """A passage with its number and its document."""

    number: int
    document: Document
    passage: Passage
    text: str


class Hit(Struct, frozen=True):
    """A search result with its fused score and the parts of it."""

    passage: StoredPassage
    score: float  # reciprocal rank fusion
    cosine: float | None  # None if dense search did not find it
    bm25: float | None  # None if term search did not find it


class Encoder(Protocol):
    """Turns texts into unit vectors. Equal texts give equal vectors, independent of the batch."""

    @property
    def name(self) -> str:
        """The model as the user gave it: `all-MiniLM-L6-v2`, a hub name or a folder."""

    @property
    def sha256(self) -> str:
        """The hash of the model's weights, in hexadecimal."""

    @property
    def dimension(self) -> int: ...

    @property
    def window(self) -> int:
        """Word pieces per window, special tokens included."""

    def count(self, text: str) -> int:
        """The number of word pieces in `text`, special tokens included."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode each text; one longer than a window is encoded window by window and averaged."""
