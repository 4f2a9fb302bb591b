"""Markdown: the file is the text, markup included.

markdown-it says where blocks begin, of which kind they are and which headings stand above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import Struct
from msgspec.structs import replace

from index.text.decoding import decode
from index.text.front_matter import front_matter
from index.text.list_markers import Marker, Nesting, marker_at
from index.types import Block, BlockKind, Extracted, Span

MEDIA_TYPE = "text/markdown"
NEWLINE = re.compile(r"\r\n|\r|\n")
# `<br>` in Markdown: two spaces or a backslash before the newline. Prose goes on in small letters; verse does not.
HARD_BREAK = re.compile(r"((?: {2,}|\\)(?:\r\n|\r|\n))[\s>]*")
WORD = re.compile(r"[^\W_]")
LONGEST_HEADING = 1000  # code points; a longer one is kept with its markup
UNCLOSED = 3  # unclosed fences; each requires another pass over the rest of the file
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
TAG = re.compile(r"</?[A-Za-z][^<>]*>")
IMAGE = re.compile(r"!\[[^\[\]]*\](?:\([^()\s]*(?:\s[^()]*)?\)|\[[^\[\]]*\])")
LINK = re.compile(r"\[([^\[\]]*)\](?:\([^()\s]*(?:\s[^()]*)?\)|\[[^\[\]]*\])")
DEFINITION = re.compile(r"\s*\[[^\[\]]+\]:\s*\S+")
QUOTED = re.compile(r"[\s>]*")


class Leaf(Struct, frozen=True):
    """What a line starts: the kind of the block, its list or table, and its nesting depth."""

    kind: BlockKind = "paragraph"
    group: int | None = None
    level: int = 0


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a Markdown file. The title comes from front matter or the first heading. Raises DocumentError."""
    decoded = decode(data, source, charset)
    front = front_matter(decoded.text)
    heading, found = blocks(decoded.text, front.end)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=MEDIA_TYPE,
        title=front.title or heading,
        url=front.url,
        date=front.date,
        meta=front.meta,
        blocks=tuple(found),
    )


def blocks(text: str, body: int = 0) -> tuple[str | None, list[Block]]:
    r"""Title and blocks; markers belong to their block: `"# A\n\n- b"` -> "A", [`# A`, `- b` under A].

    `body`: where the front matter ends.
    """
    starts = [body, *(found.end() for found in NEWLINE.finditer(text, body)), len(text)]
    tokens = _tokens(text[body:], NEWLINE.split(text[body:]))
    headings = _headings(tokens)
    leaves = {starts[line]: leaf for line, leaf in _leaves(tokens).items()}
    cuts = {starts[min(line, len(starts) - 1)] for token in tokens if token.map for line in token.map}
    cuts |= _hard_breaks(text, tokens, starts)
    leaves |= _more_items(text, tokens, starts, leaves)
    leaves |= _table_rules(tokens, starts)
    leaves |= _markup_blocks(text, tokens, starts)
    cuts |= leaves.keys()
    if body:
        leaves[0] = Leaf("front_matter")
    title = next((path[-1] for path in headings.values()), None)
    above = {starts[line]: path for line, path in headings.items()}
    return title, list(_blocks(text, sorted(cuts | {0, body, len(text)}), leaves, above))


def _tokens(text: str, lines: Sequence[str]) -> list[Token]:
    """The blocks of a text. An unclosed fence ends at the first blank line, not at the end of the file."""
    tokens = _parser().parse(text)
    offset = 0
    for _ in range(UNCLOSED):
        last = tokens[-1] if tokens else None
        if last is None or last.type != "fence" or last.level or not last.map or _closed(last, lines):
            break
        begin = last.map[0]
        offset = next((number for number in range(begin + 1, len(lines)) if not lines[number].strip()), 0)
        if not offset:
            break
        last.map = [begin, offset]
        rest = _parser().parse("\n".join(lines[offset:]))
        for token in rest:
            if token.map:
                token.map = [line + offset for line in token.map]
        tokens += rest
    return tokens


def _closed(fence: Token, lines: Sequence[str]) -> bool:
    begin, end = fence.map or (0, 0)
    closing = lines[min(end, len(lines)) - 1].strip()
    return end - begin > 1 and set(closing) == {fence.markup[0]} and len(closing) >= len(fence.markup)


@cache
def _parser() -> MarkdownIt:
    """Blocks only: inline markup stays in the text, so it is not parsed."""
    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


class _Walk:
    """Classifies markdown-it's blocks by their first line; tokens come in order."""

    def __init__(self) -> None:
        self.found: dict[int, Leaf] = {}
        self._lists: list[BlockKind] = []
        self._quotes = 0
        self._group = -1
        self._row: BlockKind = "row"

    def enter(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                self._group += not self._lists
                self._lists.append("step" if token.type.startswith("ordered") else "item")
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "blockquote_open" | "blockquote_close":
                self._quotes += token.nesting
            case "table_open":
                self._group += not self._lists
            case "thead_open" | "thead_close":
                self._row = "header" if token.nesting > 0 else "row"
        if token.map and (leaf := self._leaf(token)):
            self.found[token.map[0]] = leaf
            self.found.setdefault(token.map[1], Leaf())  # the text after it, outside any block

    def _leaf(self, token: Token) -> Leaf | None:
        group, level = (self._group, len(self._lists) - 1) if self._lists else (None, 0)
        match token.type:
            case "heading_open":
                return Leaf("heading", level=int(token.tag[1:]))
            case "hr":
                return Leaf("furniture")
            case "fence" | "code_block":
                return Leaf("code", group, level)
            case "tr_open":
                return Leaf(self._row, self._group)
            case "paragraph_open":
                kind = self._lists[-1] if self._lists else "quotation" if self._quotes else "paragraph"
                return Leaf(kind, group, level)
        return None


def _leaves(tokens: Sequence[Token]) -> dict[int, Leaf]:
    """The kind of each line that starts a block."""
    walk = _Walk()
    for token in tokens:
        walk.enter(token)
    return walk.found


def _table_rules(tokens: Sequence[Token], starts: Sequence[int]) -> dict[int, Leaf]:
    """The delimiter rows below table headers, which contain no words."""
    return {
        starts[token.map[0] + 1]: Leaf("furniture")
        for token in tokens
        if token.type == "thead_open" and token.map and token.map[0] + 1 < len(starts) - 1
    }


def _more_items(text: str, tokens: Sequence[Token], starts: Sequence[int], leaves: dict[int, Leaf]) -> dict[int, Leaf]:
    """Items with markers that CommonMark lacks: `#.`, `a)`, `(i)`. Its paragraphs are checked line by line."""
    found: dict[int, Leaf] = {}
    groups = 1 + max((leaf.group or 0 for leaf in leaves.values()), default=0)
    nesting, near = Nesting(), -2  # the line after the last item
    for token in tokens:
        if token.type != "paragraph_open" or not token.map:
            continue
        begin, end = token.map
        outer = leaves.get(starts[begin], Leaf())
        if outer.kind not in ("paragraph", "item", "step"):
            continue
        for line in range(begin, end):
            marker = marker_at(text[starts[line] : starts[line + 1]])
            if marker is None or (outer.group is not None and line == begin):
                continue
            if line > near + 1 or not _list_goes_on(found, outer):
                if not marker.first:
                    continue
                nesting = Nesting()
                groups += outer.group is None
            near = end
            found[starts[line]] = _item(marker, outer, nesting.level(marker), groups)
    return found


def _list_goes_on(found: dict[int, Leaf], outer: Leaf) -> bool:
    last = next(reversed(found.values()), None)
    return last is not None and (outer.group is None or last.group == outer.group)


def _item(marker: Marker, outer: Leaf, level: int, group: int) -> Leaf:
    kind: BlockKind = "step" if marker.ordered else "item"
    if outer.group is not None:
        return Leaf(kind, outer.group, outer.level + 1 + level)
    return Leaf(kind, group, level)


def _markup_blocks(text: str, tokens: Sequence[Token], starts: Sequence[int]) -> dict[int, Leaf]:
    """Blocks without document text: comments, lone tags, badges."""
    found: dict[int, Leaf] = {}
    for token in tokens:
        if token.type not in ("html_block", "paragraph_open") or not token.map:
            continue
        start, end = starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]
        piece = text[start:end]
        if token.type == "paragraph_open":
            if "![" in piece and not WORD.search(LINK.sub("", IMAGE.sub("", piece))):
                found[start] = Leaf("furniture")
            continue
        for comment in COMMENT.finditer(piece):
            found[start + comment.start()] = Leaf("comment")
            found.setdefault(start + comment.end(), Leaf())
        if not WORD.search(TAG.sub("", COMMENT.sub("", piece))):
            found.setdefault(start, Leaf("furniture"))
        found.setdefault(end, Leaf())
    return {place: leaf for place, leaf in found.items() if leaf.kind != "paragraph" or text[place : place + 1].strip()}


def _headings(tokens: Sequence[Token]) -> dict[int, tuple[str, ...]]:
    """The first line of each heading, and its path of headings, including itself."""
    found: dict[int, tuple[str, ...]] = {}
    path: list[tuple[int, str]] = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map and inline.content.strip():
            level = int(token.tag[1:])
            path = [*(above for above in path if above[0] < level), (level, plain(inline.content))]
            found[token.map[0]] = tuple(title for _, title in path)
    return found


def plain(content: str) -> str:
    """A heading without inline markup: `The *old* [light](a.md)` -> `The old light`."""
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


def _blocks(
    text: str, cuts: Sequence[int], leaves: dict[int, Leaf], headings: dict[int, tuple[str, ...]]
) -> Iterator[Block]:
    """The blocks between cuts. Text without a word (a rule) is merged into its neighbour.

    The path of a heading's own block includes the heading, so it belongs to the section it names.
    """
    path: tuple[str, ...] = ()
    leaf = Leaf()
    block: Block | None = None
    for start, end in pairwise(cuts):
        piece = text[start:end]
        leaf = leaves.get(start, leaf)  # the block continues after a hard break
        if not piece.strip():
            continue
        span = Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
        kind = "furniture" if leaf.kind == "paragraph" and DEFINITION.match(piece) else leaf.kind
        made = Block(span, headings.get(start, path), kind, leaf.group, leaf.level)
        if block and start not in leaves and kind == block.kind and not WORD.search(piece):
            block = replace(block, span=Span(block.span.start, span.end))
        elif block and kind == block.kind == "paragraph" and not WORD.search(text, *block.span):
            block = replace(made, span=Span(block.span.start, span.end))
        else:
            if block:
                yield block
            block = made
        path = headings.get(start, path)
    if block:
        yield block
