"""The plain text of a mail: what others wrote is a quotation, and a signature is no answer."""

from __future__ import annotations

import re

import numpy as np
from msgspec import Struct

from index.text.byte_map import Places
from index.text.formats import plain
from index.types import Block, BlockKind, Span

LINE = re.compile(r"((?:>[ \t]?)*)([^\n]*)\n?")
SIGNATURE = re.compile(r"--[ \t]?")


class Body(Struct, frozen=True):
    """Text, its blocks, and the code point of the part that each character is."""

    text: str
    blocks: tuple[Block, ...]
    places: Places


def lay_out(text: str) -> Body:
    """The text without its quotation marks and carriage returns."""
    is_kept = np.ones(len(text), np.bool_)
    is_kept[[at for at, each in enumerate(text) if each == "\r"]] = False
    runs: list[tuple[BlockKind, int, int]] = []  # kind, and where the lines of a run start and end in what is kept
    length = 0
    kind: BlockKind = "paragraph"
    for line in LINE.finditer(text):
        if not line[0]:
            break
        marks, content = line.span(1), line[2].rstrip("\r")
        is_kept[slice(*marks)] = False
        if marks[0] < marks[1]:
            kind = "quotation"
        elif SIGNATURE.fullmatch(content):
            kind = "furniture"
        elif kind != "furniture" and content.strip():
            kind = "paragraph"
        size = len(content) + line[0].endswith("\n")
        if runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1], length + size)
        else:
            runs.append((kind, length, length + size))
        length += size
    places = np.flatnonzero(is_kept)
    body = "".join(text[at] for at in places.tolist())
    blocks = [
        Block(Span(start + block.span.start, start + block.span.end), kind=run_kind)
        for run_kind, start, end in runs
        for block in plain.blocks(body[start:end])
    ]
    return Body(body, tuple(blocks), places)
