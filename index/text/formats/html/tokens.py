"""The tokens of an HTML document with their positions, as the HTML standard defines them.

turbohtml's tokenizer runs without a tree builder, so it does not know that <title>, <style> and CDATA have another
meaning inside SVG and MathML. There it is restarted after the tag.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from turbohtml import Token, TokenType, tokenize

from index.text.formats.html.foreign import Foreign
from index.text.formats.html.marks import Marks

UNPARSED = frozenset(
    {"noscript"}
)  # raw text for the tokenizer, as in a browser with scripts; markup for the tree builder
NAME = re.compile("[a-zA-Z][^\t\n\f />]*")
CDATA = "<![CDATA["
COMMENT = "<!---->"
COPIES = 20  # limit of text copied for restarts, in document sizes
SMALL = 1 << 26  # code points that may always be copied
TEXT, REFERENCE = TokenType.TEXT, TokenType.CHARACTER_REFERENCE
START, END = TokenType.START_TAG, TokenType.END_TAG


class Tokens:
    """Reads a document with normalised newlines, and writes it again with marks instead of text.

    Comments are written empty, and SVG and MathML elements under names that never contain raw text.
    """

    def __init__(self, source: str) -> None:
        self.marks = Marks(source)
        # "</>" is nothing, but merges the text around it into one token; an empty comment of that length splits it.
        self._source = source.replace("</>", "<!>")
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self._foreign = Foreign()
        self._copied = 0

    def read(self) -> str:
        """The document with marks."""
        begin = 0
        while begin >= 0:
            begin = self._read(begin)
        return "".join(self.marks.document)

    def _read(self, begin: int) -> int:
        """Read from `begin`. Returns where to restart, -1 at the end."""
        source, write, mark, foreign = self._source, self.marks.document.append, self.marks.add, self._foreign
        is_unparsed = False
        for start, token in self._scan(begin):
            kind = token.type
            if kind == TEXT:
                if not is_unparsed:
                    mark(start, start + len(token.data or ""), None)
                continue
            end = start + len(token.source or "")
            if kind == REFERENCE:
                mark(start, end, token.data)
            elif kind in (START, END):
                tag = token.tag or ""
                name = foreign.start(tag, is_closed=token.self_closing) if kind == START else foreign.end(tag)
                is_unparsed = kind == START and tag in UNPARSED
                write(source[start:end] if name is None else NAME.sub(name, source[start:end], count=1))
                if name is not None and kind == START and self._may_copy(end):
                    return end
            elif (
                kind == TokenType.COMMENT
                and foreign.is_here()
                and source.startswith(CDATA, start)
                and self._may_copy(start)
            ):
                return self._cdata(start + len(CDATA))
            elif kind == TokenType.DOCTYPE:
                write(source[start:end])
            else:
                write(COMMENT)
        return -1

    def _cdata(self, start: int) -> int:
        """CDATA text of SVG or MathML, without markup."""
        end = self._source.find("]]>", start)
        self.marks.document.append(CDATA)
        self.marks.add(start, end if end >= 0 else len(self._source), None)
        self.marks.document.append("]]>")
        return end + 3 if end >= 0 else -1

    def _scan(self, begin: int) -> Iterator[tuple[int, Token]]:
        """The tokens from `begin` and their starts."""
        first = bisect_right(self._lines, begin) - 1
        rest = self._source[begin:] if begin else self._source
        for token in tokenize(rest, resolve_references=False, capture_source=True):
            line = token.line - 1
            yield (self._lines[first + line] if line else begin) + token.col, token

    def _may_copy(self, end: int) -> bool:
        """Whether to restart; a document made to be slow is read as if it had no SVG."""
        self._copied += len(self._source) - end
        return self._copied <= max(SMALL, COPIES * len(self._source))
