"""What the blocks of a document are to each other: what introduces a list or a command, which rows a header heads.

Formats say what each block is. Here they are joined, stored in a few bytes each, and asked for by sentence.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from index.text.list_markers import marker_at
from index.types import Block, BlockKind, Sentence

NEVER_CITED: frozenset[BlockKind] = frozenset({"front_matter", "furniture", "comment"})
LISTED: frozenset[BlockKind] = frozenset({"item", "step"})
INTRODUCED: frozenset[BlockKind] = LISTED | {"code", "header", "row"}
COLON = re.compile(r"[:：][\s*_`\"'”’)\]]*$")
LONGEST_LINE = 600  # code points of a paragraph in front of code that still introduces it


def joined(text: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks, with what introduces a list, a table or code in its group, and the steps around code in one."""
    joined_blocks = list(blocks)
    free = 1 + max((block.group for block in joined_blocks if block.group is not None), default=-1)
    _join_steps(text, joined_blocks)
    before: int | None = None  # the place of the last block that is not furniture
    for place, block in enumerate(joined_blocks):
        if block.kind in NEVER_CITED:
            continue
        if before is not None and block.kind in INTRODUCED and _introduces(text, joined_blocks[before], block):
            if block.group is None:
                joined_blocks[place] = replace(block, group=free)
                free += 1
            joined_blocks[before] = replace(joined_blocks[before], group=joined_blocks[place].group, introduces=True)
        before = place
    return joined_blocks


def _introduces(text: str, block: Block, following: Block) -> bool:
    """Whether a paragraph speaks of what comes behind it: by its colon, or by standing in front of code."""
    if block.kind not in ("paragraph", "speech") or block.group is not None:
        return False
    if following.kind == "code" and block.span.end - block.span.start <= LONGEST_LINE:
        return True
    return COLON.search(text, max(block.span.start, block.span.end - 8), block.span.end) is not None


def _join_steps(text: str, blocks: list[Block]) -> None:
    """Make one list of steps that go on behind code: `1.`, a fence, `2.`."""
    last: Block | None = None  # of the steps before
    between: list[int] = []
    for place, block in enumerate(blocks):
        if block.kind == "step" and block.level == 0 and block.group is not None:
            if last is not None and block.group != last.group and between and _counts_on(text, last, block):
                for each in between:
                    blocks[each] = replace(blocks[each], group=last.group)
                for each in range(place, len(blocks)):
                    if blocks[each].group == block.group:
                        blocks[each] = replace(blocks[each], group=last.group)
                    elif blocks[each].kind not in NEVER_CITED:
                        break
            last, between = blocks[place], []  # noqa: PLR1736  it may have been replaced
        elif block.kind == "code" and block.group is None:
            between.append(place)
        elif block.kind not in NEVER_CITED and not (last is not None and block.group == last.group):
            last, between = None, []


def _counts_on(text: str, last: Block, block: Block) -> bool:
    before, after = (marker_at(text[slice(*each.span)]) for each in (last, block))
    if before is None or after is None or before.style != after.style != "hash":
        return False
    return before.value.isdigit() and after.value.isdigit() and int(after.value) == int(before.value) + 1


class TextBlock(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A block that holds sentences, by their numbers: `first` to `last`, inclusive."""

    first: int
    last: int
    kind: BlockKind = "paragraph"
    headings: tuple[str, ...] = ()
    group: int | None = None
    level: int = 0
    introduces: bool = False
    label: str | None = None


class Structure(Struct, frozen=True, dict=True):
    """The blocks of a document in order, by the sentences that they hold."""

    blocks: tuple[TextBlock, ...]

    @classmethod
    def of(cls, sentences: Sequence[Sentence]) -> Structure:
        text_blocks: list[TextBlock] = []
        last: Block | None = None
        for number, sentence in enumerate(sentences):
            block = sentence.block
            if text_blocks and block is last:
                text_blocks[-1] = replace(text_blocks[-1], last=number)
                continue
            last = block
            text_blocks.append(
                TextBlock(
                    number,
                    number,
                    block.kind,
                    sentence.headings,
                    block.group,
                    block.level,
                    block.introduces,
                    block.label,
                )
            )
        return cls(tuple(text_blocks))

    @classmethod
    def plain(cls, sentences: int) -> Structure:
        """One paragraph, for a document of which no blocks are stored."""
        return cls((TextBlock(0, max(sentences - 1, 0)),))

    @classmethod
    def unpacked(cls, packed: bytes) -> Structure:
        """Raises ValueError or zlib.error where they are damaged."""
        return cls(msgspec.msgpack.decode(zlib.decompress(packed), type=tuple[TextBlock, ...]))

    def packed(self) -> bytes:
        return zlib.compress(msgspec.msgpack.encode(self.blocks), 6)

    def block(self, sentence: int) -> TextBlock:
        """The block of a sentence by its number."""
        return self.blocks[bisect_right(self._firsts, sentence) - 1]

    def group(self, number: int) -> Sequence[TextBlock]:
        """The blocks of one list, table or run of steps, in order."""
        return self._groups.get(number, ())

    def place(self, block: TextBlock) -> int:
        """Which of the blocks it is, from 0."""
        return bisect_right(self._firsts, block.first) - 1

    @cached_property
    def _firsts(self) -> list[int]:
        return [block.first for block in self.blocks]

    @cached_property
    def _groups(self) -> dict[int, list[TextBlock]]:
        groups: dict[int, list[TextBlock]] = defaultdict(list)
        for block in self.blocks:
            if block.group is not None:
                groups[block.group].append(block)
        return dict(groups)
