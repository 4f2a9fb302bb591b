"""Parses HTML to a tree in which every piece of text has its source position.

turbohtml's tokenizer reports the start of each run of text. Its tree builder repairs broken markup as the HTML standard
requires, but merges and moves text without positions. So each run is replaced by a mark that the tree builder treats
alike, and the marks are read back from the tree. Marks contain the run's number, so text is never searched for.
"""

from __future__ import annotations

from turbohtml.saxparse import SaxHandler, sax_parse

from index.text.formats.html.elements import Page, normalized
from index.text.formats.html.marks import Marks
from index.text.formats.html.tokens import Tokens


def parse(text: str) -> Page:
    """The tree of an HTML document; broken markup is never an error."""
    source = normalized(text)
    tokens = Tokens(source)
    builder = _Builder(source, tokens.marks)
    sax_parse(tokens.read(), builder)
    builder.page.close()
    return builder.page


class _Builder(SaxHandler):
    """Builds a page from the tree builder's events and the marks in its text."""

    def __init__(self, source: str, marks: Marks) -> None:
        self.page = Page(source)
        self._marks = marks

    def start_element(self, tag: str, attrs: tuple[tuple[str, str | None], ...]) -> None:
        self.page.open(tag, {name: value or "" for name, value in attrs} if attrs else {})

    def end_element(self, tag: str) -> None:  # noqa: ARG002
        self.page.close()

    def characters(self, data: str) -> None:
        self.page.events.extend(self._marks.read(data))
