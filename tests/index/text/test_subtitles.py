"""Subtitles: what is said, with its time, and nothing else."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from index.text.formats.subtitles import blocks, clock, extract

SRT = """1
00:00:01,000 --> 00:00:03,000
<i>The keeper left
the lighthouse</i>

2
00:00:03,200 --> 00:00:05,000 X1:10 X2:20
in 1862. {\\an8}He never

3
00:01:20,000 --> 00:01:22,000
- Who?
- Him.
4
00:01:23,000 --> 00:01:25,000
1862

5
01:02:03,000 --> 01:02:04,000
♪ ♪

6
01:02:05,000 --> 01:02:06,000
A blank line

stands in this cue.
"""
VTT = """WEBVTT - A talk

NOTE
not said

STYLE
::cue { color: red }

introduction
01:20.000 --> 01:25.000 align:start
<v Roger Bingham>Hello there,

00:01:26.000 --> 00:01:27.000
<v Neil>world.

NOTE not said either
"""


def said(text: str) -> list[tuple[str | None, str]]:
    return [(block.label, text[block.span.start : block.span.end]) for block in blocks(text)]


def test_cues_are_blocks_with_their_time_and_lines_of_a_cue_are_one() -> None:
    assert said(SRT) == [
        ("00:00:01", "The keeper left\nthe lighthouse"),
        ("00:00:03", "in 1862. {\\an8}He never"),
        ("00:01:20", "- Who?"),
        ("00:01:20", "- Him."),
        ("00:01:23", "1862"),
        ("01:02:05", "A blank line"),
        ("01:02:05", "stands in this cue."),
    ]
    assert {block.kind for block in blocks(SRT)} == {"speech"}


def test_cues_of_one_sentence_share_a_group() -> None:
    assert [block.group for block in blocks(SRT)] == [1, 1, None, None, None, 2, 2]


def test_notes_styles_and_settings_are_not_said() -> None:
    assert said(VTT) == [("00:01:20", "Hello there,"), ("00:01:26", "world.")]
    assert [block.group for block in blocks(VTT)] == [1, 1]


def test_bytes_at_a_cue_are_what_is_said() -> None:
    data = "\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\nGrüße,\r\nalle.\r\n".encode()
    extracted = extract(data, "a.srt")
    (block,) = extracted.blocks
    assert extracted.bom == 3
    assert extracted.text[block.span.start : block.span.end] == "Grüße,\r\nalle."
    assert extracted.media_type == "application/x-subrip"
    assert extract(VTT.encode(), "a.vtt").media_type == "text/vtt"


def test_captions_without_punctuation_are_grouped_no_longer_than_a_sentence() -> None:
    text = "".join(f"00:00:{at:02},000 --> 00:00:{at + 1:02},000\nand so it goes on and on\n\n" for at in range(59))
    groups: dict[int | None, int] = {}
    for block in blocks(text):
        groups[block.group] = groups.get(block.group, 0) + block.span.end - block.span.start
    assert len(groups) > 2
    assert max(groups.values()) <= 400


WORDS = st.text("ab é😀", min_size=1, max_size=8).filter(lambda text: re.search(r"\w", text) is not None)
CUES = st.lists(st.lists(WORDS.map(str.strip), min_size=1, max_size=2), max_size=6)


@given(CUES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_what_is_said_is_all_that_is_said(cues: list[list[str]], newline: str, web: bool, numbers: bool) -> None:
    text = "WEBVTT\n\n" if web else ""
    for at, lines in enumerate(cues):
        text += f"{at}\n" * numbers + f"{clock(at * 10)},000 --> {clock(at * 10 + 2)},000\n" + "\n".join(lines) + "\n\n"
    text = text.replace("\n", newline)
    assert said(text) == [(clock(at * 10), newline.join(lines)) for at, lines in enumerate(cues)]


@given(st.text("0123:,.-> \nWEBVTT<>{}a", max_size=80))
def test_any_text_is_read(text: str) -> None:
    spans = [block.span for block in blocks(text)]
    assert all(before.end <= after.start for before, after in pairwise(spans))
    assert all(text[span.start : span.end].strip() for span in spans)
