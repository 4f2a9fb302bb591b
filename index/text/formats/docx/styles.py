"""The styles of a DOCX: headings, lists, visibility."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from index.text.formats.containers import Element
from index.text.formats.office.style_names import is_title_style, kind_of, outline_level
from index.types import BlockKind

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = f"{W}val"
OFF = frozenset({"0", "false", "off", "none"})
BODY_TEXT = 9  # the outline level of body text
LONGEST_CHAIN = 20  # length of a chain of styles; Word follows at most ten


class Style(Struct, frozen=True):
    """The properties a paragraph or run gets from its style; None: not set."""

    name: str = ""
    based_on: str | None = None
    outline: int | None = None  # 0 for a top-level heading
    list_id: str | None = None
    list_level: int | None = None
    hidden: bool | None = None
    kind: BlockKind = "paragraph"

    @property
    def is_title(self) -> bool:
        return is_title_style(self.name)


class Styles:
    """The styles of a document by identifier, with inheritance."""

    def __init__(self, root: Element | None) -> None:
        elements = [] if root is None else root.findall(f"{W}style")
        self.own = {each.get(f"{W}styleId", ""): _style(each) for each in elements}
        self.resolved: dict[str | None, Style] = {}
        self.default = next(
            (
                each.get(f"{W}styleId")
                for each in elements
                if each.get(f"{W}type") == "paragraph" and is_on(each.get(f"{W}default", "0"))
            ),
            None,
        )

    def get(self, identifier: str | None) -> Style:
        """A style with its inherited properties; an undefined one is interpreted by its name."""
        if identifier not in self.resolved:
            self.resolved[identifier] = self._resolve(identifier)
        return self.resolved[identifier]

    def _resolve(self, identifier: str | None) -> Style:
        if identifier is None:
            return Style()
        style = self.own.get(identifier)
        if style is None:
            return Style(name=identifier, outline=outline_level(identifier), kind=kind_of(identifier))
        parent = style.based_on
        for _ in range(LONGEST_CHAIN):
            if parent is None or parent not in self.own:
                break
            style, parent = _inherited(style, self.own[parent]), self.own[parent].based_on
        return style


def is_on(value: str | None) -> bool:
    """Whether a boolean attribute is true; `<w:vanish/>` without one is."""
    return value is None or value.lower() not in OFF


def toggle(properties: Element | None, name: str) -> bool | None:
    """The value of a boolean property, None if it is missing."""
    element = None if properties is None else properties.find(name)
    return None if element is None else is_on(element.get(VAL))


def value(properties: Element | None, *path: str) -> str | None:
    """The `w:val` of the element at a path."""
    element = None if properties is None else properties.find("/".join(path))
    return None if element is None else element.get(VAL)


def number(text: str | None) -> int | None:
    """A small non-negative number, None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _style(element: Element) -> Style:
    name = value(element, f"{W}name") or ""
    paragraph = element.find(f"{W}pPr")
    outline = number(value(paragraph, f"{W}outlineLvl"))
    return Style(
        name=name,
        based_on=value(element, f"{W}basedOn"),
        outline=outline_level(name) if outline is None else outline,
        list_id=value(paragraph, f"{W}numPr", f"{W}numId"),
        list_level=number(value(paragraph, f"{W}numPr", f"{W}ilvl")),
        hidden=toggle(element.find(f"{W}rPr"), f"{W}vanish"),
        kind=kind_of(name),
    )


def _inherited(style: Style, parent: Style) -> Style:
    return replace(
        style,
        outline=parent.outline if style.outline is None else style.outline,
        list_id=parent.list_id if style.list_id is None else style.list_id,
        list_level=parent.list_level if style.list_level is None else style.list_level,
        hidden=parent.hidden if style.hidden is None else style.hidden,
        kind=parent.kind if style.kind == "paragraph" else style.kind,
    )
