"""Classifies paragraphs by the name of their style, in the languages of office programs."""

from __future__ import annotations

import re

from index.types import BlockKind

HEADING = re.compile(
    r"(?:heading|[üu]?berschrift|titre|t[íi]tulo|titolo|kop|rubrik|overskrift|заголовок|nagłówek|nadpis"
    r"|otsikko|标题|標題|見出し|제목)\s*([1-9])",
    re.IGNORECASE,
)
KINDS: tuple[tuple[re.Pattern[str], BlockKind], ...] = (
    (re.compile(r"(?:toc|inhaltsverzeichnis|verzeichnis|tdm|table of figures)\b.*", re.IGNORECASE), "contents"),
    (re.compile(r"caption|beschriftung|légende|(?:table|figure) caption", re.IGNORECASE), "caption"),
    (re.compile(r".*\b(?:source code|code|listing|html preformatted|preformatted text)\b.*", re.IGNORECASE), "code"),
    (
        re.compile(r"(?:intense |block )?(?:quote|quotations?)|block text|(?:intensives )?zitat", re.IGNORECASE),
        "quotation",
    ),
)
TITLES = frozenset({"title", "titel", "titre", "título", "titolo"})


def outline_level(name: str) -> int | None:
    """`heading 2`, `Überschrift 2`, the identifier `berschrift2` -> 1; None for other styles."""
    match = HEADING.fullmatch(name.strip())
    return int(match[1]) - 1 if match else None


def kind_of(name: str) -> BlockKind:
    """`Caption` -> caption, `HTML Preformatted` -> code, `toc 1` -> contents, `Quote` -> quotation."""
    return next((kind for pattern, kind in KINDS if pattern.fullmatch(name)), "paragraph")


def is_title_style(name: str) -> bool:
    """Whether it is the style of the document title."""
    return name.casefold() in TITLES
