"""Stretches of text that become one document: the chapters of a book, the headers and the parts of a mail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from index.text.byte_map import Places
from index.types import Block, Span

GAP = "\n\n"  # between two stretches


class Stretch(Struct, frozen=True):
    """Text with the bytes that each character comes from, -1 where none does."""

    text: str
    blocks: tuple[Block, ...]
    starts: Places
    ends: Places
    encoding: str | None = None  # of these bytes; None where that is no matter
    part: str | None = None  # the member of a container that these bytes are in


class Joined(Struct, frozen=True):
    text: str
    blocks: tuple[Block, ...]
    starts: Places
    ends: Places
    parts: tuple[tuple[int, str], ...]  # from which code point on the bytes are those of which member


def joined(stretches: Sequence[Stretch]) -> Joined:
    """One after the other; those without text are left out, and groups keep apart."""
    blocks: list[Block] = []
    parts: list[tuple[int, str]] = []
    gap = np.full(len(GAP), -1, np.int64)
    starts: list[Places] = [gap[:0]]
    ends: list[Places] = [gap[:0]]
    length = groups = 0
    non_empty = [each for each in stretches if each.text]
    for each in non_empty:
        blocks += [_moved(block, length, groups) for block in each.blocks]
        groups += max((block.group or 0 for block in each.blocks), default=0)
        if each.part is not None:
            parts.append((length, each.part))
        starts += [each.starts, gap]
        ends += [each.ends, gap]
        length += len(each.text) + len(GAP)
    text = "".join(each.text + GAP for each in non_empty)
    return Joined(text, tuple(blocks), np.concatenate(starts), np.concatenate(ends), tuple(parts))


def _moved(block: Block, by: int, groups: int) -> Block:
    span = Span(block.span.start + by, block.span.end + by)
    return replace(block, span=span, group=None if block.group is None else block.group + groups)
