"""Generated documents and edits of them, with the true new position of each sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

WORDS = (
    *("harbour", "ferry", "keeper", "lighthouse", "copper", "council", "river", "quarry", "heron", "bicycle", "winter"),
    *("market", "bridge", "station", "signal", "island", "pilot", "ship", "morning", "captain", "garden", "letter"),
    *("orchard", "engine", "railway", "museum", "painter", "village", "doctor", "tower"),
)
VERBS = ("crossed", "painted", "measured", "visited", "repaired", "counted", "opened", "closed", "followed", "sold")
ODD = ("Zoë", "naïve", "🙂", "👨‍👩‍👧", "e\u0301te\u0301", "שלום", "سلام", "Ørjan", "北京", "€3.50")


class Sentence(NamedTuple):
    """Equal texts can be different sentences; the number tells them apart."""

    number: int
    text: str


Text = list[list[Sentence]]  # paragraphs


class Maker:
    """Generates texts; deterministic for a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # not for secrets
        self.odd: Sequence[str] = ODD
        self._made = 0

    def sentence(self, text: str | None = None) -> Sentence:
        self._made += 1
        return Sentence(self._made, text or self._words())

    def _words(self) -> str:
        choose = self.random.choice
        name = choose(WORDS).capitalize()
        odd = choose(self.odd) if self.random.random() < 0.3 else choose(WORDS)
        rest = " ".join(choose(WORDS) for _ in range(self.random.randint(0, 8)))
        return f"{name} {self.random.randint(2, 999)} {choose(VERBS)} the {odd} {rest}".strip() + choose(".....!?")

    def text(self, kind: str, odd: Sequence[str] = ODD) -> Text:
        """`prose` repeats little, `template` differs only in numbers, `repeating` repeats the same text."""
        self.odd = odd
        paragraphs = [
            [self.sentence() for _ in range(self.random.randint(1, 5))] for _ in range(self.random.randint(4, 12))
        ]
        if kind == "template":
            return [
                [self.sentence(f"Row {s.number} of the table speaks about item {s.number % 7}.") for s in paragraph]
                for paragraph in paragraphs
            ]
        if kind == "repeating":
            pool = [self._words() for _ in range(2)] + ["He agreed.", "Yes."]
            return [
                [self.sentence(self.random.choice(pool)) if self.random.random() < 0.3 else s for s in paragraph]
                for paragraph in paragraphs
            ]
        return paragraphs

    def elsewhere(self, text: Text, target: Sentence) -> Text:
        """Edit another sentence that is not a neighbour."""
        flat = [s.number for paragraph in text for s in paragraph]
        at = flat.index(target.number)
        far = [number for place, number in enumerate(flat) if abs(place - at) > 1]
        return replaced(text, self.random.choice(far), self._words()) if far else text


def replaced(text: Text, number: int, words: str) -> Text:
    """Reword one sentence, which makes it a different sentence."""
    return [[Sentence(-1, words) if s.number == number else s for s in paragraph] for paragraph in text]


def rendered(text: Text, newline: str = "\n") -> str:
    return (newline * 2).join(" ".join(s.text for s in paragraph) for paragraph in text)


def places(text: Text, newline: str = "\n") -> Iterator[tuple[Sentence, tuple[int, int]]]:
    """Each sentence with its position in code points."""
    at = 0
    for paragraph in text:
        for sentence in paragraph:
            yield sentence, (at, at + len(sentence.text))
            at += len(sentence.text) + 1
        at += 2 * len(newline) - 1


Edit = Callable[[Maker, Text, Sentence], Text]


def _where(text: Text, target: Sentence) -> tuple[int, int]:
    return next((p, s) for p, paragraph in enumerate(text) for s, each in enumerate(paragraph) if each == target)


def insert_before(maker: Maker, text: Text, target: Sentence) -> Text:
    p, _ = _where(text, target)
    at = maker.random.randint(0, p)
    return [*text[:at], [maker.sentence()], *text[at:]]


def append(maker: Maker, text: Text, target: Sentence) -> Text:
    return [*text, [maker.sentence(), maker.sentence()]]


def edit_elsewhere(maker: Maker, text: Text, target: Sentence) -> Text:
    return maker.elsewhere(text, target)


def move_paragraph(maker: Maker, text: Text, target: Sentence) -> Text:
    p, _ = _where(text, target)
    others = text[:p] + text[p + 1 :]
    at = maker.random.choice([place for place in range(len(text)) if place != p])
    return [*others[:at], text[p], *others[at:]]


def swap_paragraphs(maker: Maker, text: Text, target: Sentence) -> Text:
    p, _ = _where(text, target)
    other = maker.random.choice([place for place in range(len(text)) if place != p])
    swapped = list(text)
    swapped[p], swapped[other] = text[other], text[p]
    return swapped


def edit_neighbours(maker: Maker, text: Text, target: Sentence) -> Text:
    flat = [s for paragraph in text for s in paragraph]
    at = flat.index(target)
    for neighbour in flat[max(0, at - 1) : at] + flat[at + 1 : at + 2]:
        text = replaced(text, neighbour.number, maker.sentence().text)
    return text


def duplicate_sentence(maker: Maker, text: Text, target: Sentence) -> Text:
    p, s = _where(text, target)
    copied = [*text[p][: s + 1], maker.sentence(target.text), *text[p][s + 1 :]]
    return [*text[:p], copied, *text[p + 1 :]]


def duplicate_paragraph(maker: Maker, text: Text, target: Sentence) -> Text:
    p, _ = _where(text, target)
    at = maker.random.randint(0, len(text))
    return [*text[:at], [maker.sentence(s.text) for s in text[p]], *text[at:]]


def negate(maker: Maker, text: Text, target: Sentence) -> Text:
    words = target.text.split()
    at = maker.random.randint(1, max(1, len(words) - 1))
    return replaced(text, target.number, " ".join([*words[:at], "not", *words[at:]]))


def put_in_front(maker: Maker, text: Text, target: Sentence) -> Text:
    return replaced(text, target.number, "Nobody believes that " + target.text)


def put_behind(maker: Maker, text: Text, target: Sentence) -> Text:
    return replaced(text, target.number, target.text.rstrip(".!?") + ", or so they said.")


def delete_sentence(maker: Maker, text: Text, target: Sentence) -> Text:
    left = [[s for s in paragraph if s != target] for paragraph in text]
    return [paragraph for paragraph in left if paragraph]


MOVES: tuple[Edit, ...] = (insert_before, append, edit_elsewhere, move_paragraph, swap_paragraphs)
COPIES: tuple[Edit, ...] = (duplicate_sentence, duplicate_paragraph)
BESIDE: tuple[Edit, ...] = (edit_neighbours,)
EDITS: tuple[Edit, ...] = (negate, put_in_front, put_behind, delete_sentence)
