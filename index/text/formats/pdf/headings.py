"""Headings: parts in larger or bolder letters than most text, or listed in the file's outline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from index.text.formats.pdf.parts import ENDS, Part

LARGER = 1.12  # relative to the text size
LONGEST = 200  # code points
NUMBERED = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]{1,5}\.|[A-Z]\.|(?:Chapter|Section|Kapitel|Part)\s+\w+[.:]?)\s+\S"
)
DEPTH = re.compile(r"\d{1,2}((?:\.\d{1,2})*)\.?\s")
SPACE = re.compile(r"\s+")
Key = tuple[float, bool, int]  # size, in steps of 4 %; whether it is not bold; depth of its number


def mark(parts: list[Part], body: float, outline: Iterable[str], *, bold_text: bool) -> list[Part]:
    """`parts` with headings marked, lines of one heading joined, and the path of headings for each part."""
    named = {_plain(title) for title in outline}
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        if _is_heading(part, following, body, named, bold_text=bold_text):
            part.kind = "heading"
    joined = list(_joined(parts))
    levels = _levels(joined)
    path: list[tuple[int, str]] = []
    for part in joined:
        if part.kind == "heading":
            part.level = levels[_key(part)]
            path = [
                *(above for above in path if above[0] < part.level),
                (part.level, SPACE.sub(" ", part.text).strip()),
            ]
        part.headings = tuple(title for _, title in path)
    return joined


def _plain(title: str) -> str:
    return re.sub(r"\W+", " ", re.sub(r"^[\d.]+\s+", "", title)).strip().casefold()


def _is_heading(part: Part, following: Part | None, body: float, named: set[str], *, bold_text: bool) -> bool:
    text = part.text
    if not _may_be(part, text) or part.size < 0.95 * body:
        return False
    is_sentence = ENDS.search(text) is not None and text[-1] not in "?!"
    if _plain(text) in named:
        return True
    if part.size >= LARGER * body:
        return not is_sentence or len(part.lines) == 1
    if part.bold and not bold_text:
        stands_alone = following is None or following.bold != part.bold or following.size < 0.97 * part.size
        return not is_sentence and len(part.lines) <= 2 and (stands_alone or NUMBERED.match(text) is not None)
    letters = sum(character.isalpha() for character in text)
    return len(part.lines) == 1 and letters >= 4 and text.isupper() and not is_sentence


def _may_be(part: Part, text: str) -> bool:
    """Whether a part could be a heading: short, with words, not a list item or table cell."""
    is_text = part.kind == "paragraph" or (part.kind == "step" and NUMBERED.match(text) is not None)
    is_short = len(text) <= LONGEST and len(part.lines) <= 3
    return is_text and is_short and not part.beside and sum(character.isalpha() for character in text) >= 2


def _joined(parts: Iterable[Part]) -> Iterable[Part]:
    """Lines of one heading that were parts of their own, as one part."""
    last: Part | None = None
    for part in parts:
        if last is not None and _is_one(last, part):
            last.lines += part.lines
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def _is_one(last: Part, part: Part) -> bool:
    return (
        last.kind == part.kind == "heading"
        and last.page == part.page
        and abs(last.size - part.size) < 0.02 * part.size
        and last.bold == part.bold
        and 0 < part.lines[0].base - last.lines[-1].base < 1.4 * part.size
        and not NUMBERED.match(part.text)
        and len(last.lines) < 4
    )


def _key(part: Part) -> Key:
    depth = DEPTH.match(part.text)
    return round(part.size, 1), not part.bold, max(1, depth[1].count(".") + 1) if depth else 1


def _levels(parts: Sequence[Part]) -> Mapping[Key, int]:
    """A level for each heading style: first the larger, then the bolder, then the less deeply numbered."""
    keys = sorted({_key(part) for part in parts if part.kind == "heading"}, key=lambda key: (-key[0], *key[1:]))
    levels: dict[Key, int] = {}
    last: Key | None = None
    for key in keys:
        same = last is not None and last[0] - key[0] < 0.04 * key[0] and last[1:] == key[1:]
        levels[key] = levels[last] if same and last is not None else len(set(levels.values())) + 1
        last = key
    return levels
