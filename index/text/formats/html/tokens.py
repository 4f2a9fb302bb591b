"""The tokens of an HTML document with their places, as the HTML standard cuts them.

turbohtml's tokenizer runs without a tree builder, so it does not know that <title>, <style> or CDATA mean something
else within SVG and MathML. There it is started again behind the tag.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from turbohtml import Token, TokenType, tokenize

from index.text.formats.html.elements import Piece
from index.text.formats.html.foreign import Foreign

UNPARSED = frozenset(
    {"noscript"}
)  # raw text to the tokenizer, as in a browser with scripts; mark-up to the tree builder
NAME = re.compile("[a-zA-Z][^\t\n\f />]*")
CDATA = "<![CDATA["
COMMENT = "<!---->"
COPIES = 20  # times the size of the document may be copied to start again
SMALL = 1 << 26  # code points that may be copied in any case
NOTHING = Piece(0, 0)


class Run(NamedTuple):
    """A piece of text and the mark-up in front of it, both possibly empty."""

    markup: str
    piece: Piece


class Tokens:
    """Reads a document whose newlines are normalized.

    Of its mark-up, comments come back empty, and elements of SVG and MathML under names that never hold raw text.
    """

    def __init__(self, source: str) -> None:
        # "</>" is nothing at all, but joins the text around it to one token; an empty comment of that length splits it.
        self._source = source.replace("</>", "<!>")
        self._lines = [0, *(found.end() for found in re.finditer("\n", source))]
        self._foreign = Foreign()
        self._copied = 0

    def __iter__(self) -> Iterator[Run]:
        begin, opened = 0, ""
        while begin >= 0:
            tokens, begin = self._scan(begin), -1
            for start, token in tokens:
                kind, end = token.type, start + len(token.source or "")
                if kind == TokenType.TEXT:
                    piece = Piece(start, start + len(token.data or ""))
                    yield Run("", NOTHING if opened in UNPARSED else piece)
                elif kind == TokenType.CHARACTER_REFERENCE:
                    yield Run("", Piece(start, end, token.data))
                elif kind == TokenType.COMMENT and self._foreign.is_here() and self._source.startswith(CDATA, start):
                    begin = self._source.find("]]>", end := start + len(CDATA))
                    yield Run(CDATA, Piece(end, begin if begin >= 0 else len(self._source)))
                    yield Run("]]>", NOTHING)
                    begin += 3 if begin >= 0 else 0
                    break
                elif kind in (TokenType.COMMENT, TokenType.PROCESSING_INSTRUCTION):
                    yield Run(COMMENT, NOTHING)
                else:
                    opened = (token.tag or "") if kind == TokenType.START_TAG else ""
                    name = self._name(token)
                    yield Run(self._source[start:end] if name is None else self._renamed(start, end, name), NOTHING)
                    if name is not None and opened and self._may_copy(end):
                        begin, opened = end, ""
                        break

    def _scan(self, begin: int) -> Iterator[tuple[int, Token]]:
        """The tokens from `begin` on and where each starts."""
        first = bisect_right(self._lines, begin) - 1
        rest = self._source[begin:] if begin else self._source
        for token in tokenize(rest, resolve_references=False, capture_source=True):
            line = token.line - 1
            yield (self._lines[first + line] if line else begin) + token.col, token

    def _name(self, token: Token) -> str | None:
        if token.type == TokenType.START_TAG:
            return self._foreign.start(token)
        return self._foreign.end(token) if token.type == TokenType.END_TAG else None

    def _renamed(self, start: int, end: int, name: str) -> str:
        return NAME.sub(name, self._source[start:end], count=1)

    def _may_copy(self, end: int) -> bool:
        """Whether to start again; a document made to be slow is read as if it had no SVG."""
        self._copied += len(self._source) - end
        return self._copied <= max(SMALL, COPIES * len(self._source))
