"""Splits text into sentences with exact spans: only white space between two, and none across blocks.

nupunkt proposes sentence starts; a few rules add and remove some. `python -m eval.benchmarks.splitters` compares five
splitters, alone and with these rules. Alone, sentencex has the higher F1 and nupunkt the higher precision, and a rule
adds a missing start more easily than it finds a wrong one. With the rules, nupunkt is best: slightly on the held-out
labels, more on those that the rules were written with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import nupunkt

from index.text.structure import NEVER_CITED
from index.types import Block, BlockKind, Sentence, Span

Propose = Callable[[str], Iterable[tuple[int, int]]]  # approximate sentences of a paragraph; only the starts are used

# One space each, to keep offsets: inside a block, a newline is equivalent to a space.
SPACES = {ord(each): " " for each in "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u202f"}
WORD = re.compile(r"[^\W_]")
KEPT_WHOLE = re.compile(r"\[[^\[\]]{1,500}\]\([^()\s]*\)|(?<!`)`[^`\n]{1,500}`(?!`)")  # a link, code in a line
WHOLE: frozenset[BlockKind] = frozenset({"header", "row"})  # never split
LONGEST_CODE = 1200  # code points that are one sentence
BLANK_LINE = re.compile(r"(?:\r\n?|\n)[ \t]*(?:\r\n?|\n)")
NEWLINE = re.compile(r"\r\n?|\n")
CLOSING = "\"'”’»›)\\]}」』】）〉》"
OPENING = "\"'“‘„«‹(\\[{「『【（〈《¿¡"

# Sentence starts that nupunkt, made for English, misses: the first character after the match.
STARTS = re.compile(
    rf"[。！？｡](?=[^。！？｡{CLOSING}])|[。！？｡][{CLOSING}]+\s+"  # no space needed, but 「…？」と goes on
    rf"|[।॥؟۔։።][{CLOSING}]*\s+|။\s*"
    rf"|[.!?…][{CLOSING}]?\s+(?=[(\[][^\W\d_a-z])"  # ... it rained. (The roof leaked.)
    r"|\b[ap]\.m\.[\"”’)]*\s+(?=[“\"(]?[A-Z])"
    # A letter that is a name, not an initial: size S. Fits
    r"|\b(?:[Ss]ize|[Pp]lan|[Vv]itamin|[Gg]rade|[Tt]ype|[Gg]roup|[Cc]lass|[Oo]ption|[Aa]ppendix|[Ss]ection|[Ff]igure"
    r"|[Hh]epatitis|[Pp]latform|[Tt]erminal|[Cc]olumn|[Rr]oom|[Gg]ate|[Pp]oint|[Bb]uilding) [A-Z]\.\s+(?=[A-Z])"
)
CJK_PAIRS = {"「": "」", "『": "』", "（": "）", "【": "】", "《": "》", "“": "”"}
CJK_BRACKET = re.compile("[「」『』（）【】《》“”]")
CJK_STOPS = frozenset("。！？｡")

# Not allowed between two sentences: the text before the start, and the text after it.
ABBREVIATION_ALONE = re.compile(rf"[{OPENING}]*(?:(?:[^\W\d_]\.)+|\(?(?:\d{{1,3}}|[^\W\d_])[.)])")  # "U.S.", "1."
GOES_ON = re.compile(rf"[{CLOSING[2:]},;:%]|(?:[-–—{OPENING}]\s*)*([^\W\d_]\w*)")
AFTER_TIME = re.compile(
    r"(?:Eastern|Central|Mountain|Pacific|Greenwich|GMT|UTC|[A-Z]{2,4}T|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
    r"|(?:Jan|Febr)uary|March|April|May|June|July|August|(?:Septem|Octo|Novem|Decem)ber)\b"
)
ORDINAL = re.compile(r"\b\d{1,2}\.\s+$")
GERMAN_MONTH = re.compile(r"Januar|Februar|März|April|Mai|Jun[io]|Jul[io]|August|September|Oktober|November|Dezember")
# Abbreviations before names in languages that nupunkt does not know.
TITLE = re.compile(r"(?:\b(?:Dra|Sr|Sra|Srta|Mme|Mlle|Hr|Fr|डॉ|ул|им)|\B[Ss]tr)\.\s+$")
COMPANY = re.compile(r"(?:Inc|Ltd|LLC|Corp|Co|GmbH|AG|plc|S\.A)\b")  # Yahoo! Inc.
TIME = re.compile(r"\b[ap]\.m\.\s+$")
# nupunkt takes quadratic time for stops in a run without white space, where no sentence starts anyway. Its end counts.
LONG_RUN = re.compile(r"(?<!\S)\S{1000,}(?=\S{100})")
NO_STOPS = dict.fromkeys(map(ord, ".!?…"), "x")
LOOK_BACK = 16  # code points that the three patterns above need, white space included


def split(text: str, blocks: Sequence[Block], propose: Propose = nupunkt.sent_spans) -> list[Sentence]:
    """Split each block; every non-space character of a block is in exactly one sentence.

    A table row is one sentence, and so is code, unless it is long. Blocks that are never cited have none.

    `split("Hi. Ho!", [Block(Span(0, 7))])` -> spans (0, 3), (4, 7).
    """
    return [
        Sentence(span=span, headings=block.headings, block=block)
        for block in blocks
        if block.kind not in NEVER_CITED
        for span in _spans_of(text, block, propose)
    ]


def _spans_of(text: str, block: Block, propose: Propose) -> Iterator[Span]:
    start, end = block.span
    if block.kind in WHOLE:
        yield block.span
    elif block.kind == "code":
        yield from _code_spans(text[start:end], start)
    else:
        yield from _spans(text[start:end], start, propose)


def _code_spans(code: str, origin: int) -> Iterator[Span]:
    """Code as one span; long code is split into runs of lines, at blank lines if possible."""
    start = 0
    while len(code) - start > LONGEST_CODE:
        window = code[start : start + LONGEST_CODE]
        blank = [match.end() for match in BLANK_LINE.finditer(window)]
        line = [match.end() for match in NEWLINE.finditer(window)]
        stop = start + (blank or line or [LONGEST_CODE])[-1]
        part = code[start:stop]
        if stripped := part.strip():
            first = origin + start + len(part) - len(part.lstrip())
            yield Span(first, first + len(stripped))
        start = stop
    part = code[start:]
    if stripped := part.strip():
        first = origin + start + len(part) - len(part.lstrip())
        yield Span(first, first + len(stripped))


def _spans(block: str, origin: int, propose: Propose) -> Iterator[Span]:
    for start, end in pairwise([0, *_starts(block.translate(SPACES), propose), len(block)]):
        part = block[start:end]
        if stripped := part.strip():
            first = origin + start + len(part) - len(part.lstrip())
            yield Span(first, first + len(stripped))


def _starts(block: str, propose: Propose) -> list[int]:
    """The sentence starts in a block after the first."""
    short_runs = LONG_RUN.sub(lambda run: run[0].translate(NO_STOPS), block)
    proposed = {start for start, _ in propose(short_runs)} | set(_more_starts(block))
    has_capitals = block != block.lower()
    kept_whole = [match.span() for match in KEPT_WHOLE.finditer(block)] if "](" in block or "`" in block else []
    starts: list[int] = []
    previous = 0
    first_word = WORD.search(block)  # of the sentence that starts at `previous`
    for start, following in pairwise([*sorted(proposed - {0, len(block)}), len(block)]):
        word = WORD.search(block, start, following)
        if word is None or first_word is None or first_word.start() >= start:
            continue  # a sentence without a word is merged into its neighbour
        if kept_whole and any(begin < start < end for begin, end in kept_whole):
            continue
        if _may_start(block, previous, start, has_capitals=has_capitals):
            starts.append(start)
            previous, first_word = start, word
    return starts


def _more_starts(block: str) -> Iterator[int]:
    """Starts that nupunkt misses. Inside CJK quotes and brackets, no sentence ends."""
    closes_at = _closing_places(block) if any(stop in block for stop in CJK_STOPS) else {}
    free_from = 0  # end of the enclosing bracket
    opened = iter(sorted(closes_at))
    bracket = next(opened, None)
    for match in STARTS.finditer(block):
        while bracket is not None and bracket < match.start():
            free_from = max(free_from, closes_at[bracket])
            bracket = next(opened, None)
        if block[match.start()] not in CJK_STOPS or match.end() > free_from:
            yield match.end()


def _closing_places(block: str) -> dict[int, int]:
    """The positions of matching CJK quotes and brackets: opening to closing."""
    open_brackets: list[tuple[str, int]] = []
    places = {}
    for match in CJK_BRACKET.finditer(block):
        if closing := CJK_PAIRS.get(match[0]):
            open_brackets.append((closing, match.start()))
        elif open_brackets and open_brackets[-1][0] == match[0]:
            places[open_brackets.pop()[1]] = match.start()
    return places


def _may_start(block: str, previous: int, start: int, *, has_capitals: bool) -> bool:
    """Whether a sentence may start here, after the one from `previous`."""
    if start - previous <= LOOK_BACK and ABBREVIATION_ALONE.fullmatch(block[previous:start].strip()):
        return False
    before = block[max(previous, start - LOOK_BACK) : start]
    if TITLE.search(before) or (ORDINAL.search(before) and GERMAN_MONTH.match(block, start)):
        return False
    if TIME.search(before) and AFTER_TIME.match(block, start):
        return False
    if COMPANY.match(block, start) and before.rstrip().endswith("!"):
        return False
    goes_on = GOES_ON.match(block, start)
    return goes_on is None or (goes_on[1] is not None and not (has_capitals and goes_on[1].islower()))
