"""Citations of every sentence of a document, edits of the document, and how many citations are found again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from index.storage.contents import Content
from index.types import Span
from service.answering.citations import CONTEXT
from service.answering.relocation import Relocation
from service.schema import GivenCitation, GivenQuote, GivenRange, SentenceRange

REPEATED = ("Yes.", "See above.", "This is checked every year.")  # put between the sentences of a document
SEED = 20264


class Sentence(Struct, frozen=True):
    """`number`: of the sentence in the first version, by which it is the same in another; None for a new one."""

    number: int | None
    text: str
    gap: str  # the text behind it


Text = list[Sentence]
Edit = Callable[[Text, int, Random], Text]


class Counts(Struct, frozen=True):
    """Of citations: whose sentence is still there, found at its new place, placed where it is not."""

    citations: int = 0
    present: int = 0
    right: int = 0
    wrong: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


def inserted(text: Text, at: int, random: Random) -> Text:
    place = random.randint(0, at)
    return [*text[:place], Sentence(None, "A line was added here.", " "), *text[place:]]


def moved(text: Text, at: int, random: Random) -> Text:
    """Three sentences move together."""
    removed, remaining = text[at : at + 3], text[:at] + text[at + 3 :]
    place = random.randint(0, len(remaining))
    return [*remaining[:place], *removed, *remaining[place:]]


def duplicated(text: Text, at: int, random: Random) -> Text:
    """Two sentences are repeated elsewhere."""
    place = random.randint(0, len(text))
    copies = [replace(each, number=None) for each in text[at : at + 2]]
    return [*text[:place], *copies, *text[place:]]


def neighbours_edited(text: Text, at: int, random: Random) -> Text:
    beside = [place for place in (at - 1, at + 1) if 0 <= place < len(text)]
    return [_edited(each, random) if place in beside else each for place, each in enumerate(text)]


def edited(text: Text, at: int, random: Random) -> Text:
    return [*text[:at], _edited(text[at], random), *text[at + 1 :]]


def edited_and_repeated(text: Text, at: int, random: Random) -> Text:
    """The sentence is edited, and what it said before is repeated at the end by somebody else."""
    return [*edited(text, at, random), replace(text[at], number=None)]


def deleted(text: Text, at: int, random: Random) -> Text:  # noqa: ARG001  # the same signature as the others
    return text[:at] + text[at + 1 :]


EDITS: tuple[Edit, ...] = (
    *(inserted, moved, duplicated, neighbours_edited),
    *(edited, edited_and_repeated, deleted),
)


def _edited(sentence: Sentence, random: Random) -> Sentence:
    """Some words in a row are replaced, from one to all."""
    words = sentence.text.split()
    first = random.randrange(len(words))
    last = random.randint(first, len(words) - 1)
    return Sentence(None, " ".join([*words[:first], "otherwise", *words[last + 1 :]]), sentence.gap)


def with_repetitions(content: Content) -> Text:
    """The sentences of a document, and after every third one that also stands elsewhere."""
    text: Text = []
    ends = [*(span.start for span in content.sentences[1:]), len(content.text)]
    for number, (span, end) in enumerate(zip(content.sentences, ends, strict=True)):
        text.append(Sentence(None, content.text[slice(*span)], content.text[span.end : end] or " "))
        if number % 3 == 2:
            text.append(Sentence(None, REPEATED[number // 3 % len(REPEATED)], " "))
    return [replace(each, number=number) for number, each in enumerate(text)]


def rendered(text: Text, content: Content) -> Content:
    """The document with this text."""
    spans, at = [], 0
    for each in text:
        spans.append(Span(at, at + len(each.text)))
        at += len(each.text) + len(each.gap)
    return replace(content, text="".join(each.text + each.gap for each in text), sentences=spans)


def cited(content: Content, number: int) -> GivenCitation:
    start, end = content.sentences[number]
    text = content.text
    return GivenCitation(
        source=content.document.source,
        sha256=content.document.sha256,
        range=GivenRange((start, end)),
        quote=GivenQuote(text[start:end], text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]),
        sentences=SentenceRange(number, number, len(content.sentences)),
    )


def relocated(contents: Iterable[Content], edits: Sequence[Edit] = EDITS) -> Counts:
    """Cite each sentence of each document, edit the document, and look the citation up."""
    counts = Counts()
    for content in contents:
        random = Random(SEED)  # noqa: S311  # not for secrets
        text = with_repetitions(content)
        before = rendered(text, content)
        for number in range(len(text)):
            citation = cited(before, number)
            for edit in edits:
                counts += _outcome(edit(text, number, random), content, citation, number)
    return counts


def _outcome(text: Text, content: Content, citation: GivenCitation, number: int) -> Counts:
    after = rendered(text, content)
    place = Relocation(after).relocated(citation)
    true = next((at for at, each in enumerate(text) if each.number == number), None)
    right = place is not None and (place.first, place.last) == (true, true)
    return Counts(1, int(true is not None), int(right), int(place is not None and not right))
