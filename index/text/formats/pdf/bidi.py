"""From the order in which a line is seen, left to right, to the order in which it is read.

The Unicode Bidirectional Algorithm goes the other way; this undoes its usual outcome: two levels, numbers from left to
right in either.
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
    """Whether a line as a whole reads from right to left."""
    return not text.isascii() and 2 * len(RTL.findall(text)) > len(LETTER.findall(text))


def logical(parts: Sequence[str]) -> list[int]:
    """The numbers of the parts of a line, given from left to right, in the order of reading."""
    kinds = [_kind(part) for part in parts]
    order = list(range(len(parts)))
    if is_rtl("".join(parts)):
        order.reverse()
        return list(_turned(order, kinds, "L", joins="LN"))
    return list(_turned(order, kinds, "R", joins="R"))


def mirrored(text: str) -> str:
    """Brackets turned round where as they stand they close before they open."""
    first = next((character for character in text if character in OPENING | CLOSING), "")
    return text.translate(BRACKETS) if first in CLOSING and OPENING & set(text) else text


def _kind(part: str) -> str:
    """R and L for letters, N for numbers, space for what goes along with its neighbours."""
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
