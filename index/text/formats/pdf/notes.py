"""Footnotes: the last lines of a column, in smaller letters or below a short rule, the first one with a mark."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.text.formats.pdf.lines import Line
from index.text.formats.pdf.rules import Rule

MARK = re.compile(r"(\d{1,3}|[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}|[*†‡§¶]{1,3}|[a-z](?=[.)]))[.)]?\s*(?=\S)")
RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
SMALLER = 0.93  # relative to the text size


def split(lines: Sequence[Line], rules: Sequence[Rule], body: float, bottom: float) -> tuple[list[Line], list[Line]]:
    """The lines of a column without footnotes, and the footnotes; `bottom` is the end of the page's text."""
    start = _start(lines, rules, body)
    is_low = bool(lines) and lines[-1].base > bottom - 4 * body
    if start is None or not is_low:
        return list(lines), []
    return list(lines[:start]), list(lines[start:])


def _start(lines: Sequence[Line], rules: Sequence[Rule], body: float) -> int | None:
    """The start of a column's footnotes: after a rule, or else where the small letters start."""
    small = len(lines)
    while small > 0 and lines[small - 1].size <= SMALLER * body:
        small -= 1
    for number in range(1, len(lines)):
        between = lines[number - 1].base, lines[number].base
        if MARK.match(lines[number].text) and any(_is_short(rule, lines[number], *between) for rule in rules):
            return number
    candidates = range(small, len(lines))
    first = next((number for number in candidates if MARK.match(lines[number].text)), None)
    return first if first == small and small < len(lines) else None


def _is_short(rule: Rule, line: Line, above: float, below: float) -> bool:
    """Whether a rule is one above footnotes: short, and it starts where the line does."""
    return (
        not rule.upright
        and above < rule.at < below
        and abs(rule.start - line.left) < 2 * line.size
        and 20 < rule.stop - rule.start < 260
    )


def starts(lines: Sequence[Line]) -> list[int]:
    """Which lines start a footnote."""
    return [number for number, line in enumerate(lines) if number == 0 or _is_next(line, lines[number - 1])]


def _is_next(line: Line, before: Line) -> bool:
    mark = MARK.match(line.text)
    return mark is not None and (
        not mark[1].isdigit() or before.text[-1:] in ".!?)”\"'’]" or line.left < before.left - 3
    )


def marks(lines: Sequence[Line]) -> set[str]:
    """The numbers of the footnotes."""
    matches = (MARK.match(lines[number].text) for number in starts(lines))
    return {match[1].translate(PLAIN) for match in matches if match}


def without_marks(line: Line, numbers: set[str]) -> Line:
    """A line without the raised numbers of footnotes, which are not part of its sentences."""
    for match in reversed(list(RAISED.finditer(line.text))):
        before = line.text[match.start() - 1 : match.start()]
        if match[0].translate(PLAIN) in numbers and match.start() > 0 and not before.isdigit():
            line = line.without(*match.span())
    return line
