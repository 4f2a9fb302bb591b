"""Numbered and bulleted lists of a DOCX: `word/numbering.xml`, and counters for their items."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from index.text.formats.containers import Element
from index.text.formats.docx.styles import Styles, W, is_on, number, value
from index.text.formats.office.list_numbers import letters, ordinal, roman

LEVELS = 9
PLACE = re.compile("%([1-9])")
FORMATS: dict[str, Callable[[int], str]] = {
    "lowerLetter": letters,
    "upperLetter": lambda count: letters(count).upper(),
    "lowerRoman": roman,
    "upperRoman": lambda count: roman(count).upper(),
    "ordinal": ordinal,
    "decimalZero": lambda count: f"{count:02}",
}


class Level(Struct, frozen=True):
    """One level of a list."""

    format: str = "decimal"
    text: str = ""  # `%1.%2`: the counters of the levels
    start: int = 1
    restarts: bool = True  # whether a higher level restarts it
    decimal: bool = False  # whether the levels above are always displayed as decimals
    style: str | None = None  # paragraphs of this style have this level


class List(Struct, frozen=True):
    """A list that paragraphs refer to. Lists of one definition share counters, unless they restart."""

    definition: str
    levels: dict[int, Level]
    starts: dict[int, int]


class Numbering:
    """Counts list items in document order."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        definitions = (
            {}
            if root is None
            else {each.get(f"{W}abstractNumId", ""): each for each in root.findall(f"{W}abstractNum")}
        )
        nums = [] if root is None else root.findall(f"{W}num")
        by_id = {each.get(f"{W}numId", ""): value(each, f"{W}abstractNumId") or "" for each in nums}
        self.lists = {each.get(f"{W}numId", ""): _list(each, definitions, by_id, styles) for each in nums}
        self.counts: dict[str, list[int | None]] = {}
        self.started: set[tuple[str, int]] = set()

    def level(self, list_id: str | None, level: int) -> Level | None:
        """The format of a level; None if the list does not exist (`0` removes a paragraph from its style's list)."""
        if list_id not in self.lists:
            return None
        return self.lists[list_id].levels.get(level)

    def level_of_style(self, list_id: str | None, style: str | None) -> int:
        """The level of paragraphs that are in a list through their style, which need not state the level."""
        levels = self.lists[list_id].levels if list_id in self.lists else {}
        return next((at for at, each in levels.items() if style is not None and each.style == style), 0)

    def count(self, list_id: str, level: int) -> str:
        """Count an item and return its displayed number: `4.2`, `(a)`; empty for a bullet."""
        of = self.lists[list_id]
        definition = of.levels[level]
        counts = self.counts.setdefault(of.definition, [None] * LEVELS)
        if level in of.starts and (list_id, level) not in self.started:
            counts[level] = None
        own = counts[level]
        counts[level] = of.starts.get(level, definition.start) if own is None else own + 1
        self.started.add((list_id, level))
        for below in range(level + 1, LEVELS):
            if below not in of.levels or of.levels[below].restarts:
                counts[below] = None
        if definition.format in ("bullet", "none"):
            return ""
        return PLACE.sub(
            lambda match: self._displayed(of, definition, counts, int(match[1]) - 1), definition.text
        ).strip()

    @staticmethod
    def _displayed(of: List, definition: Level, counts: list[int | None], level: int) -> str:
        one = of.levels.get(level, Level())
        count = counts[level]
        format_of_level = "decimal" if definition.decimal else one.format
        return FORMATS.get(format_of_level, str)(one.start if count is None else count)


def _list(num: Element, definitions: dict[str, Element], by_id: dict[str, str], styles: Styles) -> List:
    definition = value(num, f"{W}abstractNumId") or ""
    element = definitions.get(definition)
    if element is not None and (link := value(element, f"{W}numStyleLink")):
        # The levels are in the list that the linked style names.
        element = definitions.get(by_id.get(styles.get(link).list_id or "", ""), element)
    levels = {} if element is None else _levels(element)
    starts = {}
    for override in num.findall(f"{W}lvlOverride"):
        at = number(override.get(f"{W}ilvl"))
        if at is None or at >= LEVELS:
            continue
        levels |= _levels(override)
        if (start := number(value(override, f"{W}startOverride"))) is not None:
            starts[at] = start
    return List(definition=definition, levels=levels, starts=starts)


def _levels(element: Element) -> dict[int, Level]:
    levels = {}
    for each in element.findall(f"{W}lvl"):
        at = number(each.get(f"{W}ilvl"))
        if at is None or at >= LEVELS:
            continue
        start = number(value(each, f"{W}start"))
        levels[at] = Level(
            format=value(each, f"{W}numFmt") or "decimal",
            text=value(each, f"{W}lvlText") or "",
            start=1 if start is None else start,
            restarts=value(each, f"{W}lvlRestart") != "0",
            style=value(each, f"{W}pStyle"),
            decimal=(legal := each.find(f"{W}isLgl")) is not None and is_on(legal.get(f"{W}val")),
        )
    return levels
