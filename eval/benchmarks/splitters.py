"""Compares sentence splitters: boundaries and speed on the labelled sentences of `eval/data`.

    python -m eval.benchmarks.splitters

All candidates get the same blocks, so only splitting inside paragraphs is measured. The index uses `nupunkt + rules`.
Candidates that are not installed are skipped; the extra `bench` installs them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from index.text.formats import extract
from index.text.sentences import split
from index.types import Block, Sentence, Span

DATA = Path(__file__).parents[1] / "data" / "sentences"
SETS = ("development", "held_out")
TIMED_CHARACTERS = 200_000

Splitter = Callable[[str], Iterable[Span]]  # sentence spans of a paragraph, possibly with white space at their ends
Sentences = Callable[[str, Sequence[Block]], list[Sentence]]


class Labelled(Struct, frozen=True):
    """A text with its sentences in order, separated by white space only."""

    about: str
    language: str
    media_type: str
    text: str
    sentences: list[str]

    def spans(self) -> list[Span]:
        """The sentence spans; each begins at the first visible character after the previous one."""
        spans, at = [], 0
        for sentence in self.sentences:
            at += len(self.text[at:]) - len(self.text[at:].lstrip())
            if not self.text.startswith(sentence, at):
                raise ValueError(f"not the next sentence: {sentence!r}")
            spans.append(Span(at, at + len(sentence)))
            at += len(sentence)
        return spans

    def blocks(self) -> tuple[Block, ...]:
        return extract(self.text.encode(), self.about, self.media_type).blocks


class Score(Struct, frozen=True):
    """Counts of boundaries: correct, predicted, true; and of documents that are right throughout."""

    hits: int
    proposed: int
    true: int
    exact: int
    documents: int

    @property
    def precision(self) -> float:
        return self.hits / self.proposed if self.proposed else 1.0

    @property
    def recall(self) -> float:
        return self.hits / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.hits / (self.proposed + self.true) if self.proposed + self.true else 1.0


def labelled(name: str) -> list[Labelled]:
    """The set `development` (used while writing rules) or `held_out` (never looked at)."""
    lines = (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [Labelled(**json.loads(line)) for line in lines]


def blingfire() -> Splitter:
    library = import_module("blingfire")
    return lambda text: (Span(*pair) for pair in library.text_to_sentences_and_offsets(text)[1])


def nupunkt() -> Splitter:
    library = import_module("nupunkt")
    return lambda text: (Span(*pair) for pair in library.sent_spans(text))


def pysbd() -> Splitter:
    segmenter = import_module("pysbd").Segmenter(language="en", clean=False, char_span=True)
    return lambda text: (Span(part.start, part.end) for part in segmenter.segment(text))


def syntok() -> Splitter:
    segmenter = import_module("syntok.segmenter")

    def spans(text: str) -> Iterator[Span]:
        for paragraph in segmenter.analyze(text):
            for tokens in paragraph:
                yield Span(tokens[0].offset, tokens[-1].offset + len(tokens[-1].value))

    return spans


def sentencex() -> Splitter:
    find = import_module("sentencex").get_sentence_boundaries
    return lambda text: (Span(each["start_index"], each["end_index"]) for each in find("en", text))


CANDIDATES = {maker.__name__: maker for maker in (blingfire, nupunkt, pysbd, syntok, sentencex)}


def in_blocks(splitter: Splitter) -> Sentences:
    """Run a candidate inside each block, with newlines replaced by spaces as in ours, and strip its spans."""

    def spans(text: str, block: Block) -> Iterator[Sentence]:
        piece = text[block.span.start : block.span.end].replace("\n", " ").replace("\r", " ")
        for start, end in splitter(piece):
            part = piece[start:end]
            first = block.span.start + start + len(part) - len(part.lstrip())
            yield Sentence(span=Span(first, block.span.start + start + len(part.rstrip())), headings=block.headings)

    return lambda text, blocks: [sentence for block in blocks for sentence in spans(text, block)]


def score(splitter: Sentences, documents: Sequence[Labelled]) -> Score:
    """Compare sentence starts, except the first of each document."""
    hits = proposed = true = exact = 0
    for document in documents:
        spans = [sentence.span for sentence in splitter(document.text, document.blocks())]
        ours, theirs = {span.start for span in spans[1:]}, {span.start for span in document.spans()[1:]}
        hits, proposed, true = hits + len(ours & theirs), proposed + len(ours), true + len(theirs)
        exact += spans == document.spans()
    return Score(hits=hits, proposed=proposed, true=true, exact=exact, documents=len(documents))


def speed(splitter: Sentences, documents: Sequence[Labelled]) -> float:
    """Characters per second over repeated runs, without extraction."""
    work = [(document.text, document.blocks()) for document in documents]
    size = sum(len(text) for text, _ in work)
    start = time.perf_counter()
    for _ in range(rounds := max(1, TIMED_CHARACTERS // size)):
        for text, blocks in work:
            splitter(text, blocks)
    return rounds * size / (time.perf_counter() - start)


def main() -> None:
    installed = {name: maker() for name, maker in CANDIDATES.items() if find_spec(name)}
    alone: dict[str, Sentences] = {name: in_blocks(candidate) for name, candidate in installed.items()}
    ruled: dict[str, Sentences] = {
        f"{name} + rules": partial(split, propose=candidate) for name, candidate in installed.items()
    }
    sys.stdout.write(f"{'':18}{'set':13}{'precision':>10}{'recall':>8}{'F1':>7}{'exact':>9}{'k char/s':>10}\n")
    for name, splitter in {**alone, **ruled}.items():
        for each in SETS:
            documents = labelled(each)
            result = score(splitter, documents)
            sys.stdout.write(
                f"{name:18}{each:13}{result.precision:10.3f}{result.recall:8.3f}{result.f1:7.3f}"
                f"{f'{result.exact}/{result.documents}':>9}{speed(splitter, documents) / 1000:10.0f}\n"
            )


if __name__ == "__main__":
    main()
