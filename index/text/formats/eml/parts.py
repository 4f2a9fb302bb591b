"""The parts of a mail and where each stands in the file, which the standard library does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser

from msgspec import Struct

BLANK_LINE = re.compile(rb"^[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
DEEPEST = 20  # parts in parts
MOST = 1000  # parts of one
HEADER_LIMIT = 1 << 20  # bytes of the headers of a part


class Part(Struct, frozen=True):
    """A part: its headers, and where they and its body stand in the file."""

    headers: EmailMessage
    start: int
    body: int
    end: int
    children: tuple[Part, ...] = ()

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type()

    @property
    def transfer_encoding(self) -> str:
        return str(self.headers.get("Content-Transfer-Encoding", ""))

    @property
    def filename(self) -> str | None:
        try:
            return self.headers.get_filename()
        except (LookupError, ValueError, TypeError):
            return None

    def leaves(self) -> Iterator[Part]:
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def parse(file: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> Part:
    """The part at file[start:end] and its parts."""
    end = len(file) if end is None else end
    blank = BLANK_LINE.search(file, start, end)
    body = blank.end() if blank else end
    head = file[start : min(blank.start() if blank else end, start + HEADER_LIMIT)]
    headers = BytesHeaderParser(policy=policy.default).parsebytes(head)
    boundary = headers.get_boundary() if headers.get_content_maintype() == "multipart" else None
    children: tuple[Part, ...] = ()
    if boundary and depth < DEEPEST:
        places = list(_between(file, body, end, boundary.encode("utf-8", "surrogateescape")))[:MOST]
        children = tuple(parse(file, *place, depth + 1) for place in places)
    return Part(headers, start, body, end, children)


def _between(file: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """What stands between the lines of a boundary; the newline in front of one belongs to it."""
    line = re.compile(rb"(?:\r?\n|\A|(?<=\n))--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    opened: int | None = None
    place = start
    while match := line.search(file, place, end):
        if opened is not None:
            yield opened, max(opened, match.start())
        if match[1]:
            return
        opened = match.end()
        place = max(opened - 1, match.start() + 1)  # the newline may be that in front of the next
    if opened is not None:
        yield opened, end
