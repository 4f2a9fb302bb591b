"""The tree of a page, as far as its text needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

NEWLINE = re.compile("\r\n?")


def names(of: str) -> frozenset[str]:
    """Tags, roles or classes, set down as words."""
    return frozenset(of.split())


def normalized(text: str) -> str:
    """A text with every newline a line feed, as HTML and XML read it."""
    return NEWLINE.sub("\n", text)


class Piece(NamedTuple):
    """A run of text of one token: where it stands in the source, and its value where that is a character reference."""

    start: int  # code points of the source, its newlines normalized
    end: int
    value: str | None = None


class Element:
    """An element with its children in the order of the tree."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | Piece] = []

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")


class Page(NamedTuple):
    """A page's source, its newlines normalized, and the tree that a browser makes of it."""

    source: str
    root: Element


Event = tuple[Element, bool] | Piece  # an element entered (True) or left, or text


def walk(root: Element, skipped: frozenset[Element] | set[Element] = frozenset()) -> Iterator[Event]:
    """Each element when it is entered and when it is left, and the text between; without recursion."""
    yield root, True
    stack = [(root, iter(root.children))]
    while stack:
        element, children = stack[-1]
        for child in children:
            if isinstance(child, Piece):
                yield child
            elif child not in skipped:
                yield child, True
                stack.append((child, iter(child.children)))
                break
        else:
            yield element, False
            stack.pop()


def elements(root: Element, *tags: str) -> Iterator[Element]:
    """The elements of these tags, in the order of the tree, the root among them."""
    stack = [root]
    while stack:
        element = stack.pop()
        if element.tag in tags:
            yield element
        stack.extend(child for child in reversed(element.children) if isinstance(child, Element))


def content(page: Page, element: Element) -> str:
    """The text below an element, white space collapsed."""
    pieces = (event for event in walk(element) if isinstance(event, Piece))
    shown = (page.source[each.start : each.end] if each.value is None else each.value for each in pieces)
    return " ".join("".join(shown).split())
