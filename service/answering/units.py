"""Units: what is cited whole or not at all.

A list with its introduction, steps in order, a row of a table, code with the line that introduces it. The reader weighs
sentences. Here those that are no answer by themselves are left out, and parts give way to the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec.structs import replace

from index.collections.protocols import Searcher
from index.storage.contents import Content
from index.text.structure import LISTED, TextBlock
from index.types import Span
from prompts.packing import Run
from service.answering.asked import Asked
from service.answering.parallels import told_apart
from service.reader.reader import Candidate, Reading

AnswerKind = Literal["sentences", "list", "steps", "row", "code"]

LONGEST_UNIT = 4000  # code points; of a longer list the items are answers, each by itself
# `make bench-thresholds` shows what ADDS does.
ADDS = 0.2  # the share of the question's words that an introduction or a heading must add to be cited in front
ASKS_HOW = re.compile(
    r"\b(?:how (?:do|does|can|could|to|should|would|must)|how's|steps?|procedure|instructions?|command|wie|comment)\b",
    re.IGNORECASE,
)
ASKS_FOR_A_DATE = re.compile(
    r"\b(?:when|what (?:date|day|year)|which (?:date|day|year|version|release)|since|wann)\b", re.IGNORECASE
)
QUESTION = re.compile(r"[?？][\"'”’)*_`\]]*$")
DIGIT = re.compile(r"\d")


def as_units(question: str, reading: Reading, searcher: Searcher) -> Reading:
    """The reading with units in the place of their parts, and without what is no answer."""
    asked = Asked.of(question, searcher)
    kept: dict[tuple[int, int, int], Candidate] = {}
    answers = [each for each in reading.candidates if is_answer(each, asked, searcher.content(each.document))]
    weighed = told_apart(answers, asked, searcher)
    for candidate in weighed:
        content = searcher.content(candidate.document)
        unit = unit_of(candidate, asked, content)
        kept.setdefault((unit.document, unit.first, unit.last), unit)
    confidences = {candidate.run: candidate.confidence for candidate in weighed}
    # A row that the question does not name is no companion of the one that it names; a heading is nobody's.
    companions = [each for each in reading.companions if confidences.get(each.run, 0) >= each.confidence]
    return replace(reading, candidates=list(kept.values()), companions=companions)


def is_answer(candidate: Candidate, asked: Asked, content: Content) -> bool:
    """Whether a sentence can answer at all: not a heading, a header of a table, a table of contents, a question."""
    if candidate.first != candidate.last:
        return True
    block = content.structure.block(candidate.first)
    text = content.text[slice(*candidate.span)]
    if block.kind == "heading":
        dated = DIGIT.search(text) is not None and ASKS_FOR_A_DATE.search(asked.question) is not None
        return dated and asked.share(text) > 0
    if block.kind in ("contents", "header"):
        return False
    return QUESTION.search(text) is None


def unit_of(candidate: Candidate, asked: Asked, content: Content) -> Candidate:
    """The unit that a sentence stands for, or the sentence."""
    structure = content.structure
    block = structure.block(candidate.first)
    if block.group is None or candidate.first != candidate.last:
        return candidate
    blocks = structure.group(block.group)
    if block.kind == "row" or any(each.kind == "row" for each in blocks):
        return candidate
    listed = [each for each in blocks if each.kind in LISTED]
    if not listed:
        return _whole(candidate, _code_run(blocks, block, candidate), content)
    introduction = next((each for each in blocks if each.introduces), None)
    if block.introduces:
        return _whole(candidate, _list_run(blocks), content) if candidate.first == block.last else candidate
    steps = listed[0].kind == "step" and ASKS_HOW.search(asked.question) is not None
    above = _above(introduction, block, content)
    if steps or asked.gain(above, own := _text(candidate, content)) > asked.gain(own, above):
        return _whole(candidate, _list_run(blocks), content)
    return candidate


def _code_run(blocks: Sequence[TextBlock], block: TextBlock, candidate: Candidate) -> tuple[int, int] | None:
    """Code with the last sentence of what introduces it."""
    first, last = blocks[0], blocks[-1]
    if not first.introduces or (block.introduces and candidate.first != first.last):
        return None
    return first.last, last.last


def _list_run(blocks: Sequence[TextBlock]) -> tuple[int, int]:
    return blocks[0].last if blocks[0].introduces else blocks[0].first, blocks[-1].last


def _whole(candidate: Candidate, run: tuple[int, int] | None, content: Content) -> Candidate:
    """The candidate with all of a unit, unless that is too long to be cited."""
    if run is None:
        return candidate
    first, last = run
    span = Span(content.sentences[first].start, content.sentences[last].end)
    if span.end - span.start > LONGEST_UNIT:
        return candidate
    marked = candidate.highlight if candidate.first > first else None  # not in what introduces it
    return replace(candidate, first=first, last=last, span=span, highlight=marked)


def _above(introduction: TextBlock | None, block: TextBlock, content: Content) -> str:
    """What stands above an item: what introduces its list, else the last heading."""
    if introduction is not None:
        return content.text[slice(*content.sentences[introduction.last])]
    return block.headings[-1] if block.headings else ""


def _text(candidate: Candidate, content: Content) -> str:
    return content.text[slice(*candidate.span)]


def kind_of(run: Run, content: Content) -> AnswerKind:
    """What a run of sentences is."""
    structure = content.structure
    block = structure.block(run.last)
    if block.kind == "row":
        return "row"
    if block.group is None:
        return "code" if block.kind == "code" and run.first == block.first else "sentences"
    blocks = structure.group(block.group)
    listed = [each for each in blocks if each.kind in LISTED]
    if not listed:
        return "code" if block.kind == "code" else "sentences"
    if (run.first, run.last) != _list_run(blocks) or len(listed) == 1:
        return "sentences"
    return "steps" if listed[0].kind == "step" else "list"


def parts_in_front(candidate: Candidate, asked: Asked, content: Content) -> list[Run]:
    """What is cited in front of an answer: the header of a row; what introduces an item, or its heading.

    The last two only where they say what is asked and the answer does not: "Which version added dark mode?".
    """
    structure = content.structure
    block = structure.block(candidate.first)
    if block.kind == "row" and block.group is not None:
        return _run_of((each for each in structure.group(block.group) if each.kind == "header"), candidate, content)
    if candidate.first != candidate.last or block.kind in ("heading", "code"):
        return []
    own = _text(candidate, content)
    if block.kind in LISTED and block.group is not None:
        introduction = [
            each for each in structure.group(block.group)[:1] if each.introduces and each.last < candidate.first
        ]
        if introduction and asked.gain(_sentence(introduction[0].last, content), own) >= ADDS:
            return _run_of(introduction, candidate, content)
    heading = _heading_above(block, content)
    if heading is None or not ASKS_FOR_A_DATE.search(asked.question):
        return []
    title = _sentence(heading.last, content)
    return _run_of([heading], candidate, content) if DIGIT.search(title) and asked.share(title) == 0 else []


def _heading_above(block: TextBlock, content: Content) -> TextBlock | None:
    blocks = content.structure.blocks
    place = content.structure.place(block)
    above = (blocks[number] for number in range(place - 1, -1, -1))
    return next((each for each in above if each.kind == "heading"), None)


def _run_of(blocks: Iterable[TextBlock], candidate: Candidate, content: Content) -> list[Run]:
    return [Run(candidate.document, each.last, each.last, content.sentences[each.last]) for each in blocks][:1]


def _sentence(number: int, content: Content) -> str:
    return content.text[slice(*content.sentences[number])]
