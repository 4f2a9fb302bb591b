"""Tracks where SVG and MathML are in an HTML document, from its tokens alone."""

from __future__ import annotations

from index.text.formats.html.elements import names

# Elements inside which HTML resumes, and start tags that end SVG and MathML:
INTEGRATION = {
    "svg": frozenset({"desc", "foreignobject", "title"}),
    "math": frozenset({"annotation-xml", "mi", "mn", "mo", "ms", "mtext"}),
}
BREAKOUT = names(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
)
SHELL = frozenset({"body", "head", "html"})  # their end tags close nothing else
RAW = names("iframe noembed noframes noscript plaintext script style textarea title xmp")
DEEPEST = 512  # levels searched for a matching start tag


class Foreign:
    """Follows the tags of a document. It may be wrong: mistakes can lose text, but never invent any."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []  # elements of SVG and MathML: root, name
        self._html: dict[str, int] = {}  # approximate number of open HTML elements

    def is_here(self) -> bool:
        """Whether text that follows is in SVG or MathML itself, not in HTML inside it."""
        return bool(self._open) and self._open[-1][1] not in INTEGRATION[self._open[-1][0]]

    def start(self, tag: str, *, is_closed: bool) -> str | None:
        """Process a start tag. Returns another name for it if its own means something else to the tokenizer."""
        if not self._open and tag not in INTEGRATION:
            self._html[tag] = self._html.get(tag, 0) + 1
            return None
        if self.is_here() and tag in BREAKOUT:
            while self.is_here():
                self._open.pop()
        root = tag if tag in INTEGRATION else self._open[-1][0] if self.is_here() else None
        if root is None:
            self._html[tag] = self._html.get(tag, 0) + 1
            return None
        if not is_closed:
            self._open.append((root, tag))
        return _other(root, tag)

    def end(self, tag: str) -> str | None:
        """Process an end tag. Returns the name that its start tag was given."""
        for place in range(len(self._open) - 1, max(-1, len(self._open) - DEEPEST), -1):
            root, name = self._open[place]
            if name == tag:
                del self._open[place:]
                return _other(root, name)
        count = self._html.get(tag, 0)
        if self._open and (tag in ("br", "p") or (count and tag not in SHELL)):
            self._open.clear()
        if count:
            self._html[tag] = count - 1
        return None


def _other(root: str, tag: str) -> str | None:
    """An equivalent name for the tree builder that never contains raw text."""
    if tag not in RAW:
        return None
    return "desc" if (root, tag) == ("svg", "title") else f"x-{tag}"
