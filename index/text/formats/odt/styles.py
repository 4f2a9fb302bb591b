"""The styles of an ODT: kinds of paragraphs, hidden text, numbering of lists and headings."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from index.text.formats.containers import Element
from index.text.formats.office.list_numbers import letters, roman
from index.text.formats.office.style_names import is_title_style, kind_of, outline_level
from index.types import BlockKind

STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
LONGEST_CHAIN = 20  # length of a chain of styles
LEVELS = 10
FORMATS: dict[str, Callable[[int], str]] = {
    "a": letters,
    "A": lambda count: letters(count).upper(),
    "i": roman,
    "I": lambda count: roman(count).upper(),
}


class Style(Struct, frozen=True):
    """A style of paragraphs or text."""

    name: str
    parent: str | None
    hidden: bool
    list_style: str | None
    outline: int | None  # from 0


class Level(Struct, frozen=True):
    """The numbering of one level of a list, or of headings."""

    numbered: bool
    format: str  # "1", "a", "A", "i", "I"; empty: no number
    prefix: str
    suffix: str
    levels_displayed: int  # number of levels displayed
    start: int


class Styles:
    """The styles of `styles.xml`, and the automatic ones of `content.xml`."""

    def __init__(self, roots: list[Element]) -> None:
        self.styles: dict[str, Style] = {}
        self.lists: dict[str, dict[int, Level]] = {}
        self.outline: dict[int, Level] = {}
        for root in roots:
            for each in root.iter(f"{STYLE}style"):
                self.styles[each.get(f"{STYLE}name", "")] = _style(each)
            for each in root.iter(f"{TEXT}list-style"):
                self.lists[each.get(f"{STYLE}name", "")] = _levels(each)
            for each in root.iter(f"{TEXT}outline-style"):
                self.outline = _levels(each)

    def chain(self, name: str | None) -> list[Style]:
        """A style and its ancestors."""
        chain: list[Style] = []
        while name in self.styles and len(chain) < LONGEST_CHAIN:
            chain.append(self.styles[name])
            name = chain[-1].parent
        return chain

    def kind(self, name: str | None) -> BlockKind:
        return next((kind for style in self.chain(name) if (kind := kind_of(style.name)) != "paragraph"), "paragraph")

    def is_title(self, name: str | None) -> bool:
        return any(is_title_style(style.name) for style in self.chain(name))

    def is_hidden(self, name: str | None) -> bool:
        return any(style.hidden for style in self.chain(name))

    def level(self, list_style: str | None, level: int) -> Level | None:
        return self.lists.get(list_style or "", {}).get(level)


def displayed_number(levels: dict[int, Level], counts: list[int]) -> str:
    """The displayed number of an item: counts [4, 2] -> `4.2`, with the level's prefix and suffix; "" for a bullet."""
    level = levels.get(len(counts) - 1)
    if level is None or not level.format:
        return ""
    first = max(0, len(counts) - level.levels_displayed)
    parts = [
        FORMATS.get(levels[at].format, str)(count)
        for at, count in enumerate(counts)
        if at >= first and at in levels and levels[at].format
    ]
    return f"{level.prefix}{'.'.join(parts)}{level.suffix}".strip()


def number(text: str | None, default: int) -> int:
    """A small number, or the default for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def _style(element: Element) -> Style:
    name = element.get(f"{STYLE}display-name", element.get(f"{STYLE}name", ""))
    properties = element.find(f"{STYLE}text-properties")
    outline = element.get(f"{STYLE}default-outline-level")
    return Style(
        name=name,
        parent=element.get(f"{STYLE}parent-style-name"),
        hidden=properties is not None and properties.get(f"{TEXT}display") == "none",
        list_style=element.get(f"{STYLE}list-style-name"),
        outline=number(outline, 1) - 1 if outline else outline_level(name),
    )


def _levels(element: Element) -> dict[int, Level]:
    levels = {}
    for each in element:
        at = number(each.get(f"{TEXT}level"), 0) - 1
        if 0 <= at < LEVELS:
            levels[at] = Level(
                numbered=each.tag.endswith("number") or each.tag.endswith("outline-level-style"),
                format=each.get(f"{STYLE}num-format", ""),
                prefix=each.get(f"{STYLE}num-prefix", ""),
                suffix=each.get(f"{STYLE}num-suffix", ""),
                levels_displayed=number(each.get(f"{TEXT}display-levels"), 1),
                start=number(each.get(f"{TEXT}start-value"), 1),
            )
    return levels
