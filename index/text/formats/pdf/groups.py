"""Groups parts: the items of a list, the rows of a table, and the line that introduces them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from index.text.formats.pdf.parts import INDENT, Part

LISTED = ("item", "step")
ROWS = ("row", "header")
FIRST = re.compile(r"\(?[1aAiI][.)]\s")


def number(parts: Sequence[Part]) -> None:
    """Give the parts of each list and of each table a number, and what introduces it the same."""
    _without_single_steps(parts)
    for group, (before, members) in enumerate(_groups(parts)):
        for part in members:
            part.group = group
        if members[0].kind in LISTED:
            _nest(members)
        introduces = before is not None and before.kind == "paragraph" and before.text.rstrip().endswith((":", "："))
        if before is not None and introduces and before.group is None:
            before.group, before.introduces = group, True
        elif members[0].kind == "code":
            members[0].group = None


def _without_single_steps(parts: Sequence[Part]) -> None:
    """A number before a single paragraph is not a list."""
    for before, part, after in zip([None, *parts[:-1]], parts, [*parts[1:], None], strict=True):
        alone = all(each is None or each.kind not in LISTED for each in (before, after))
        if part.kind == "step" and alone and not FIRST.match(part.text):
            part.kind = "paragraph"


def _groups(parts: Sequence[Part]) -> Iterator[tuple[Part | None, list[Part]]]:
    """The part before each list or table, and its parts."""
    before: Part | None = None
    members: list[Part] = []
    for part in parts:
        if members and not _is_same(members[-1], part):
            yield before, members
            before, members = members[-1], []
        if part.kind in LISTED or part.kind in ROWS or part.kind == "code":
            members.append(part)
        else:
            before = part
    if members:
        yield before, members


def _is_same(last: Part, part: Part) -> bool:
    """Whether two neighbours belong to one list or one table; each table already has its number."""
    if part.beside != last.beside:
        return False
    return (part.kind in LISTED and last.kind in LISTED) or (part.kind in ROWS and part.group == last.group)


def _nest(members: Sequence[Part]) -> None:
    """Levels of items, by how far in they start; a new column starts elsewhere, so only the same page is compared."""
    lefts: list[float] = []
    page = members[0].page
    for part in members:
        left, slack = part.lines[0].left, INDENT * part.size
        if part.page != page:
            page, lefts = part.page, [left - place for place in range(len(lefts), 0, -1)]
        while lefts and left < lefts[-1] - slack:
            lefts.pop()
        if not lefts or left > lefts[-1] + slack:
            lefts.append(left)
        part.level = max(0, len(lefts) - 1)
