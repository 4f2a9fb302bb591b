"""One module a file format, each with one function: `extract(data, source, charset) -> Extracted`."""

from __future__ import annotations

from pathlib import PurePosixPath

from index.errors import FormatNotRead
from index.text.formats import asciidoc, markdown, plain, restructuredtext
from index.types import Extracted

READERS = {
    plain.MEDIA_TYPE: plain.extract,
    markdown.MEDIA_TYPE: markdown.extract,
    "text/x-markdown": markdown.extract,
    restructuredtext.MEDIA_TYPE: restructuredtext.extract,
    "text/prs.fallenstein.rst": restructuredtext.extract,
    asciidoc.MEDIA_TYPE: asciidoc.extract,
}
MARKED_UP = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd"), markdown.MEDIA_TYPE),
    **dict.fromkeys((".rst", ".rest"), restructuredtext.MEDIA_TYPE),
    **dict.fromkeys((".adoc", ".asciidoc"), asciidoc.MEDIA_TYPE),
}
UNREAD = {
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".epub": "application/epub+zip",
    ".rtf": "application/rtf",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
}
# The default of clients that do not know the type of the body.
UNTOLD = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded"})


def extract(data: bytes, source: str, media_type: str | None = None, charset: str | None = None) -> Extracted:
    """Read a file by its media type, or by its extension where that says nothing.

    Any other text (`.log`, `text/csv`) is read as plain text. Raises FormatNotRead or another DocumentError.
    """
    told = (media_type or "").partition(";")[0].strip().lower()
    kind = by_extension(source) if told in UNTOLD else told
    if kind.startswith("text/") and kind not in UNREAD.values():
        return READERS.get(kind, plain.extract)(data, source, charset)
    raise FormatNotRead(source=source, media_type=kind)


def by_extension(source: str) -> str:
    """`a/b.md` -> `text/markdown`; unknown extensions count as plain text, and decoding decides."""
    suffix = PurePosixPath(source).suffix.lower()
    return MARKED_UP.get(suffix) or UNREAD.get(suffix, plain.MEDIA_TYPE)


def stem(source: str) -> str:
    """The default title of a document: `news/old_light.txt` -> `old_light`."""
    return PurePosixPath(source).stem or source
