"""HTML to a tree whose every piece of text knows its place in the source.

turbohtml's tokenizer tells where each run of text starts, its tree builder mends broken mark-up as the HTML standard
says, but merges and moves text without telling whence. So each run is replaced by a mark that the tree builder treats
alike, and what it made of the marks is read back: white space by other white space, anything else by two characters for
private use. Marks carry the run's number, hence no text is ever searched for.
"""

from __future__ import annotations

from turbohtml.saxparse import SaxHandler, sax_parse

from index.text.formats.html.elements import Page, normalized
from index.text.formats.html.marks import Marks
from index.text.formats.html.tokens import Tokens


def parse(text: str) -> Page:
    """The tree of an HTML document; broken mark-up is an error nowhere."""
    source = normalized(text)
    tokens = Tokens(source)
    builder = _Builder(source, tokens.marks)
    sax_parse(tokens.read(), builder)
    builder.page.close()
    return builder.page


class _Builder(SaxHandler):
    """Makes a page of the tree builder's events and the marks in its text."""

    def __init__(self, source: str, marks: Marks) -> None:
        self.page = Page(source)
        self._marks = marks

    def start_element(self, tag: str, attrs: tuple[tuple[str, str | None], ...]) -> None:
        self.page.open(tag, {name: value or "" for name, value in attrs} if attrs else {})

    def end_element(self, tag: str) -> None:  # noqa: ARG002
        self.page.close()

    def characters(self, data: str) -> None:
        self.page.events.extend(self._marks.read(data))
