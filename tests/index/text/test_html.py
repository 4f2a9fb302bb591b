"""What HTML says, and that each quote is what its bytes say."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turbohtml.saxparse import SaxHandler, sax_parse

from index.errors import EmptyDocument, StatefulEncoding
from index.text.formats import html
from index.text.formats.html import parsing
from index.text.formats.html.elements import Piece, walk
from index.text.maps import ByteMap
from index.text.sentences import split
from index.types import Extracted, Span
from tests.support.pages import WORDS, page, rejoined

TAGS = "p b i a div span table tr td th ul li h1 pre br form nobr font title textarea script style button select".split()
PIECES = [
    *(f"<{tag}>" for tag in TAGS),
    *(f"</{tag}>" for tag in TAGS),
    *("<!-- c -->", "<!--", "-->", "<?x>", "<!x>", "<a href='x", "<i", "=", '"', ">", "<", "</", "</html>", "<body>"),
    *("&amp;", "&lt", "&notit;", "&#65;", "&#x20;", "&NotEqualTilde;", "&copy", "&"),
    *("\n", "\r\n", "\r", " ", "\t", "\f", "word", "two words", "é", "漢字", "😀", "\U000f0001\U00100001"),
]
SOUP = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def read(markup: str) -> Extracted:
    return html.extract(f"<!DOCTYPE html><meta charset=utf-8>{markup}".encode(), "a.html")


def shown(markup: str) -> list[str]:
    extracted = read(markup)
    return [extracted.text[slice(*block.span)] for block in extracted.blocks]


def kinds(markup: str) -> list[tuple[str, int | None, int, str]]:
    extracted = read(markup)
    return [(block.kind, block.group, block.level, extracted.text[slice(*block.span)]) for block in extracted.blocks]


def map_of(extracted: Extracted) -> ByteMap:
    assert isinstance(extracted.map, ByteMap)
    return extracted.map


@given(SOUP)
def test_text_in_the_tree_is_what_the_tree_builder_makes_of_the_same_document(markup: str) -> None:
    expected: list[str] = []

    class Handler(SaxHandler):
        def characters(self, data: str) -> None:
            expected.append(data)

    sax_parse(markup, Handler())
    parsed = parsing.parse(markup)
    pieces = [event for event in walk(parsed.root) if isinstance(event, Piece)]
    values = [parsed.source[each.start : each.end] if each.value is None else each.value for each in pieces]
    assert "".join(values) == "".join(expected)


@given(SOUP, st.sampled_from(["utf-8", "utf-16", "gb18030"]), st.data())
def test_any_part_of_any_page_is_what_its_bytes_say(markup: str, encoding: str, data: st.DataObject) -> None:
    file = f"<meta charset={encoding}><p>x</p>{markup}".encode(encoding)
    extracted = html.extract(file, "a.html")
    for block in extracted.blocks:
        start = data.draw(st.integers(block.span.start, block.span.end))
        span = Span(start, data.draw(st.integers(start, block.span.end)))
        quote = extracted.text[slice(*span)]
        given_back = rejoined(file, extracted.encoding, map_of(extracted), span)
        # A cut inside an entity of two characters takes it whole; tabs between cells and <br> stand for no bytes.
        assert "".join(quote.split()) in "".join(given_back.split())
        if span == block.span and block.kind not in ("row", "header") and "\n" not in quote and "br>" not in markup:
            assert given_back == quote


@pytest.mark.parametrize("encoding", WORDS)
def test_ten_thousand_sentences_in_untidy_markup_are_what_their_bytes_say(encoding: str) -> None:
    for seed in range(20):
        known = page(Random(seed), encoding, 100)
        extracted = html.extract(known.file, "a.html")
        assert extracted.encoding.startswith(("utf-16-le", "cp932") if encoding in ("utf-16", "shift_jis") else encoding)
        shown = (extracted.text[slice(*block.span)].removeprefix("No\t") for block in extracted.blocks)
        assert " ".join(each for each in shown if each.lower() != "no") == " ".join(known.sentences)
        for sentence in split(extracted.text, extracted.blocks):
            quote = extracted.text[slice(*sentence.span)]
            bytes_say = rejoined(known.file, extracted.encoding, map_of(extracted), sentence.span)
            assert bytes_say == quote.replace("\t", "")
