"""CSV and TSV: the text is the file, and each record is a block, including line breaks in quotes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import PurePosixPath

from msgspec import Struct

from index.text.decoding import decode
from index.text.formats.office import tables
from index.types import Block, BlockKind, Extracted, Span

MEDIA_TYPE, TABS_MEDIA_TYPE = "text/csv", "text/tab-separated-values"
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 100  # records used to detect the delimiter
SEPARATOR_LINE = re.compile(r"sep=(.)(?:\r\n|\r|\n)", re.IGNORECASE)  # declares it for Excel; not a record
WORD = re.compile(r"\w")
COMMENT = re.compile(r"\s*#")


class Record(Struct, frozen=True):
    """A record and its fields as spans of the text, with quotes, without the line break."""

    number: int  # from 1
    span: Span
    fields: tuple[Span, ...]


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a CSV or TSV file with any delimiter. Raises DocumentError."""
    decoded = decode(data, source, charset)
    is_tsv = PurePosixPath(source).suffix.lower() in (".tsv", ".tab")
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=TABS_MEDIA_TYPE if is_tsv else MEDIA_TYPE,
        title=None,
        blocks=tuple(blocks(decoded.text, "\t" if is_tsv else None)),
    )


def blocks(text: str, likely: str | None = None) -> Iterator[Block]:
    r"""`"city;since\nRome;1871\n"` -> a header and a row. `likely`: the delimiter suggested by the file name.

    Single-field records above the first of several fields are titles. A very long record is read field by field.
    """
    separator = SEPARATOR_LINE.match(text)
    start = separator.end() if separator else 0
    delimiter = separator[1] if separator else sniff(text, likely)
    first = _first_row(text, delimiter, start)
    sample = list(islice((each for each in records(text, delimiter, start) if each.number >= first), tables.LOOK_AHEAD))
    has_header = tables.has_header([[value(text, field) for field in record.fields] for record in sample])
    for record in records(text, delimiter, start):
        if not WORD.search(text, *record.span):
            continue
        label = f"row {record.number}"
        if record.number < first:
            kind: BlockKind = "comment" if COMMENT.match(text, record.span.start) else "paragraph"
            yield Block(span=_stripped(text, record.span), kind=kind, label=label)
        elif record.span.end - record.span.start > tables.LONGEST_ROW:
            for field in record.fields:
                span = _stripped(text, _unquoted(text, field))
                if WORD.search(text, *span):
                    yield Block(span=span, label=label)
        else:
            kind = "header" if has_header and record.number == first else "row"
            yield Block(span=_stripped(text, record.span), kind=kind, group=1, label=label)


def records(text: str, delimiter: str, start: int = 0) -> Iterator[Record]:
    """All records, including blank ones. An unclosed quote is an ordinary character."""
    field_pattern, newline = _patterns(delimiter)
    number = 0
    while start < len(text):
        number += 1
        fields, at = [], start
        while match := field_pattern.match(text, at):
            fields.append(Span(at, match.end()))
            at = match.end()
            if not text.startswith(delimiter, at):
                break
            at += len(delimiter)
        yield Record(number=number, span=Span(start, at), fields=tuple(fields))
        end = newline.match(text, at)
        start = end.end() if end else len(text)


def sniff(text: str, likely: str | None = None) -> str:
    """The delimiter for which most records have the same number of fields; on a tie, the one with most fields."""

    def score(delimiter: str) -> tuple[float, bool, int]:
        widths = Counter(len(record.fields) for record in islice(records(text, delimiter), SAMPLE))
        width, count = max(((w, n) for w, n in widths.items() if w > 1), key=lambda each: each[1], default=(1, 0))
        return round(count / max(widths.total(), 1), 2), delimiter == likely, width

    return max(DELIMITERS, key=score)


def value(text: str, field: Span) -> str:
    """The value of a field: `"Hall ""A"" 2"` -> `Hall "A" 2`."""
    raw = text[field.start : field.end].strip()
    return raw[1:-1].replace('""', '"') if len(raw) > 1 and raw[0] == raw[-1] == '"' else raw


@cache
def _patterns(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    other = rf"[^{re.escape(delimiter)}\r\n]*+"
    return re.compile(rf'[ ]*+"(?:[^"]++|"")*+"{other}|{other}'), re.compile(r"\r\n|\r|\n")


def _first_row(text: str, delimiter: str, start: int) -> int:
    """The index of the first record of the table, after titles and comments."""
    sample = list(islice(records(text, delimiter, start), SAMPLE))
    if max((len(record.fields) for record in sample), default=1) == 1:
        return 1
    rows = (record for record in sample if len(record.fields) > 1 and not COMMENT.match(text, record.span.start))
    return next((record.number for record in rows if sum(map(bool, _values(text, record))) > 1), 1)


def _values(text: str, record: Record) -> list[str]:
    return [value(text, field) for field in record.fields]


def _unquoted(text: str, field: Span) -> Span:
    span = _stripped(text, field)
    quoted = span.end - span.start > 1 and text[span.start] == text[span.end - 1] == '"'
    return Span(span.start + 1, span.end - 1) if quoted else span


def _stripped(text: str, span: Span) -> Span:
    piece = text[span.start : span.end]
    return Span(span.start + len(piece) - len(piece.lstrip()), span.end - len(piece) + len(piece.rstrip()))
