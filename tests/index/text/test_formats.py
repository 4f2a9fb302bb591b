"""What each format extracts from a file: blocks, headings and title."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import BinaryFile, FormatNotRead
from index.text.formats import extract, stem
from index.types import Extracted

PIECES = [
    "# H",
    "- a",
    "> q",
    "```",
    "|a|b|",
    "|-|-|",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    " ",
    "    ",
    "word. ",
    "===",
    "---",
    "1. ",
    "é😀",
]
SOURCES = st.lists(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=5)).map(
    "".join
)


def pieces(extracted: Extracted) -> list[str]:
    return [extracted.text[block.span.start : block.span.end] for block in extracted.blocks]


@given(SOURCES, st.sampled_from(["a.txt", "a.md"]))
def test_every_visible_character_is_in_one_block(text: str, source: str) -> None:
    extracted = extract(text.encode("utf-16"), source)
    assert extracted.text == text
    end = 0
    for block in extracted.blocks:
        assert not text[end : block.span.start].strip()
        piece = text[block.span.start : block.span.end]
        assert piece
        assert piece == piece.strip()
        end = block.span.end
    assert not text[end:].strip()


@pytest.mark.parametrize("suffix", [".txt", ".md", ".rst", ".adoc", ".csv", ".srt"])
@pytest.mark.parametrize("unit", [".", " .", "word ", "[", "![", "](", "`", "<!--", "|", "*a", "> ", "&#", '"'])
def test_a_line_of_200_000_characters_is_read(unit: str, suffix: str) -> None:
    text = f"a {unit * (200_000 // len(unit))}|\n\nThe end.\n"
    assert extract(text.encode(), f"a{suffix}").text == text


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x85"])
def test_a_blank_line_ends_a_block_whatever_the_newline(newline: str) -> None:
    text = newline.join(["One.", "", "Two.", " \t", "- three", "- four", "1) five"])
    assert pieces(extract(text.encode(), "a.txt")) == ["One.", "Two.", "- three", "- four", "1) five"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\f"])
def test_a_separator_ends_a_block(separator: str) -> None:
    assert pieces(extract(f"first{separator}second".encode(), "a.txt")) == ["first", "second"]


WRAPPED = (
    "The old light stood on the rock for ninety years before the\n"
    "storm took it. Nobody had thought that a wave could reach so\n"
    "high, and when it did the keeper was away in the village of\n"
    "Fell, where he had gone for oil."
)


def test_newlines_of_wrapped_text_are_soft() -> None:
    assert pieces(extract(WRAPPED.encode(), "a.txt")) == [WRAPPED]


def test_a_heading_above_wrapped_text_stands_alone() -> None:
    assert pieces(extract(f"The light\n{WRAPPED}".encode(), "a.txt")) == ["The light", WRAPPED]


@pytest.mark.parametrize(
    "text",
    [
        "The tide goes out, the tide comes in,\nThe boats lie on the sand,\nAnd no one knows.",
        "Harlow & Sons\n12 Mill Road\nEaston 4411",
        f"{'A paragraph on one line is long, ' * 5}and so on\nand its neighbour is not.",
    ],
)
def test_lines_that_were_not_wrapped_stand_for_themselves(text: str) -> None:
    assert pieces(extract(text.encode(), "a.txt")) == text.split("\n")


MARKDOWN = """---
title: "From above"
---
# The *old* [light](a.md)

Built in 1840
by hand.

Keepers
-------
- one
  more
- two

> said
> so

| a | b |
|---|---|
| 1 | 2 |

```
x = 1

y = 2
```
### Deep
end"""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_markdown_blocks_keep_markers_and_know_their_headings(newline: str) -> None:
    extracted = extract(MARKDOWN.replace("\n", newline).encode(), "a.md")
    top, keepers = "The old light", "Keepers"
    assert extracted.title == "From above"
    assert [
        (piece.replace(newline, "\n"), block.headings)
        for piece, block in zip(pieces(extracted), extracted.blocks, strict=True)
    ] == [
        ('---\ntitle: "From above"\n---', ()),
        ("# The *old* [light](a.md)", (top,)),
        ("Built in 1840\nby hand.", (top,)),
        ("Keepers\n-------", (top, keepers)),
        ("- one\n  more", (top, keepers)),
        ("- two", (top, keepers)),
        ("> said\n> so", (top, keepers)),
        ("| a | b |", (top, keepers)),
        ("|---|---|", (top, keepers)),
        ("| 1 | 2 |", (top, keepers)),
        ("```\nx = 1\n\ny = 2\n```", (top, keepers)),
        ("### Deep", (top, keepers, "Deep")),
        ("end", (top, keepers, "Deep")),
    ]


def test_the_title_is_the_first_heading() -> None:
    assert extract(b"text\n\n## *A* `b`\n", "a.md").title == "A b"
    assert extract(b"no heading", "a.md").title is None
    assert extract(b"# not Markdown", "a.txt").title is None
    assert stem("news/old_light.v2.txt") == "old_light.v2"


HOSTILE = {
    "one line": "word " * 400_000,
    "quotes in quotes": ">" * 100_000,
    "lists in lists": "- " * 100_000,
    "brackets": "[" * 500_000,
    "a heading of brackets": "# " + "[" * 500_000,
    "open links": "[a\n" * 50_000,
    "wide table": "|a" * 20_000 + "\n" + "|-" * 20_000 + "\n" + "|b" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markdown_is_read_like_any_other(name: str) -> None:
    extracted = extract(HOSTILE[name].encode(), "a.md")
    assert extracted.text == HOSTILE[name]


@pytest.mark.parametrize(
    ("source", "declared", "media_type"),
    [
        ("a.txt", None, "text/plain"),
        ("LICENSE", None, "text/plain"),
        ("a.log", "application/octet-stream", "text/plain"),
        ("a.csv", None, "text/csv"),
        ("a.txt", "text/csv", "text/csv"),
        ("a.MD", None, "text/markdown"),
        ("a.md", "text/plain; charset=utf-8", "text/plain"),
        ("a.txt", "Text/Markdown", "text/markdown"),
    ],
)
def test_the_media_type_wins_over_the_extension(source: str, declared: str | None, media_type: str) -> None:
    assert extract(b"# A", source, declared).media_type == media_type


@pytest.mark.parametrize(
    ("source", "declared"), [("a.DOC", None), ("a.rtf", None), ("a.txt", "application/msword"), ("a", "image/png")]
)
def test_a_format_not_read_is_refused_by_name(source: str, declared: str | None) -> None:
    with pytest.raises(FormatNotRead, match=source):
        extract(b"text", source, declared)


def test_a_binary_file_with_any_other_name_is_refused() -> None:
    with pytest.raises(BinaryFile):
        extract(b"\x7fELF\0\0", "program")


def test_front_matter_gives_title_url_and_date() -> None:
    data = b'---\ntitle: "Night"\nurl: https://example.org/night\ndate: 2025-04-13\n---\n# Day\n\nText.\n'
    read = extract(data, "a.md")
    assert (read.title, read.url, read.date) == ("Night", "https://example.org/night", "2025-04-13")
