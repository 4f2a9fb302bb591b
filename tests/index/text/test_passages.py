from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from index.text.passages import Fits, context, sections, split
from index.types import Passage, Sentence, Span


def sentences_of(text: str) -> list[Sentence]:
    """A sentence ends at each full stop."""
    sentences, start = [], 0
    for end in [i + 1 for i, c in enumerate(text) if c == "."]:
        start += len(text[start:end]) - len(text[start:end].lstrip())
        sentences.append(Sentence(Span(start, end)))
        start = end
    return sentences


def at_most(words: int) -> Fits:
    return lambda text, _headings: len(text.split()) <= words


def test_windows_share_a_sentence() -> None:
    text = "A. B. C. D. E."
    assert split(text, sentences_of(text), at_most(3), overlap=1) == [
        Passage(0, 2, Span(0, 8)),
        Passage(2, 4, Span(6, 14)),
    ]


def test_a_window_that_cannot_grow_past_shared_sentences_does_not_share_them() -> None:
    text = "a a. b b. c c c."
    assert [(p.first, p.last) for p in split(text, sentences_of(text), at_most(4), overlap=1)] == [(0, 1), (2, 2)]


def test_no_window_crosses_a_heading() -> None:
    sentences = [Sentence(Span(0, 2), ("One",)), Sentence(Span(3, 5), ("Two",)), Sentence(Span(6, 8), ("Two",))]
    passages = split("A. B. C.", sentences, at_most(9), overlap=1)
    assert passages == [Passage(0, 0, Span(0, 2), ("One",)), Passage(1, 2, Span(3, 8), ("Two",))]


def test_an_overlong_sentence_is_cut_at_white_space() -> None:
    text = "one two three four five."
    spans = [p.span for p in split(text, sentences_of(text), at_most(2), overlap=1)]
    assert [text[start:end] for start, end in spans] == ["one two", "three four", "five."]


def test_a_run_without_white_space_is_cut_between_graphemes() -> None:
    family = "👨‍👩‍👧"
    text = family * 5
    passages = split(text, [Sentence(Span(0, len(text)))], lambda part, _: len(part) <= 2 * len(family) + 1, overlap=1)
    assert [text[slice(*p.span)] for p in passages] == [family * 2, family * 2, family]


def test_even_what_never_fits_is_kept() -> None:
    passages = split("abc", [Sentence(Span(0, 3))], lambda *_: False, overlap=1)
    assert [p.span for p in passages] == [Span(0, 1), Span(1, 2), Span(2, 3)]


words = st.text(st.sampled_from("ab\u0301 \n"), min_size=1, max_size=40).map(lambda s: s.strip() + ".")


@given(st.lists(words, max_size=30), st.integers(1, 8), st.integers(0, 3))
def test_no_sentence_is_lost_or_cut_that_fits(parts: list[str], limit: int, overlap: int) -> None:
    text = " ".join(parts)
    sentences = sentences_of(text)
    fits = at_most(limit)
    passages = split(text, sentences, fits, overlap)
    for number, sentence in enumerate(sentences):
        start, end = sentence.span
        holding = [p for p in passages if p.first <= number <= p.last]
        if fits(text[start:end], ()):
            assert all(p.span.start <= start and end <= p.span.end for p in holding)
            assert holding
        else:
            pieces = sorted(p.span for p in holding)
            assert pieces[0].start == start
            assert pieces[-1].end == end
            assert all(not text[a.end : b.start].strip() for a, b in pairwise(pieces))
    for passage in passages:
        assert fits(text[slice(*passage.span)], ()) or len(text[slice(*passage.span)]) == 1


def test_a_context_is_the_title_and_the_headings_once() -> None:
    assert context("Treaty", ("Treaty", "Scope")) == "Treaty › Scope\n"
    assert context("treaty", ()) == "treaty\n"
    assert context("", ()) == ""


def test_a_heading_alone_opens_the_section_below_it() -> None:
    paths = [("T",), ("T", "A"), ("T", "A"), ("T", "B"), ("T", "B", "C"), ("D",), ("E",), ("E",)]
    sentences = [Sentence(Span(2 * i, 2 * i + 1), path) for i, path in enumerate(paths)]
    assert sections(sentences) == [range(3), range(3, 5), range(5, 6), range(6, 8)]
