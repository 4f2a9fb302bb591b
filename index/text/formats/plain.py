"""Plain text: paragraphs, headings, list items, quoted mail, contents, and lines that stand for themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from index.text.decoding import decode
from index.text.lines import Line, lines
from index.text.list_markers import Marker, Nesting, marker_at
from index.text.wrapping import Wrapping, continues
from index.types import Block, BlockKind, Extracted, Span

MEDIA_TYPE = "text/plain"
QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
# Dots that lead to a page number. Possessive, so that a line of megabytes is searched in linear time.
CONTENTS = re.compile(r"[^\s.][ \t]*+(?:\.[ \t]?){4,}+[ \t]*+(?:\d{1,4}|[ivxlc]{1,6})?[ \t]*+$")
PAGE = re.compile(r".*\[Page (?:\d+|[ivxlc]+)\][ \t]*$")
RULE = re.compile(r"\s*(?:[^\w\s]|_){3,}\s*$")
DRAWING = re.compile(r"[|+<>{}=\\/*#;$~^&_]|--")
NUMBERED_HEADING = re.compile(
    r"(?:(?:Appendix|Annex)[ \t]+)?(?P<number>(?:\d{1,3}|[A-Z])(?:\.\d{1,3})*)\.?[ \t]+(?=[^\W\d_])"
)
NAMED_HEADING = re.compile(
    r"(?:chapter|part|book|section|article|appendix|annex|act|scene)\s+(?:\d+|[ivxlcdm]+|[a-z])\b", re.IGNORECASE
)
NUMBERED = re.compile(r"\s*\d{1,3}\.\s+\S")
COLUMNS = re.compile(r"\s{2,}")
MOST_FURNITURE = 6  # pieces between two halves of a sentence
FULL_STOP = re.compile(r"[.!?:;][\"'”’)]*\s*$")
SENTENCE_END = re.compile(r"[.!?:;,]$")
LETTER = re.compile(r"[^\W\d_]")
LONGEST_HEADING = 100  # code points
UNDERLINES = {"=": 1, "-": 2, "~": 3}


class Paragraph(Struct, frozen=True):
    """Lines between blank lines, all with the same quote depth, without quote marks."""

    lines: list[Line]
    quoted: int  # the number of `>` before each


class Piece(Struct, frozen=True):
    """A block without its path of headings."""

    first: Line
    last: Line
    kind: BlockKind = "paragraph"
    level: int = 0
    marker: Marker | None = None


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a plain text file. Raises DocumentError."""
    decoded = decode(data, source, charset)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=MEDIA_TYPE,
        title=None,
        blocks=tuple(blocks(decoded.text)),
    )


def blocks(text: str) -> Iterator[Block]:
    r"""Blocks without surrounding white space; they cover all other characters: `"a\n\n- b"` -> `a`, `- b`."""
    paragraphs = list(_paragraphs(text))
    wrapping = Wrapping.of([paragraph.lines for paragraph in paragraphs if not _is_drawing(paragraph.lines)])
    path: list[tuple[int, str]] = []
    nesting, group, listed = Nesting(), -1, False
    for piece in _across_pages(piece for paragraph in paragraphs for piece in _pieces(paragraph, wrapping)):
        begin = piece.first.start - piece.first.mark
        begin += len(text[begin : piece.last.end]) - len(text[begin : piece.last.end].lstrip())
        number, level = None, piece.level
        if piece.kind == "heading":
            path = [*(above for above in path if above[0] < level), (level, " ".join(piece.first.text.split()))]
        if piece.marker is not None:
            if not listed or nesting.ended_by(piece.marker):
                nesting, group = Nesting(), group + 1
            number, level = group, nesting.level(piece.marker)
        listed = piece.marker is not None
        yield Block(Span(begin, piece.last.end), tuple(title for _, title in path), piece.kind, number, level)


def _paragraphs(text: str) -> Iterator[Paragraph]:
    """Runs of non-blank lines. Quoted lines lose their marks, so that their widths are comparable."""
    run: list[Line] = []
    depth = 0
    for line in lines(text):
        mark = QUOTE.match(line.text)
        quoted = mark[0].count(">") if mark else 0
        width = mark.end() if mark else 0
        bare = Line(line.start + width, line.text[width:], line.newline, width)
        if run and (quoted != depth or bare.blank):
            yield Paragraph(run, depth)
            run = []
        depth = quoted
        if not bare.blank:
            run.append(bare)
        elif quoted:
            yield Paragraph([line], 0)  # only marks
    if run:
        yield Paragraph(run, depth)


def _pieces(paragraph: Paragraph, wrapping: Wrapping) -> Iterator[Piece]:
    """The blocks of a paragraph."""
    run = paragraph.lines
    if all(RULE.match(line.text) for line in run):
        yield Piece(run[0], run[-1], "furniture")
        return
    if not paragraph.quoted and (level := _heading_level(run)):
        yield Piece(run[0], run[-1], "heading", level)
        return
    if _is_drawing(run):
        yield Piece(run[0], run[-1], "code")
        return
    kind: BlockKind = "quotation" if paragraph.quoted else "paragraph"
    numbered = NUMBERED.match(run[0].text) is not None
    start, marker = run[0], _marker(run[0], numbered=True)
    soft = [*wrapping.soft(run), False]
    for line, following, runs_on in zip(run, [*run[1:], None], soft, strict=True):
        opens = None
        if following is not None:
            opens = _marker(following, numbered=numbered)
            if opens is None and not _stands_alone(line) and not _stands_alone(following):
                hangs = marker is not None and following.indent >= marker.width and continues(following)
                if runs_on or hangs:
                    continue
        yield _piece(start, line, kind, marker)
        if following is not None:
            start, marker = following, opens


def _piece(first: Line, last: Line, kind: BlockKind, marker: Marker | None) -> Piece:
    if CONTENTS.search(first.text):
        return Piece(first, last, "contents")
    if marker is not None:
        return Piece(first, last, "step" if marker.ordered else "item", marker=marker)
    if PAGE.match(first.text):
        return Piece(first, last, "furniture")
    return Piece(first, last, kind)


def _stands_alone(line: Line) -> bool:
    return CONTENTS.search(line.text) is not None or PAGE.match(line.text) is not None


def _marker(line: Line, *, numbered: bool) -> Marker | None:
    """The marker of a list item at the start of a line; `1.` counts only if the paragraph starts with one too."""
    if NUMBERED.match(line.text) and not numbered:
        return None
    marker = marker_at(line.text)
    return None if marker is not None and marker.sign.endswith("1.") and marker.style != "number" else marker


def _heading_level(run: Sequence[Line]) -> int:
    """The level of a heading, 0 for other paragraphs: 1 for `CHAPTER I` and for capitals, 2 for `3.1 Scope`."""
    title = run[0].text.strip()
    if not LETTER.search(title) or len(title) > LONGEST_HEADING:
        return 0
    if len(run) == 2 and (under := set(run[1].text.strip())) and len(under) == 1 and run[1].width >= run[0].width:
        return UNDERLINES.get(under.pop(), 0)
    if len(run) > 1 or SENTENCE_END.search(title) or CONTENTS.search(title):
        return 0
    if numbered := NUMBERED_HEADING.match(title):
        return numbered["number"].count(".") + 1 if title[numbered.end()].isupper() and run[0].indent < 4 else 0
    if NAMED_HEADING.match(title) or (title == title.upper() and len(title) > 3 and title != title.lower()):
        return 1
    return 0


def _is_drawing(run: Sequence[Line]) -> bool:
    """Whether a paragraph is a drawing, a grammar or code, which contain no sentences: full of punctuation."""
    shown = "".join(line.text for line in run).replace(" ", "")
    if run[0].text.lstrip().startswith(("$ ", "% ", ">>> ")):
        return True
    return len(run) > 1 and len(DRAWING.findall(shown)) * 12 > len(shown) and run[0].indent > 0


def _across_pages(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces, with sentences joined that continue across a page footer and header."""
    held: list[Piece] = []  # a paragraph, and the footer and header after it
    for piece in pieces:
        kind = piece.kind
        if held and len(held) > 1 and len(held) < MOST_FURNITURE and _is_running_head(held, piece):
            kind = "furniture"
        this = replace(piece, kind=kind)
        if kind == "furniture" and held:
            held.append(this)
            continue
        if len(held) > 1 and _runs_on(held[0], this):
            held = [replace(held[0], last=this.last)]
            continue
        yield from held
        held = [this]
    yield from held


def _is_running_head(held: Sequence[Piece], piece: Piece) -> bool:
    """Whether a line is a page header: the first after a footer, in columns."""
    return (
        PAGE.match(held[-1].first.text) is not None
        and piece.first is piece.last
        and len(COLUMNS.split(piece.first.text.strip())) > 1
    )


def _runs_on(before: Piece, after: Piece) -> bool:
    both = before.kind == after.kind or (before.marker is not None and after.kind == "paragraph")
    return both and continues(after.first) and not FULL_STOP.search(before.last.text)
