"""Text fragments: what a browser has to look for, for a quote of a marked-up file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from index.types import Span
from prompts.packing import Run
from service.answering.citations import cite
from tests.service.answering.test_verifying import searcher_of

GUIDE = """# Guide

Call **`pincite build`** with the [folder](https://example.org/a_b) of *your* files, and then wait until it is done.

| Fare | Price |
|---|---|
| Adult **ticket** | 12 EUR |
| Child \\| ticket | [5 EUR](x.md) |

The platforms:

- **Linux** on x86
- macOS

1. Unpack `it`.

> To be *or* not.

```sh
pincite build docs
```
"""
FRAGMENTS = {
    "# Guide": "Guide",
    "Call ": "Call pincite build,it is done.",
    "| Fare": "Fare,Price",
    "| Adult": "Adult ticket,12 EUR",
    "| Child": "Child | ticket,5 EUR",
    "The platforms:": "The platforms:",
    "- **Linux": "Linux on x86",
    "- macOS": "macOS",
    "1. Unpack": "Unpack it.",
    "> To be": "To be or not.",
    "```sh": "pincite build docs",
}


def fragments(folder: Path, source: str, text: str) -> dict[str, str]:
    """The decoded text fragment of each sentence."""
    searcher = searcher_of(folder, {source: text.encode()})
    content = searcher.content(searcher.document(source).number)
    runs = [Run(content.document.number, number, number, span) for number, span in enumerate(content.sentences)]
    citations = [cite(run, content) for run in runs]
    return {each.quote.exact: unquote(each.text_fragment).removeprefix("#:~:text=") for each in citations}


@pytest.mark.parametrize("start", FRAGMENTS)
def test_markup_is_left_out(tmp_path: Path, start: str) -> None:
    (fragment,) = [each for quote, each in fragments(tmp_path, "a.md", GUIDE).items() if quote.startswith(start)]
    assert fragment == FRAGMENTS[start]


def test_plain_text_is_shown_as_it_is(tmp_path: Path) -> None:
    text = "Write **bold** or `code` | here."
    assert fragments(tmp_path, "a.txt", text) == {text: text}


def test_neither_end_crosses_two_blocks(tmp_path: Path) -> None:
    searcher = searcher_of(tmp_path, {"a.md": GUIDE.encode()})
    content = searcher.content(searcher.document("a.md").number)
    begin, end = GUIDE.index("The platforms:"), GUIDE.index("macOS") + len("macOS")
    first = [span.start for span in content.sentences].index(begin)
    last = [span.end for span in content.sentences].index(end)
    citation = cite(Run(content.document.number, first, last, Span(begin, end)), content)
    assert unquote(citation.text_fragment) == "#:~:text=The platforms:,macOS"
