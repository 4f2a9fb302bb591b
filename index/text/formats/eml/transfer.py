"""Undoing the transfer encoding of a mail's part, each byte with its place in the file."""

from __future__ import annotations

import binascii
import re

import numpy as np
from msgspec import Struct

from index.text.byte_map import Places

QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*(?:\r?\n|\Z)|[ \t]+(?=\r?\n|\Z)")
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
PADDING = re.compile(rb"(?:\s*=){1,2}")
GROUP = 4  # characters of base64 that stand for three bytes


class Payload(Struct, frozen=True):
    """The bytes of a part, and from which bytes of the file each comes."""

    data: bytes
    starts: Places
    ends: Places


def payload(file: bytes, start: int, end: int, encoding: str) -> Payload:
    """What stands in file[start:end]; an encoding that is none is read as it stands."""
    match encoding.strip().lower():
        case "quoted-printable":
            return _quoted_printable(file, start, end)
        case "base64":
            return _base64(file, start, end)
    places = np.arange(start, end, dtype=np.int64)
    return Payload(file[start:end], places, places + 1)


def _quoted_printable(file: bytes, start: int, end: int) -> Payload:
    """`caf=C3=A9`: three bytes for one; a `=` at the end of a line joins it to the next."""
    is_kept = np.ones(end - start, np.bool_)
    sizes = np.ones(end - start, np.int64)
    data = bytearray(file[start:end])
    for match in QUOTED.finditer(file, start, end):
        first = match.start() - start
        is_kept[first : match.end() - start] = False
        if match[1]:
            is_kept[first], sizes[first], data[first] = True, 3, int(match[1], 16)
    places = np.flatnonzero(is_kept)
    values = np.frombuffer(data, np.uint8)[places]
    return Payload(values.tobytes(), places + start, places + start + sizes[places])


def _base64(file: bytes, start: int, end: int) -> Payload:
    """Each three bytes come from four characters, counted together; what is none of base64 is passed over."""
    raw = np.frombuffer(file, np.uint8, end - start, start)
    table = np.zeros(256, np.bool_)
    table[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")] = True
    places = np.flatnonzero(table[raw]) + start
    places = places[: len(places) - (len(places) % GROUP == 1)]  # one character alone says nothing
    letters = NOT_BASE64.sub(b"", file[start:end])[: len(places)]
    data = binascii.a2b_base64(letters + b"=" * (-len(letters) % GROUP))
    groups = np.arange(len(data)) // 3
    last = np.minimum(groups * GROUP + GROUP, len(places)) - 1
    ends = places[last] + 1
    if len(letters) % GROUP and (padding := PADDING.match(file, int(places[-1]) + 1, end)):
        ends[groups == groups[-1]] = padding.end()
    return Payload(data, places[groups * GROUP], ends)
