"""Mail (`.eml`): its headers, and its text with the bytes of the file that each character comes from (`mapped`).

Attachments are documents of their own: `attachments` yields them.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath

import numpy as np
from msgspec import Struct

from index.errors import DamagedFile, DocumentError, EmptyDocument, UndecodableFile, UnknownEncoding
from index.text import decoding
from index.text.byte_map import ByteMap, Places
from index.text.formats import html
from index.text.formats.eml import parts, plain_body
from index.text.formats.eml.parts import Part
from index.text.formats.eml.transfer import Payload, payload
from index.text.formats.html import charset as charsets
from index.text.formats.stretches import Stretch, joined
from index.text.positions import byte_offsets
from index.types import Block, Extracted, Span

MEDIA_TYPE = "message/rfc822"
SHOWN = ("From", "To", "Cc", "Subject", "Date")
HTML = ("text/html", html.XHTML)
TEXT = ("text/plain", *HTML)
MOST_ATTACHMENTS = 1000
HEADER = re.compile(rb"^([!-9;-~]+)[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.MULTILINE)
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


class Attachment(Struct, frozen=True):
    """A file that came with a mail."""

    name: str  # unique in the mail, without folders
    media_type: str
    charset: str | None
    data: bytes


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a mail; `charset` counts for parts that name none. Raises DocumentError."""
    mail = parts.parse(data)
    if not any(name in mail.headers for name in ("From", "Subject", "Date", "Received", "Message-ID")):
        raise DamagedFile(source=source, reason="it has none of the headers of a mail")
    bodies, notices = _bodies(data, mail, source, charset)
    if not any(body.blocks for body in bodies) and not mail.headers.get("Subject"):
        raise EmptyDocument(source=source, reason="")
    whole = joined([_header(data, mail), *bodies])
    return Extracted(
        text=whole.text,
        encoding=next((body.encoding for body in bodies if body.encoding), "utf-8"),
        bom=0,
        guessed=False,
        media_type=MEDIA_TYPE,
        title=_value(mail, "Subject"),
        blocks=whole.blocks,
        anchor="mapped",
        date=_date(mail),
        map=ByteMap.of(whole.starts, whole.ends),
        meta=_meta(mail),
        notices=tuple(notices),
    )


def attachments(data: bytes) -> Iterator[Attachment]:
    """The files of a mail, those of mails in it within these; nothing of what `extract` reads."""
    mail = parts.parse(data)
    body = {id(part) for part in _text_parts(mail)}
    used_names: set[str] = set()
    others = [leaf for leaf in mail.leaves() if id(leaf) not in body and not _is_alternative(leaf)]
    for number, leaf in enumerate(others[:MOST_ATTACHMENTS], start=1):
        content = payload(data, leaf.body, leaf.end, leaf.transfer_encoding).data
        if content.strip():
            name = _name(leaf, number, used_names)
            used_names.add(name.lower())
            yield Attachment(name, leaf.media_type, leaf.headers.get_content_charset(), content)


def _bodies(data: bytes, mail: Part, source: str, charset: str | None) -> tuple[list[Stretch], list[str]]:
    bodies: list[Stretch] = []
    notices: list[str] = []
    for part in _text_parts(mail):
        try:
            body = _body(data, part, source, charset)
        except DocumentError as problem:
            notices.append(f"a part was left out: {problem}")
            continue
        encoding = next((each.encoding for each in bodies if each.encoding), None)
        if encoding is not None and body.encoding != encoding and not body.text.isascii():
            notices.append(f"a part was left out: it is in {body.encoding}, not in {encoding} as the one before")
            continue
        bodies.append(body)
    return bodies, notices


def _text_parts(part: Part) -> list[Part]:
    """The parts that a mail program shows as the mail's text; of alternatives the plain one, where it says anything."""
    if part.media_type == "multipart/alternative":
        readable = [nested for child in part.children if (nested := _text_parts(child))]
        plain = [
            nested for nested in readable if nested[0].media_type == "text/plain" and nested[0].end > nested[0].body + 2
        ]
        return (plain or readable[-1:] or [[]])[0]
    if part.children:
        return [nested for child in part.children for nested in _text_parts(child)]
    is_file = part.headers.get_content_disposition() == "attachment" or part.filename
    return [part] if part.media_type in TEXT and not is_file else []


def _is_alternative(leaf: Part) -> bool:
    """Whether it is another form of the text, not a file."""
    return leaf.media_type in TEXT and not leaf.filename and leaf.headers.get_content_disposition() != "attachment"


def _body(data: bytes, part: Part, source: str, charset: str | None) -> Stretch:
    content = payload(data, part.body, part.end, part.transfer_encoding)
    named = part.headers.get_content_charset() or charset
    if part.media_type in HTML:
        decoded = _decoded(content.data, source, named, is_html=True)
        page = html.render(decoded.text, is_xml=part.media_type == html.XHTML)
        starts, ends = html.in_bytes(page, byte_offsets(decoded.text, decoded.encoding, decoded.bom))
        return Stretch(page.text, page.blocks, *_in_file(content, starts, ends), encoding=decoded.encoding)
    decoded = _decoded(content.data, source, named, is_html=False)
    body = plain_body.lay_out(decoded.text)
    offsets = byte_offsets(decoded.text, decoded.encoding, decoded.bom)
    places = _in_file(content, offsets[body.places], offsets[body.places + 1])
    return Stretch(body.text, body.blocks, *places, encoding=decoded.encoding)


def _decoded(data: bytes, source: str, charset: str | None, *, is_html: bool) -> decoding.Decoded:
    """Decode a part; a charset that it does not keep to counts for nothing."""
    read = charsets.decode if is_html else decoding.decode
    if charset and charset.lower() not in ("us-ascii", "ascii"):
        try:
            return read(data, source, charset)
        except (UndecodableFile, UnknownEncoding):
            pass
    return read(data, source)


def _in_file(content: Payload, starts: Places, ends: Places) -> tuple[Places, Places]:
    """Bytes of a part as bytes of the file."""
    is_known = starts >= 0
    if not len(content.data):
        return starts, ends
    return np.where(is_known, content.starts[starts], -1), np.where(is_known, content.ends[ends - 1], -1)


def _header(data: bytes, mail: Part) -> Stretch:
    """A line for each header that people read, each counted whole."""
    spans = {each[1].lower(): each.span() for each in reversed(list(HEADER.finditer(data, mail.start, mail.body)))}
    lines: list[str] = []
    blocks: list[Block] = []
    starts: list[int] = []
    ends: list[int] = []
    for name in SHOWN:
        value = _value(mail, name)
        if not value or name.lower().encode() not in spans:
            continue
        line = f"{name}: {value}"
        begin = len(starts)
        blocks.append(Block(Span(begin, begin + len(line)), kind="front_matter"))
        start, end = spans[name.lower().encode()]
        lines.append(line)
        starts += [start] * len(line) + [-1]
        ends += [end] * len(line) + [-1]
    return Stretch(
        "".join(f"{line}\n" for line in lines), tuple(blocks), np.array(starts, np.int64), np.array(ends, np.int64)
    )


def _value(mail: Part, name: str) -> str | None:
    """A header decoded, on one line; what cannot be decoded is nothing."""
    try:
        value = " ".join(str(mail.headers.get(name) or "").split())
    except (LookupError, ValueError, TypeError, AttributeError, IndexError):
        return None
    return value.encode("utf-8", "replace").decode() or None


def _date(mail: Part) -> str | None:
    try:
        return parsedate_to_datetime(_value(mail, "Date") or "").isoformat()
    except (ValueError, TypeError, IndexError):
        return None


def _meta(mail: Part) -> dict[str, str]:
    named = {"from": "From", "to": "To", "cc": "Cc", "subject": "Subject", "message_id": "Message-ID"}
    return {key: value for key, name in named.items() if (value := _value(mail, name))}


def _name(part: Part, number: int, used_names: set[str]) -> str:
    """A name that is one segment of a path, unlike the others."""
    file_name = UNSAFE.sub("_", part.filename or "").strip(" .")[:200]
    name = file_name or f"part-{number}{mimetypes.guess_extension(part.media_type) or ''}"
    if part.media_type == MEDIA_TYPE and not name.lower().endswith(".eml"):
        name += ".eml"
    path = PurePosixPath(name)
    while name.lower() in used_names:
        name = f"{path.stem}-{number}{path.suffix}"
        number += 1
    return name
