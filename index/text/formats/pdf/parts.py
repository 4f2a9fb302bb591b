"""Groups the lines of a column into parts: paragraphs, list items and steps, captions, lines of contents."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from index.text.formats.pdf.bidi import is_rtl
from index.text.formats.pdf.lines import NO_GLYPH, Line
from index.types import BlockKind

BULLET = re.compile(r"[•‣⁃◦▪▫·●○■□➢➤►✓✔–—*-]\s+(?=\S)|o\s+(?=[A-Z])")
NUMBER = re.compile(r"\(?(\d{1,3}|[A-Za-z]|[ivx]{1,5})[.)]\s+(?=\S)")
CAPTION = re.compile(
    r"(?:Figure|Fig\.|Table|Tab\.|Chart|Exhibit|Plate|Scheme|Listing|Box|Abbildung|Abb\.|Tabelle|Tableau|Figura|Tabla)"
    r"\s+[A-Z]?\d+(?:[.\-]\d+)*\s*(?:[.:–—|]|$|\s(?=[A-Z(]))"
)
CONTENTS = re.compile(r".*?(?:(?:\.\s?){4,}+|…{2,}+)\s*+(?:\d{1,4}|[ivxlc]{1,7})")
ENDS = re.compile(r"[.!?:;。！？…][\"'”’»›)\]]*$")
CODE = re.compile(r"[^\w\s.,-]")
INDENT = 0.8  # em: a line that starts so much further in is indented
WIDE = 1.2  # of the usual distance of lines: a new part starts


class Part(Struct):
    """A block under construction."""

    kind: BlockKind
    page: int
    lines: list[Line]
    cells: list[list[Line]] = []  # of a row of a table, instead of lines
    level: int = 0
    group: int | None = None
    introduces: bool = False
    beside: bool = False  # a note in the margin or at the foot of the page: no part of the course of the text
    headings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def size(self) -> float:
        return self.lines[0].size if self.lines else 0.0

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)


def leading(columns: Sequence[Sequence[Line]]) -> dict[int, float]:
    """The usual line distance for each font size (rounded): the smallest that is not rare."""
    gaps: dict[int, Counter[float]] = defaultdict(Counter)
    for lines in columns:
        for before, line in pairwise(lines):
            step = line.base - before.base
            if abs(before.size - line.size) < 0.5 and 0.9 * line.size < step < 2.4 * line.size:
                gaps[round(line.size)][round(2 * step) / 2] += 1
    return {
        size: min(step for step, count in steps.items() if count >= 0.25 * max(steps.values()))
        for size, steps in gaps.items()
    }


def split(lines: Sequence[Line], page: int, usual: Mapping[int, float]) -> Iterator[Part]:
    """The parts of a column, in order."""
    code: Part | None = None
    for run in _runs(lines, usual):
        for start, stop in pairwise([*_starts(run), len(run)]):
            part = Part(kind=_kind(run[start:stop]), page=page, lines=run[start:stop])
            if code and all(line.mono for line in part.lines) and _is_close(code.lines, part.lines[0]):
                code.lines += part.lines  # an empty line within it
                continue
            yield from [code] if code else []
            code = part if part.kind == "code" else None
            yield from [] if code else [part]
    yield from [code] if code else []


def _is_close(code: Sequence[Line], line: Line) -> bool:
    """Whether a line goes on with code: below it, at most an empty line away, and not further out."""
    left = min(each.left for each in code)
    is_below = 0 < line.base - code[-1].base < 2.8 * line.size
    return is_below and line.left > left - 0.5 * line.size and code[-1].frame is line.frame


def _runs(lines: Sequence[Line], usual: Mapping[int, float]) -> Iterator[list[Line]]:
    """Lines at their usual distance in one style."""
    run: list[Line] = []
    for line in lines:
        if run and not _is_near(run[-1], line, usual):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _is_near(before: Line, line: Line, usual: Mapping[int, float]) -> bool:
    step = line.base - before.base
    widest = WIDE * usual.get(round(line.size), 1.25 * line.size) + 0.5
    if not 0 < step <= widest or before.frame is not line.frame:
        return False
    if before.mono != line.mono and (ENDS.search(before.text) or before.left != line.left):
        return False
    same_size = abs(before.size - line.size) <= 0.06 * line.size
    return (same_size and (before.bold == line.bold or _is_short(line))) or _runs_on(before, line)


def _runs_on(before: Line, line: Line) -> bool:
    """Whether a sentence continues in a line of another size or font, as file names do."""
    similar = abs(before.size - line.size) <= 0.2 * line.size
    is_open = before.text.count(" ") > 5 and not ENDS.search(before.text)
    return similar and is_open and not line.text[:1].isupper() and not _marker(line)


def _is_short(line: Line) -> bool:
    """Too short to infer anything from its weight: the last word of a paragraph."""
    return len(line.text) < 12 and not line.text[:1].isupper()


def _starts(run: Sequence[Line]) -> list[int]:
    """Which lines of a run start a part."""
    rtl = sum(is_rtl(line.text) for line in run) * 2 > len(run)
    if _is_code(run):
        return [0]
    near = [-line.right if rtl else line.left for line in run]
    far = [-line.left if rtl else line.right for line in run]
    indented = _indented(run, near)
    starts = [0]
    for number in range(1, len(run)):
        before, line = run[number - 1], run[number]
        first = starts[-1]
        if _marker(run[first]):
            further_out = near[number] < near[first] - INDENT * line.size
            follows = bool(_marker(line)) or further_out
        else:
            opens = _marker(line) or CAPTION.match(line.text)
            follows = number in indented or (opens is not None and ENDS.search(before.text) is not None)
        has_room = far[number - 1] + _first_word(line) < max(far) - 0.3 * line.size
        if follows or CONTENTS.fullmatch(before.text) or (has_room and not _goes_on(before, line)):
            starts.append(number)
    return starts


def _marker(line: Line) -> re.Match[str] | None:
    return BULLET.match(line.text) or NUMBER.match(line.text)


def _goes_on(before: Line, line: Line) -> bool:
    """Whether a line can only continue the previous one."""
    return before.is_hyphenated or (line.text[:1].islower() and not ENDS.search(before.text))


def _first_word(line: Line) -> float:
    """The width of a space and the first word of a line."""
    end = line.text.find(" ")
    glyphs = [glyph for glyph in line.glyphs[: end if end > 0 else None] if glyph != NO_GLYPH]
    if not glyphs:
        return 0.0
    left = min(float(line.frame.left[glyph]) for glyph in (glyphs[0], glyphs[-1]))
    right = max(float(line.frame.right[glyph]) for glyph in (glyphs[0], glyphs[-1]))
    return right - left + 0.25 * line.size


def _indented(run: Sequence[Line], near: Sequence[float]) -> set[int]:
    """Lines that start a paragraph by indentation: further in than most, or, if most are indented, not."""
    left = min(near)
    inner = [number for number, place in enumerate(near) if place > left + INDENT * run[number].size]
    if not inner or len({round(near[number] / 3) for number in inner}) > 3:
        return set()
    outer = [number for number in range(len(run)) if number not in inner]
    hanging = len(inner) > len(outer) or (len(inner) == len(outer) and 0 in outer)
    return set(outer) if hanging else set(inner)


def _is_code(lines: Sequence[Line]) -> bool:
    """Whether lines are code: all in a monospaced font, and more than a word with an explanation."""
    return all(line.mono for line in lines) and (len(lines) > 1 or CODE.search(lines[0].text) is not None)


def _kind(lines: Sequence[Line]) -> BlockKind:
    first = lines[0]
    if _is_code(lines):
        return "code"
    if CONTENTS.fullmatch(" ".join(line.text for line in lines)):
        return "contents"
    if CAPTION.match(first.text):
        return "caption"
    if BULLET.match(first.text):
        return "item"
    return "step" if NUMBER.match(first.text) else "paragraph"
