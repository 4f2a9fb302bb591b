"""Markdown: the file is the text, markup included.

markdown-it says where blocks begin and which headings stand above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from index.text.decoding import decode
from index.types import Block, Extracted, Span

MEDIA_TYPE = "text/markdown"
NEWLINE = re.compile(r"\r\n|\r|\n")
FRONT_MATTER = re.compile(r"\A---[ \t]*(?:\r\n?|\n)(?:.*?(?:\r\n?|\n))?(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)", re.DOTALL)
FRONT_FIELD = re.compile(r"[\r\n](title|url|date):[ \t]*([^\r\n]*[^\s])")
# `<br>` in Markdown: two spaces or a backslash before the newline. Prose goes on in small letters; verse does not.
HARD_BREAK = re.compile(r"((?: {2,}|\\)(?:\r\n|\r|\n))[\s>]*")
WORD = re.compile(r"[^\W_]")
LONGEST_HEADING = 1000  # code points; a longer one is kept with its markup


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a Markdown file; its title is that of the front matter, else the first heading. Raises DocumentError."""
    decoded = decode(data, source, charset)
    heading, found = blocks(decoded.text)
    front = front_matter(decoded.text)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=MEDIA_TYPE,
        title=front.get("title", heading),
        url=front.get("url"),
        date=front.get("date"),
        blocks=tuple(found),
    )


def blocks(text: str) -> tuple[str | None, list[Block]]:
    r"""Title and blocks; markers belong to their block: `"# A\n\n- b"` -> "A", [`# A`, `- b` under A]."""
    front = FRONT_MATTER.match(text)
    body = front.end() if front else 0
    tokens = _parser().parse(text[body:])
    starts = [body, *(found.end() for found in NEWLINE.finditer(text, body)), len(text)]
    headings = _headings(tokens)
    cuts = {starts[min(line, len(starts) - 1)] for token in tokens if token.map for line in token.map}
    cuts |= {found.end() for found in NEWLINE.finditer(text, 0, body)} | _hard_breaks(text, tokens, starts)
    title = next((path[-1] for path in headings.values()), None)
    above = {starts[line]: path for line, path in headings.items()}
    return title, list(_blocks(text, sorted(cuts | {0, body, len(text)}), above))


def front_matter(text: str) -> dict[str, str]:
    """Title, url and date, those that the front matter names."""
    front = FRONT_MATTER.match(text)
    return {name: value.strip("\"'") for name, value in FRONT_FIELD.findall(front[0])} if front else {}


@cache
def _parser() -> MarkdownIt:
    """Blocks only: inline markup stays in the text, so it is not parsed."""
    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


def _headings(tokens: Sequence[Token]) -> dict[int, tuple[str, ...]]:
    """Each heading's first line, and the path of headings down to itself."""
    found: dict[int, tuple[str, ...]] = {}
    path: list[tuple[int, str]] = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map and inline.content.strip():
            level = int(token.tag[1:])
            path = [*(above for above in path if above[0] < level), (level, _plain(inline.content))]
            found[token.map[0]] = tuple(title for _, title in path)
    return found


def _plain(content: str) -> str:
    """A heading without its inline markup: `The *old* [light](a.md)` -> `The old light`."""
    if len(content) > LONGEST_HEADING:
        return content
    inline = _inline_parser().parseInline(content)[0]
    return "".join(_words(inline.children or [])).strip() or content


@cache
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "image":
            yield from _words(token.children or [])
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type in ("text", "code_inline"):
            yield token.content


def _hard_breaks(text: str, tokens: Sequence[Token], starts: Sequence[int]) -> set[int]:
    """Line starts after a hard line break inside a paragraph."""
    return {
        found.end(1)
        for token in tokens
        if token.type == "paragraph_open" and token.map
        for found in HARD_BREAK.finditer(text, starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)])
        if not text[found.end() : found.end() + 1].islower()
    }


def _blocks(text: str, cuts: Sequence[int], headings: dict[int, tuple[str, ...]]) -> Iterator[Block]:
    """What lies between neighbouring cuts; what has no word (rules, the line below table heads) joins its neighbour.

    A heading's own block carries the path down to itself, so that it opens the section it names.
    """
    path: tuple[str, ...] = ()
    block: Block | None = None
    for start, end in pairwise(cuts):
        piece = text[start:end]
        if not piece.strip():
            continue
        span = Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
        if block and not (WORD.search(piece) and WORD.search(text, *block.span)):
            block = Block(span=Span(block.span.start, span.end), headings=block.headings)
        else:
            if block:
                yield block
            block = Block(span=span, headings=headings.get(start, path))
        path = headings.get(start, path)
    if block:
        yield block
