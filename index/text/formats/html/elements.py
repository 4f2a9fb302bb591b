"""The tree of a page, as far as its text needs it, as a flat list in tree order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

NEWLINE = re.compile("\r\n?")


def names(of: str) -> frozenset[str]:
    """Tags, roles or classes, from a string of words."""
    return frozenset(of.split())


def normalized(text: str) -> str:
    """A text with all newlines as line feeds, as HTML and XML define it."""
    return NEWLINE.sub("\n", text)


class Piece(NamedTuple):
    """A run of text from one token: its source position, and its value if it is a character reference."""

    start: int  # code points of the source, with normalised newlines
    end: int
    value: str | None = None


class Element:
    """An element; in the page's events, it opens at `start` and closes at `end`."""

    __slots__ = ("attributes", "end", "start", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], start: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.start = start
        self.end = start

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")


Event = Element | Piece


class Page:
    """A page's source with normalised newlines, and the tree that a browser builds from it.

    A flat list needs no recursion, and excluded elements are skipped in one step.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.events: list[Event] = []
        self.elements: list[Element] = []  # in tree order
        self.tags: dict[str, list[Element]] = {}
        self._open: list[Element] = []
        self.root = self.open("#document", {})

    def open(self, tag: str, attributes: dict[str, str]) -> Element:
        element = Element(tag, attributes, len(self.events))
        self.events.append(element)
        self.elements.append(element)
        self.tags.setdefault(tag, []).append(element)
        self._open.append(element)
        return element

    def close(self) -> None:
        element = self._open.pop()
        element.end = len(self.events)
        self.events.append(element)

    def named(self, *tags: str) -> list[Element]:
        """The elements with these tags."""
        return [element for tag in tags for element in self.tags.get(tag, ())]

    def within(self, element: Element) -> Iterator[Event]:
        """The contents of an element: its elements twice, on opening and closing, and its text."""
        events = self.events
        return (events[place] for place in range(element.start + 1, element.end))

    def text_of(self, piece: Piece) -> str:
        return self.source[piece.start : piece.end] if piece.value is None else piece.value

    def content(self, element: Element) -> str:
        """The text in an element, white space collapsed."""
        return " ".join("".join(self.text_of(each) for each in self.within(element) if type(each) is Piece).split())
