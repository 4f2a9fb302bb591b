"""Which part of a page is its text: <main> or <article> where there is one, else what is not around it.

Every pass takes time linear in the page, however it is nested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from index.text.formats.html import visibility
from index.text.formats.html.elements import Element, Page, Piece, elements, walk

LABELS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt", "legend"})
CONTAINERS = frozenset({"div", "ul", "ol", "section", "table", "dl", "tr", "td", "form", "center", "p"})
SHORT_LINK = 40  # letters; links of navigation are short, those of text stand in sentences
FEWEST_LINKS = 3
LINKED = 0.7  # of the letters
MOST = 0.5  # of the letters: what holds so much of a page is not around it
LEAST = 40  # letters
FEW = 200  # letters
RIGHTS = re.compile(r"\s*(?:©|\(c\)|copyright\b|all rights reserved)", re.IGNORECASE)
COLONS = (":", "：")


class Weight(NamedTuple):
    """What an element shows."""

    letters: int
    linked: int  # letters in links
    links: int
    titles: int  # <h1> in it, itself included
    first: Piece | None  # of its text


class Selection(NamedTuple):
    """The elements whose text is the text of the page, in order, and what below them is left out."""

    roots: list[Element]
    skipped: set[Element]


def select(page: Page) -> Selection:
    """The text of a page; where that would be nothing, first what its names call furniture is text, then all of it."""
    body = next(elements(page.root, "body"), page.root)
    hidden = _hidden(page, body)
    for named in (True, False):
        selection = _chosen(page, body, hidden | _around(page, body, hidden, named=named))
        if _letters(page, selection):
            return selection
    return Selection([body], {each for each in _entered(body) if each.tag in visibility.UNSHOWN})


def _letters(page: Page, selection: Selection) -> int:
    return sum(_weights(page, root, selection.skipped)[root].letters for root in selection.roots)


def _entered(root: Element, skipped: set[Element] | None = None) -> Iterator[Element]:
    for event in walk(root, skipped if skipped is not None else set()):
        if not isinstance(event, Piece) and event[1]:
            yield event[0]


def _hidden(page: Page, body: Element) -> set[Element]:
    hidden: set[Element] = set()
    labels = raised = 0
    for event in walk(body, hidden):
        if isinstance(event, Piece):
            continue
        element, entered = event
        if element.tag in LABELS:
            labels += 1 if entered else -1
        if element.tag == "sup":
            raised += 1 if entered else -1
        if (
            entered
            and element is not body
            and (
                visibility.is_hidden(element, in_label=labels > 0)
                or visibility.is_marker(page, element, raised=raised > 0)
            )
        ):
            hidden.add(element)
    return hidden


def _weights(page: Page, root: Element, skipped: set[Element]) -> dict[Element, Weight]:
    """The weight of each element that is not skipped."""
    weights: dict[Element, Weight] = {}
    above: list[list[int]] = [[0, 0, 0, 0]]
    firsts: list[Piece | None] = [None]
    in_link = 0
    for event in walk(root, skipped):
        if isinstance(event, Piece):
            letters = len(page.source[event.start : event.end].strip()) if event.value is None else 1
            above[-1][0] += letters
            if in_link:
                above[-1][1] += letters
            if letters:
                firsts[-1] = firsts[-1] or event
            continue
        element, entered = event
        is_link = element.tag == "a" and "href" in element.attributes
        if entered:
            in_link += is_link
            above.append([0, 0, is_link, element.tag == "h1"])
            firsts.append(None)
            continue
        in_link -= is_link
        sums, first = above.pop(), firsts.pop()
        weights[element] = Weight(sums[0], sums[1], sums[2], sums[3], first)
        above[-1] = [mine + its for mine, its in zip(above[-1], sums, strict=True)]
        firsts[-1] = firsts[-1] or first
    return weights


def _around(page: Page, body: Element, hidden: set[Element], *, named: bool) -> set[Element]:
    """Navigation, footers and their like: by mark-up, by name, by links."""
    weights = _weights(page, body, hidden)
    around: set[Element] = set()
    inside = headers = 0  # how many <main> and <article>, and headers of the page, are open
    last: Piece | None = None
    for event in walk(body, skipped := set(hidden)):
        if isinstance(event, Piece):
            last = event if event.value or page.source[event.start : event.end].strip() else last
            continue
        element, entered = event
        is_text = element.tag in ("main", "article") or element.get("role") in ("main", "article")
        is_header = element.tag == "header" and not inside
        if entered and element is not body and not is_text:
            weight = weights[element]
            small = weight.letters < MOST * weights[body].letters
            if (
                (visibility.is_around(element) and (small or element.tag in ("nav", "footer")))
                or (small and (headers or is_header) and not weight.titles)
                or (small and named and visibility.is_named_furniture(element))
                or (small and not inside and (_is_links(element, weight, page, last) or _is_rights(weight, page)))
            ):
                around.add(element)
                skipped.add(element)
        change = 1 if entered else -1
        inside += change * is_text
        headers += change * is_header
    return around


def _is_links(element: Element, weight: Weight, page: Page, last: Piece | None) -> bool:
    """Whether it is a block of short links, and not a list that a sentence introduces."""
    if element.tag not in CONTAINERS or weight.links < FEWEST_LINKS or weight.linked < LINKED * weight.letters:
        return False
    if element.tag == "p" and weight.letters > FEW:
        return False
    is_introduced = last is not None and page.source[last.start : last.end].rstrip().endswith(COLONS)
    return weight.linked <= SHORT_LINK * weight.links and not is_introduced


def _is_rights(weight: Weight, page: Page) -> bool:
    first = weight.first
    return (
        first is not None
        and weight.letters < FEW
        and bool(RIGHTS.match(first.value or page.source[first.start : first.end]))
    )


def _chosen(page: Page, body: Element, skipped: set[Element]) -> Selection:
    weights = _weights(page, body, skipped)
    for name, share in (("main", 0.1), ("article", MOST)):
        roots = _outermost(body, skipped, name)
        letters = sum(weights[root].letters for root in roots)
        if roots and letters >= max(LEAST, share * weights[body].letters):
            return Selection(_with_title(body, roots, skipped, weights), skipped)
    return Selection([body], skipped)


def _outermost(body: Element, skipped: set[Element], name: str) -> list[Element]:
    roots: list[Element] = []
    depth = 0
    for event in walk(body, skipped):
        if not isinstance(event, Piece) and name in (event[0].tag, event[0].get("role")):
            if event[1] and not depth:
                roots.append(event[0])
            depth += 1 if event[1] else -1
    return roots


def _with_title(
    body: Element, roots: list[Element], skipped: set[Element], weights: dict[Element, Weight]
) -> list[Element]:
    """The heading of the page belongs to its text, where it stands in front of it."""
    if any(weights[root].titles for root in roots):
        return roots
    for element in _entered(body, skipped):
        if element is roots[0]:
            break
        if element.tag == "h1":
            return [element, *roots]
    return roots
