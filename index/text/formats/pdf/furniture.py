"""Page headers, footers and page numbers: text at the same position at the edge of several pages.

Digits count as equal, and page numbers must increase with the pages. Each page is searched from its edge inwards, up to
the first row that is none of these.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from index.text.formats.pdf.words import Word, rows

EDGE = 0.16  # of the height of a page, at its top and at its bottom
DEEPEST = 5  # rows from the edge
NEAR = 6.0  # points; tolerance for the same position on two pages
DIGITS = re.compile(r"\d+")
PAGE_NUMBER = re.compile(r"\W*(?:(?:page|p\.|seite|página|pagina|стр\.)\s*)?(\d{1,4}|[ivxlc]{1,7})\W*", re.IGNORECASE)
PAGE_OF = re.compile(
    r"\W*(?:page|p\.|seite|página|pagina|стр\.)?\s*(\d{1,4})\s*(?:of|/|von|de|sur|из)\s*\d{1,4}\W*", re.IGNORECASE
)
ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


class Edge(Struct, frozen=True):
    """A row near the top or bottom of a page."""

    page: int
    at_top: bool
    depth: int  # 0 for the row nearest to the edge
    base: float
    text: str
    words: list[Word]

    @property
    def pattern(self) -> tuple[bool, str]:
        return self.at_top, DIGITS.sub("#", self.text).casefold()


def furniture_words(
    pages: Sequence[Sequence[Word]], bounds: Sequence[tuple[float, float]], body: float
) -> list[set[int]]:
    """For each page the `id`s of the words that are furniture.

    `bounds`: the top and the bottom of each page; `body`: the font size of most text.
    """
    edges = [list(_edges(number, *page)) for number, page in enumerate(zip(pages, bounds, strict=True))]
    repeated = _repeated(edges, len(pages), body)
    numbers = _offsets(edges)
    furniture: list[set[int]] = []
    for page in edges:
        ids: set[int] = set()
        for at_top in (True, False):
            for edge in (edge for edge in page if edge.at_top is at_top):
                if not (_is_at(edge, repeated) or _is_number(edge, numbers, len(pages))):
                    break
                ids |= {id(word) for word in edge.words}
        furniture.append(ids)
    return furniture


def _edges(page: int, words: Sequence[Word], bounds: tuple[float, float]) -> Iterator[Edge]:
    """Rows from the top inwards, then from the bottom inwards."""
    depth = EDGE * (bounds[1] - bounds[0])
    upper = rows([word for word in words if word.base < bounds[0] + depth])
    lower = rows([word for word in words if word.base > bounds[1] - depth])
    for at_top, edge in ((True, upper[:DEEPEST]), (False, lower[: -DEEPEST - 1 : -1])):
        for number, row in enumerate(edge):
            yield Edge(page, at_top, number, row[0].base - bounds[0], " ".join(word.text for word in row), row)


def _repeated(edges: Sequence[Sequence[Edge]], pages: int, body: float) -> Mapping[tuple[bool, str], list[float]]:
    """Patterns with letters that occur on several pages, and their repeated baselines."""
    places: dict[tuple[bool, str], list[float]] = defaultdict(list)
    for page in edges:
        for edge in page:
            is_title = pages < 6 and edge.words[0].size > 1.25 * body
            if sum(character.isalpha() for character in edge.text) >= 3 and not is_title:
                places[edge.pattern].append(edge.base)
    least = 2 if pages < 12 else 3
    return {pattern: bases for pattern, bases in places.items() if len(bases) >= least}


def _is_at(edge: Edge, repeated: Mapping[tuple[bool, str], list[float]]) -> bool:
    """Whether a row has the same position on another page."""
    return sum(1 for base in repeated.get(edge.pattern, ()) if abs(base - edge.base) <= NEAR) >= 2


def _offsets(edges: Sequence[Sequence[Edge]]) -> Counter[tuple[bool, int]]:
    """For each number at the top or bottom of pages, the counts of its difference to the page's own number."""
    counts: Counter[tuple[bool, int]] = Counter()
    for page in edges:
        for edge in page:
            number = page_number(edge.text)
            if number is not None:
                counts[edge.at_top, number - edge.page] += 1
    return counts


def _is_number(edge: Edge, offsets: Counter[tuple[bool, int]], pages: int) -> bool:
    number = page_number(edge.text)
    if number is None:
        return False
    return offsets[edge.at_top, number - edge.page] >= 2 or (
        number == edge.page + 1 and (pages == 1 or edge.depth == 0)
    )


def page_number(text: str) -> int | None:
    """The number that a row consists of: `- 12 -` -> 12, `Page 3 of 10` -> 3, `iv` -> 4; None for other rows."""
    match = PAGE_NUMBER.fullmatch(text) or PAGE_OF.fullmatch(text)
    if match is None:
        return None
    digits = match[1].lower()
    return int(digits) if digits.isdecimal() else _roman(digits)


def _roman(digits: str) -> int:
    values = [ROMAN[digit] for digit in digits]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )
