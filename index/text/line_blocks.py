"""Blocks in the making, for formats that are read line by line: every line goes into one block, in order."""

from __future__ import annotations

from collections.abc import Sequence

from index.text.lines import Line
from index.text.list_markers import Marker, Nesting
from index.types import Block, BlockKind, Span


class LineBlocks:
    """Collects blocks with the headings above them and the numbers of their groups."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._path: list[tuple[int, str]] = []
        self._groups = -1
        self._nesting: Nesting | None = None  # of the list that is open

    @property
    def title(self) -> str | None:
        """The first heading."""
        return next((block.headings[-1] for block in self.blocks if block.kind == "heading"), None)

    def new_group(self) -> int:
        self._groups += 1
        return self._groups

    def heading(self, run: Sequence[Line], title: str, level: int) -> None:
        self._path = [*(above for above in self._path if above[0] < level), (level, " ".join(title.split()))]
        self.add(run, "heading", level=level)

    def item(self, run: Sequence[Line], marker: Marker) -> None:
        if self._nesting is None or self._nesting.ended_by(marker):
            self._nesting = Nesting()
            self.new_group()
        level = self._nesting.level(marker)
        kind: BlockKind = "step" if marker.ordered else "item"
        self.add(run, kind, group=self._groups, level=level, ends_list=False)

    def within_list(self, run: Sequence[Line], kind: BlockKind) -> None:
        """A further paragraph or code of an item."""
        last = next(block for block in reversed(self.blocks) if block.group is not None)
        kind = last.kind if kind == "paragraph" and last.kind in ("item", "step") else kind
        self.add(run, kind, group=last.group, level=last.level, ends_list=False)

    def add(
        self,
        run: Sequence[Line],
        kind: BlockKind = "paragraph",
        *,
        group: int | None = None,
        level: int = 0,
        ends_list: bool = True,
    ) -> None:
        """Lines as one block, blank ones at either end left out."""
        non_blank = [line for line in run if not line.blank]
        if not non_blank:
            return
        if ends_list and kind not in ("comment", "furniture"):
            self._nesting = None
        span = Span(non_blank[0].start + non_blank[0].indent, non_blank[-1].end)
        headings = tuple(title for _, title in self._path)
        self.blocks.append(Block(span, headings, kind, group, level))

    @property
    def in_list(self) -> bool:
        return self._nesting is not None
