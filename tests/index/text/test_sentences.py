"""Sentences partition their blocks, and start where a reader expects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.benchmarks.splitters import DATA, Labelled, labelled, score
from index.text.formats import extract
from index.text.sentences import split
from index.text.structure import NEVER_CITED
from index.types import Block, Sentence, Span

SHARED = Path(__file__).parents[4] / "shared" / "seeds"
PIECES = [
    "Mr. ",
    "U.S. ",
    "Yes. ",
    "no? ",
    "He said: ",
    '"',
    "”",
    "“",
    "(",
    ")",
    "。",
    "「",
    "」",
    "؟ ",
    "। ",
    "...",
    "\n",
    "\r\n",
]
TEXT = st.lists(
    st.sampled_from([*PIECES, "\r", "\n\n", "\0", "1. ", "- ", "# ", "😀", "\u200d", "e\u0301", "İ", "א"])
    | st.text(max_size=4)
).map("".join)


@given(TEXT, st.sampled_from(["text/plain", "text/markdown"]))
def test_every_visible_character_is_in_one_sentence_of_one_block(text: str, media_type: str) -> None:
    extracted = extract(text.encode("utf-8", "ignore"), "a", media_type, "utf-8")
    text, blocks = extracted.text, extracted.blocks
    sentences = split(text, blocks)
    end = 0
    cited = [block.span for block in blocks if block.kind not in NEVER_CITED]
    for sentence in sentences:
        start, stop = sentence.span
        assert end <= start
        assert text[start:stop] == text[start:stop].strip() != ""
        assert sum(span.start <= start and stop <= span.end for span in cited) == 1
        end = stop
    for start, stop in cited:
        within = [sentence.span for sentence in sentences if start <= sentence.span.start < stop]
        edges = [start, *(edge for span in within for edge in span), stop]
        assert not any(text[a:b].strip() for a, b in zip(edges[::2], edges[1::2], strict=True))


@pytest.mark.parametrize(("name", "f1", "exact"), [("development", 0.99, 68), ("held_out", 0.97, 38)])
def test_the_labelled_sentences_are_found(name: str, f1: float, exact: int) -> None:
    result = score(split, labelled(name))
    assert result.f1 >= f1
    assert result.exact >= exact


def whole_blocks(_: str, blocks: Sequence[Block]) -> list[Sentence]:
    """A splitter that never splits: the baseline of blocks alone."""
    return [Sentence(span=block.span) for block in blocks]


def test_the_labels_are_many_and_a_wrong_split_costs() -> None:
    documents = labelled("development") + labelled("held_out")
    assert sum(len(document.spans()) for document in documents) >= 150
    assert score(whole_blocks, documents).f1 < 0.7


@pytest.mark.parametrize("source", json.loads((DATA / "seeds.json").read_text("utf-8")))
def test_news_is_split_where_a_reader_would(source: str) -> None:
    if not (SHARED / source).exists():
        pytest.skip("the shared example documents are not beside this checkout")
    extracted = extract((SHARED / source).read_bytes(), source)
    spans = [list(sentence.span) for sentence in split(extracted.text, extracted.blocks)]
    assert spans == json.loads((DATA / "seeds.json").read_text("utf-8"))[source]


def test_hundreds_of_equal_sentences_have_their_own_spans() -> None:
    text = "It rained. " * 500
    assert [sentence.span for sentence in split(text, [Block(Span(0, len(text)))])] == [
        Span(11 * number, 11 * number + 10) for number in range(500)
    ]


def test_headings_are_carried_over() -> None:
    sentences = split("One. Two.", [Block(Span(0, 9), headings=("A", "B"))])
    assert [sentence.headings for sentence in sentences] == [("A", "B"), ("A", "B")]


LONG = {
    "no stop": "word " * 400_000,
    "stops": "One is here. " * 50_000,
    "abbreviations": "U.S. " * 100_000,
    "marks": "! " * 250_000,
    "open quotes": "“" * 300_000,
    "brackets in brackets": "（" * 100_000 + "。）" * 100_000,
    "stops in one word": "a ![" + "![" * 100_000 + "?!a" * 100_000,
    "danda": "। " * 100_000,
}


@pytest.mark.parametrize("name", LONG)
def test_nothing_but_white_space_is_left_out_of_long_lines(name: str) -> None:
    text = LONG[name]
    sentences = split(text, [Block(Span(0, len(text)))])
    ends = [0, *(sentence.span.end for sentence in sentences)]
    starts = [*(sentence.span.start for sentence in sentences), len(text)]
    assert not any(text[end:start].strip() for end, start in zip(ends, starts, strict=True))


def test_a_label_that_is_not_the_text_is_an_error() -> None:
    wrong = Labelled(about="", language="en", media_type="text/plain", text="One. Two.", sentences=["Two."])
    with pytest.raises(ValueError, match="not the next sentence"):
        wrong.spans()
