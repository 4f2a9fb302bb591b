"""Parallels: rows of one table, dated headings, sections side by side, of which the question names one.

The reader sees that a table answers, and is less sure which of its rows does, since the rows say nearly the same. There
the words of the question decide: the row that holds more of them takes what the reader gives to all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec.structs import replace

from index.collections.protocols import Searcher
from index.storage.contents import Content
from service.answering.asked import Asked
from service.answering.highlighting import cells_of
from service.reader.reader import Candidate

# `make bench-thresholds` shows what these do.
AHEAD = 0.05  # the share of the question by which the best of several parallels must be ahead of the next
SURE_AT_MOST = 0.95
LEFT = 0.3  # of its confidence, what a parallel keeps that the question does not name
SECTIONS_APART = 0.1  # the share of the question that one heading must hold more than another

Parallel = tuple[int, str, int]  # document; row or heading; number of the table, or level of the heading


def told_apart(candidates: Sequence[Candidate], asked: Asked, searcher: Searcher) -> list[Candidate]:
    """The candidates with the one of several parallels in front that the question names, best first."""
    pools: dict[Parallel, list[int]] = defaultdict(list)
    for place, candidate in enumerate(candidates):
        if (parallel := parallel_of(candidate, searcher.content(candidate.document))) is not None:
            pools[parallel].append(place)
    made = list(candidates)
    for places in pools.values():
        _pool(made, places, asked, searcher)
    _by_sections(made, asked, searcher)
    return sorted(made, key=lambda each: -each.confidence)


def parallel_of(candidate: Candidate, content: Content) -> Parallel | None:
    if candidate.first != candidate.last:
        return None
    block = content.structure.block(candidate.first)
    if block.kind == "row" and block.group is not None:
        return candidate.document, "row", block.group
    return (candidate.document, "heading", block.level) if block.kind == "heading" else None


def _pool(made: list[Candidate], places: Sequence[int], asked: Asked, searcher: Searcher) -> None:
    """Give to the one that holds most of the question what the reader gives to all of them."""
    if len(places) < 2:
        return
    shares = sorted(((asked.share(_text(made[place], searcher)), place) for place in places), reverse=True)
    (most, best), (second, _) = shares[:2]
    if most - second < AHEAD:
        return
    pooled = min(sum(made[place].confidence for place in places), max(SURE_AT_MOST, made[best].confidence))
    likeliest = max(places, key=lambda place: made[place].confidence)
    for place in places:
        confidence = pooled if place == best else LEFT * made[place].confidence
        made[place] = replace(made[place], confidence=confidence)
    if likeliest != best:
        made[best] = _in_the_column_of(made[likeliest], made[best], searcher)


def _in_the_column_of(other: Candidate, row: Candidate, searcher: Searcher) -> Candidate:
    """A row with the cell marked that stands below the one that the reader marked in another row of the table."""
    content = searcher.content(row.document)
    if other.highlight is None or content.structure.block(row.first).kind != "row":
        return row
    there, here = (cells_of(each.span, content) for each in (other, row))
    column = next((n for n, cell in enumerate(there) if cell.start <= other.highlight.start < cell.end), len(here))
    return replace(row, highlight=here[column]) if column < len(here) and here[column] else row


def _by_sections(made: list[Candidate], asked: Asked, searcher: Searcher) -> None:
    """Lower what stands under a heading that says less of the question, where the sentences alone say as much."""
    if not made:
        return
    first = max(range(len(made)), key=lambda place: made[place].confidence)
    document = made[first].document
    rivals = [place for place in range(len(made)) if made[place].document == document]
    own = {place: asked.share(_text(made[place], searcher)) for place in rivals}
    above = {
        place: asked.share(f"{_headings(made[place], searcher)}\n{_text(made[place], searcher)}") for place in rivals
    }
    level = [place for place in rivals if abs(own[place] - own[first]) < AHEAD]
    most = max(above[place] for place in level)
    for place in level:
        if most - above[place] >= SECTIONS_APART:
            made[place] = replace(made[place], confidence=LEFT * made[place].confidence)


def _text(candidate: Candidate, searcher: Searcher) -> str:
    return searcher.content(candidate.document).text[slice(*candidate.span)]


def _headings(candidate: Candidate, searcher: Searcher) -> str:
    return "\n".join(searcher.content(candidate.document).structure.block(candidate.first).headings)
