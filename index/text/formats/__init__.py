"""One module a file format, each with one function: `extract(data, source, charset) -> Extracted`.

Text is read in this process. Everything else is parsed in a worker (`index.text.parsing`), which alone imports those
modules.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import PurePosixPath

from index.errors import FormatNotRead
from index.text.formats import asciidoc, delimited, markdown, plain, restructuredtext, subtitles
from index.types import Extracted

Extract = Callable[[bytes, str, str | None], Extracted]

READERS = {
    plain.MEDIA_TYPE: plain.extract,
    markdown.MEDIA_TYPE: markdown.extract,
    "text/x-markdown": markdown.extract,
    restructuredtext.MEDIA_TYPE: restructuredtext.extract,
    "text/prs.fallenstein.rst": restructuredtext.extract,
    asciidoc.MEDIA_TYPE: asciidoc.extract,
    delimited.MEDIA_TYPE: delimited.extract,
    delimited.TABS_MEDIA_TYPE: delimited.extract,
    subtitles.MEDIA_TYPE: subtitles.extract,
    subtitles.WEB_MEDIA_TYPE: subtitles.extract,
}
# The formats that are not text: media type -> module.
PARSED = {
    "text/html": "index.text.formats.html",
    "application/xhtml+xml": "index.text.formats.html",
    "application/epub+zip": "index.text.formats.epub",
    "message/rfc822": "index.text.formats.eml",
    "application/pdf": "index.text.formats.pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "index.text.formats.docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "index.text.formats.pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "index.text.formats.xlsx",
    "application/vnd.oasis.opendocument.text": "index.text.formats.odt",
}
EXTENSIONS = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd"), markdown.MEDIA_TYPE),
    **dict.fromkeys((".rst", ".rest"), restructuredtext.MEDIA_TYPE),
    **dict.fromkeys((".adoc", ".asciidoc"), asciidoc.MEDIA_TYPE),
    ".csv": delimited.MEDIA_TYPE,
    ".tsv": delimited.TABS_MEDIA_TYPE,
    ".srt": subtitles.MEDIA_TYPE,
    ".vtt": subtitles.WEB_MEDIA_TYPE,
    **dict.fromkeys((".html", ".htm"), "text/html"),
    **dict.fromkeys((".xhtml", ".xht"), "application/xhtml+xml"),
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    # These are not read; convert them first.
    ".doc": "application/msword",
    ".ppt": "application/vnd.ms-powerpoint",
    ".xls": "application/vnd.ms-excel",
    ".rtf": "application/rtf",
}
# The default of clients that do not know the type of the body.
UNTOLD = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded"})


def extract(data: bytes, source: str, media_type: str | None = None, charset: str | None = None) -> Extracted:
    """Read a file by its media type, or by its extension where that says nothing.

    Any other text (`.log`, source code) is read as plain text. Raises FormatNotRead or another DocumentError.
    """
    kind = media_type_of(source, media_type)
    if kind in PARSED:
        read: Extract = import_module(PARSED[kind]).extract
        return read(data, source, charset)
    if kind in READERS or kind.startswith("text/"):
        return READERS.get(kind, plain.extract)(data, source, charset)
    raise FormatNotRead(source=source, media_type=kind)


def isolated(source: str, media_type: str | None = None) -> bool:
    """Whether a file is parsed in a worker, since its parser may hang or crash."""
    return media_type_of(source, media_type) in PARSED


def media_type_of(source: str, media_type: str | None = None) -> str:
    """What a sender says, unless that says nothing; then by extension: `a/b.md` -> `text/markdown`.

    What is not known is taken for plain text, and decoding will tell.
    """
    stated = (media_type or "").partition(";")[0].strip().lower()
    if stated not in UNTOLD:
        return stated
    suffix = PurePosixPath(source).suffix.lower()
    return EXTENSIONS.get(suffix, plain.MEDIA_TYPE)


def stem(source: str) -> str:
    """The default title of a document: `news/old_light.txt` -> `old_light`."""
    return PurePosixPath(source).stem or source
