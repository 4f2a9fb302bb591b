"""Selects the main text of a page: <main> or <article> if present, else everything but navigation and the like.

Every step is linear in the size of the page, at any nesting.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.text.formats.html import visibility
from index.text.formats.html.elements import Element, Page, Piece, names

LABELS = names("h1 h2 h3 h4 h5 h6 summary dt legend")
CONTAINERS = names("div ul ol section table dl tr td form center p")
SHORT_LINK = 40  # letters; navigation links are short, and links in text are part of sentences
FEWEST_LINKS = 3
LINKED = 0.7  # of the letters
MOST = 0.5  # share of the letters; an element with more of the page is main text
LEAST = 40  # letters
FEW = 200  # letters
RIGHTS = re.compile(r"\s*(?:©|\(c\)|copyright\b|all rights reserved)", re.IGNORECASE)
COLONS = (":", "：")
MAIN_SHARE = 0.1  # share of the letters; an <article> must have more, because it may be a teaser


class Selection(NamedTuple):
    """The selected elements, in order, and what is excluded inside them."""

    roots: list[Element]
    skipped: set[Element]


def select(page: Page) -> Selection:
    """The text of a page. If nothing is left, elements excluded by name are included, and then everything."""
    body = next(iter(page.named("body")), page.root)
    hidden = _hidden(page, body)
    counts = _Counts(page, body, hidden)
    for named in (True, False):
        around = _around(page, body, hidden, counts, named=named)
        remaining = counts.without(around)
        roots = _roots(page, body, hidden | around, remaining)
        if any(remaining.letters(root) for root in roots):
            return Selection(roots, hidden | around)
    return Selection([body], {each for each in page.elements if each.tag in visibility.UNSHOWN})


class _Counts:
    """The letters, letters in links, links and <h1> of each element, from cumulative sums over the page's events."""

    def __init__(self, page: Page, body: Element, hidden: set[Element]) -> None:
        size = len(page.events) + 1
        letters, linked, links, titles = (np.zeros(size, np.int64) for _ in range(4))
        source, link_end = page.source, -1
        place = body.start
        while place < body.end:
            event = page.events[place]
            if type(event) is Piece:
                start, end, value = event
                count = len(source[start:end].strip()) if value is None else 1
                letters[place] = count
                if place < link_end:
                    linked[place] = count
            elif isinstance(event, Element) and event.start == place:
                if event in hidden:
                    place = event.end
                elif event.tag == "a" and "href" in event.attributes:
                    links[place] = 1
                    link_end = max(link_end, event.end)
                elif event.tag == "h1":
                    titles[place] = 1
            place += 1
        self._page = page
        self._columns = (letters, linked, links, titles)
        self._sums = [_before(column) for column in self._columns]
        self._solid: list[int] = np.flatnonzero(letters).tolist()

    def without(self, skipped: set[Element]) -> _Counts:
        """The counts without these elements."""
        rest = object.__new__(_Counts)
        rest._page, rest._solid = self._page, self._solid
        rest._columns = tuple(column.copy() for column in self._columns)  # type: ignore[assignment]
        for element in skipped:
            for column in rest._columns:
                column[element.start : element.end] = 0
        rest._sums = [_before(column) for column in rest._columns]
        return rest

    def letters(self, element: Element) -> int:
        return self._sum(0, element)

    def linked(self, element: Element) -> int:
        return self._sum(1, element)

    def links(self, element: Element) -> int:
        return self._sum(2, element)

    def titles(self, element: Element) -> int:
        """The number of <h1> in it, including itself."""
        return self._sum(3, element)

    def first_text(self, element: Element) -> str:
        """The first piece of text after the element opens."""
        return self._text_of_event(bisect_left(self._solid, element.start))

    def text_before(self, element: Element) -> str:
        """The last piece of text before the element."""
        return self._text_of_event(bisect_left(self._solid, element.start) - 1)

    def _sum(self, column: int, element: Element) -> int:
        sums = self._sums[column]
        return int(sums[element.end] - sums[element.start])

    def _text_of_event(self, number: int) -> str:
        event = self._page.events[self._solid[number]] if 0 <= number < len(self._solid) else None
        return self._page.text_of(event) if isinstance(event, Piece) else ""


def _before(column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cumulative sums before each position."""
    return np.concatenate([[0], np.cumsum(column)])


def _hidden(page: Page, body: Element) -> set[Element]:
    hidden: set[Element] = set()
    label_end = raised_end = -1
    for element in _open(page.elements, body, hidden):
        if visibility.is_hidden(element, in_label=element.start < label_end) or visibility.is_marker(
            page, element, raised=element.start < raised_end
        ):
            hidden.add(element)
        elif element.tag in LABELS:
            label_end = max(label_end, element.end)
        elif element.tag == "sup":
            raised_end = max(raised_end, element.end)
    return hidden


def _open(elements: Sequence[Element], body: Element, skipped: set[Element]) -> Iterator[Element]:
    """The elements of the body that are in no skipped element, however late they are moved there."""
    end = -1
    for element in elements:
        if element.start > end and element.start > body.start and element.end < body.end:
            yield element
            if element in skipped:
                end = element.end


def _around(page: Page, body: Element, hidden: set[Element], counts: _Counts, *, named: bool) -> set[Element]:
    """Navigation, footers and similar, by markup, by name, or by links."""
    around: set[Element] = set()
    skipped = set(hidden)
    most = MOST * counts.letters(body)
    text_end = header_end = -1  # of the open <main> or <article>, and the page header
    for element in _open(page.elements, body, skipped):
        inside = element.start < text_end
        if is_text(element):
            text_end = max(text_end, element.end)
            continue
        if element.tag == "header" and not inside:
            header_end = max(header_end, element.end)
        small = counts.letters(element) < most
        is_around = visibility.is_around(element)
        if (is_around and (small or element.tag in ("nav", "footer"))) or (
            small
            and (
                (element.start < header_end and not counts.titles(element) and not _is_in_title(page, element))
                or (named and visibility.is_named_furniture(element))
                or (not inside and (_is_links(element, counts) or _is_rights(element, counts)))
            )
        ):
            around.add(element)
            skipped.add(element)
    return around


def is_text(element: Element) -> bool:
    """Whether markup declares the element as the text of the page."""
    return element.tag in ("main", "article") or element.attributes.get("role") in ("main", "article")


def _is_in_title(page: Page, element: Element) -> bool:
    return any(title.start < element.start < title.end for title in page.named("h1")[:1])


def _is_links(element: Element, counts: _Counts) -> bool:
    """Whether it is a block of short links that is not introduced by a sentence."""
    if element.tag not in CONTAINERS or (links := counts.links(element)) < FEWEST_LINKS:
        return False
    letters, linked = counts.letters(element), counts.linked(element)
    if linked < LINKED * letters or linked > SHORT_LINK * links or (element.tag == "p" and letters > FEW):
        return False
    return not counts.text_before(element).rstrip().endswith(COLONS)


def _is_rights(element: Element, counts: _Counts) -> bool:
    return 0 < counts.letters(element) < FEW and RIGHTS.match(counts.first_text(element)) is not None


def _roots(page: Page, body: Element, skipped: set[Element], counts: _Counts) -> list[Element]:
    """<main>, or the articles, if they contain enough of the text; else the body."""
    text = [each for each in _open(page.elements, body, skipped) if is_text(each) and each not in skipped]
    for name, share in (("main", MAIN_SHARE), ("article", MOST)):
        roots: list[Element] = []
        for element in text:
            if name in (element.tag, element.get("role")) and (not roots or element.start > roots[-1].end):
                roots.append(element)
        letters = sum(map(counts.letters, roots))
        if roots and letters >= max(LEAST, share * counts.letters(body)):
            return _with_title(page, body, roots, counts)
    return [body]


def _with_title(page: Page, body: Element, roots: list[Element], counts: _Counts) -> list[Element]:
    """Include the page's heading if it is before the text."""
    if any(counts.titles(root) for root in roots):
        return roots
    titles = (each for each in _open(page.named("h1"), body, set()) if each.start < roots[0].start)
    title = next((each for each in titles if counts.letters(each)), None)
    return [title, *roots] if title else roots
