"""Reorders a line from visual order, left to right, to reading order.

The Unicode Bidirectional Algorithm converts the other way; this reverses its usual result: two levels, numbers always
left to right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from index.text.formats.pdf.words import RTL

LETTER = re.compile(r"[^\W\d_]")
DIGIT = re.compile(r"\d")
BRACKETS = str.maketrans("()[]{}<>«»", ")(][}{><»«")
OPENING, CLOSING = frozenset("([{"), frozenset(")]}")


def is_rtl(text: str) -> bool:
    """Whether a line as a whole is right to left."""
    return not text.isascii() and 2 * len(RTL.findall(text)) > len(LETTER.findall(text))


def logical(parts: Sequence[str]) -> list[int]:
    """The indices of a line's parts, given left to right, in reading order."""
    kinds = [_kind(part) for part in parts]
    order = list(range(len(parts)))
    if is_rtl("".join(parts)):
        order.reverse()
        return list(_turned(order, kinds, "L", joins="LN"))
    return list(_turned(order, kinds, "R", joins="R"))


def mirrored(text: str) -> str:
    """Mirror brackets that would close before they open."""
    first = next((character for character in text if character in OPENING | CLOSING), "")
    return text.translate(BRACKETS) if first in CLOSING and OPENING & set(text) else text


def _kind(part: str) -> str:
    """R and L for letters, N for numbers, space for neutral characters."""
    if RTL.search(part):
        return "R"
    if LETTER.search(part):
        return "L"
    return "N" if DIGIT.search(part) else " "


def _turned(order: list[int], kinds: Sequence[str], turn: str, joins: str) -> Iterator[int]:
    """`order` with each stretch of the kind `turn` reversed; a stretch ends with one of `joins`."""
    start = 0
    while start < len(order):
        if kinds[order[start]] != turn:
            yield order[start]
            start += 1
            continue
        stop = last = start + 1
        while stop < len(order) and kinds[order[stop]] in {turn, *joins, " ", "N"}:
            stop += 1
            if kinds[order[stop - 1]] in joins:
                last = stop
        yield from reversed(order[start:last])
        start = last
