"""Conditional and range requests (RFC 9110)."""

from __future__ import annotations

import re

from service.errors import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_LONGEST_NUMBER = 18  # digits; enough for any file


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header contains `etag` (weak comparison).

    >>> matches('"a", W/"b"', '"b"')
    True
    """
    if header is None:
        return False
    return header.strip() == "*" or etag in re.findall(r'"[^"]*"', header)


def part_of(size: int, header: str | None, condition: str | None, etag: str) -> tuple[int, int] | None:
    """The half-open range of bytes to send, or None for the whole file.

    Multiple ranges, other units, unreadable headers and a range whose If-Range names another version get the whole
    file. Raises RangeNotSatisfiable.

    >>> part_of(10, "bytes=2-3", None, '"a"')
    (2, 4)
    >>> part_of(10, "bytes=-3", None, '"a"')
    (7, 10)
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None or (condition is not None and condition.strip() != etag):
        return None
    first, last = match.groups()
    if not (first or last) or max(len(first), len(last)) > _LONGEST_NUMBER:
        return None
    if not first:
        return _suffix(size, int(last))
    return None if last and int(last) < int(first) else _from(size, int(first), int(last or size))


def _suffix(size: int, length: int) -> tuple[int, int]:
    if length == 0 or size == 0:
        raise RangeNotSatisfiable(bytes=size)
    return max(size - length, 0), size


def _from(size: int, first: int, last: int) -> tuple[int, int]:
    if first >= size:
        raise RangeNotSatisfiable(bytes=size)
    return first, min(last + 1, size)
