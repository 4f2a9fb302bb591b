"""SubRip and WebVTT: the text is the file; the speech in each cue is a block, labelled with the cue's time.

Numbers, time stamps, settings, notes and styles are in no block. Lines of a cue form one block, unless two people
speak. Cues that share a sentence have the same group, because a block contains no time stamps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from index.text.decoding import decode
from index.text.lines import Line, lines
from index.types import Block, Extracted, Span

MEDIA_TYPE, WEB_MEDIA_TYPE = "application/x-subrip", "text/vtt"
STAMP = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?:[.,:](\d{1,3}))?"
TIMES = re.compile(rf"\s*{STAMP}\s*-->\s*{STAMP}(?:\s.*)?")
NUMBER = re.compile(r"\s*\d+\s*")
MARKUP = r"(?:\s|<[^<>]*>|\{\\[^{}]*\})"
LEADING, TRAILING = re.compile(f"{MARKUP}*+"), re.compile(f"{MARKUP}+$")
SPEAKER = re.compile(rf"{MARKUP}*+(?:[-–—‐]\s*\w|<v[ .])")
VOICE = re.compile(r"\s*<v[ .]")
END = re.compile(r"[.!?…。！？؟।♪][\"'”’»)\]]*$")
WORD = re.compile(r"\w")
LONGEST_PAUSE = 2.0  # maximum seconds between two cues of one sentence
LONGEST_SENTENCE = 400  # code points; captions without punctuation are one sentence up to this length


class Cue(Struct, frozen=True):
    """Text displayed for some time."""

    start: float  # seconds
    end: float
    lines: list[Line]


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read SubRip or WebVTT, whatever the file extension. Raises DocumentError."""
    decoded = decode(data, source, charset)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=WEB_MEDIA_TYPE if decoded.text.startswith("WEBVTT") else MEDIA_TYPE,
        title=None,
        blocks=tuple(blocks(decoded.text)),
    )


def blocks(text: str) -> list[Block]:
    """The speech in order; blocks of one sentence share a group."""
    blocks_read: list[Block] = []
    ends = 0.0
    group, length = 0, 0  # of the open sentence
    for cue in cues(text):
        for span in _speeches(text, cue.lines):
            runs_on = (
                bool(blocks_read)
                and cue.start - ends <= LONGEST_PAUSE
                and length + span.end - span.start <= LONGEST_SENTENCE
            )
            if (
                runs_on
                and blocks_read[-1].span.end
                and not END.search(text[blocks_read[-1].span.start : blocks_read[-1].span.end])
            ):
                if blocks_read[-1].group is None:
                    group += 1
                    blocks_read[-1] = replace(blocks_read[-1], group=group)
                in_group: int | None = group
                length += span.end - span.start
            else:
                in_group, length = None, span.end - span.start
            blocks_read.append(Block(span=span, kind="speech", group=in_group, label=clock(cue.start)))
            ends = cue.end
    return blocks_read


def cues(text: str) -> Iterator[Cue]:
    """The cues in file order; a blank line or the next cue's time ends one."""
    times: re.Match[str] | None = None
    cue_lines: list[Line] = []
    is_webvtt = text.startswith("WEBVTT")
    for line in lines(text):
        if match := TIMES.fullmatch(line.text):
            if times and cue_lines and NUMBER.fullmatch(cue_lines[-1].text):
                cue_lines.pop()  # the number of the next cue
            if times and cue_lines:
                yield _cue(times, cue_lines)
            times, cue_lines = match, []
        elif not line.text.strip():
            if times and cue_lines:
                yield _cue(times, cue_lines)
                cue_lines = []
            # In SubRip, a cue can contain a blank line.
            times = None if is_webvtt else times
        elif times:
            cue_lines.append(line)
    if times and cue_lines and not (NUMBER.fullmatch(cue_lines[0].text) and len(cue_lines) == 1):
        yield _cue(times, cue_lines)


def clock(seconds: float) -> str:
    """80.5 -> 00:01:20."""
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _cue(times: re.Match[str], cue_lines: list[Line]) -> Cue:
    numbers = times.groups()
    return Cue(start=_seconds(numbers[:4]), end=_seconds(numbers[4:]), lines=cue_lines)


def _seconds(stamp: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = stamp
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction or 0}")


def _speeches(text: str, cue_lines: list[Line]) -> Iterator[Span]:
    """The speech in a cue by speaker, without surrounding markup."""
    starts = [at for at, line in enumerate(cue_lines) if SPEAKER.match(line.text)]
    cuts = sorted({0, *starts}) if len(starts) > 1 else [0]
    for first, behind in zip(cuts, [*cuts[1:], len(cue_lines)], strict=True):
        start, end = cue_lines[first].start, cue_lines[behind - 1].start + len(cue_lines[behind - 1].text)
        piece = text[start:end]
        leading, trailing = LEADING.match(piece), TRAILING.search(piece)
        span = Span(start + (leading.end() if leading else 0), start + (trailing.start() if trailing else len(piece)))
        if span.start < span.end and WORD.search(text, *span):
            yield span
