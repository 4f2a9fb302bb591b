"""Features of each sentence from the network's logits, and the best answer span."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.collections.protocols import Searcher
from index.text.rendering import Rendered
from index.types import Hit, Span
from service.reader.calibration import Floats
from service.reader.network import END, SENTENCE, START, Output
from service.reader.pairs import within

Logits = NDArray[np.float64]

LONGEST = 40  # word pieces of a highlight
FEATURES = 8
SAID = 5  # of them, the first: what the network says of the sentence
RELEVANCE_SCALE = 10.0


class Evidence(Struct, frozen=True):
    """A sentence that was read, or its part in the passage."""

    document: int
    number: int
    span: Span  # in the document, like all spans here
    hit: int  # rank of the passage that it was read in
    features: tuple[float, ...]
    highlight: Span


def evidence_of(hit: Hit, rank: int, outputs: Sequence[Output], searcher: Searcher) -> list[Evidence]:
    """The evidence for each sentence of a passage; if it took several windows, from the most confident one."""
    passage = hit.passage.passage
    content = searcher.content(hit.passage.document.number)
    read = rendered(hit, searcher)
    evidence = []
    for number, inner in read.sentences:
        sentence = content.sentences[number]
        span = Span(max(sentence.start, passage.span.start), min(sentence.end, passage.span.end))
        spans = [weighed for output in outputs if (weighed := weigh(output, inner))]
        if not spans:
            continue  # nothing in it that the tokenizer knows
        features, marked = max(spans, key=lambda each: sum(each[0][:SAID]))
        highlight = read.origin(marked) or span
        context = (1 / (1 + rank), hit.cosine or 0.0)
        evidence.append(Evidence(content.document.number, number, span, rank, (*features, *context), highlight))
    return evidence


def rendered(hit: Hit, searcher: Searcher) -> Rendered:
    """What is read of a passage."""
    passage = hit.passage.passage
    return searcher.content(hit.passage.document.number).renderer.rendered(passage.first, passage.last, passage.span)


def weigh(output: Output, sentence: Span) -> tuple[tuple[float, ...], Span] | None:
    """What one window says for a sentence, as logarithms of probabilities, and its best span; None if it is not in it.

    Here: the passage answers. Share: of the answers that start and end somewhere in it, how much falls on this
    sentence. Sentence: it answers, by the head for sentences. Span: the best one against "nowhere". The last two are
    the logits that the passage answers and is relevant, scaled.
    """
    pieces = within(output.pair.spans, sentence)
    if pieces.start == pieces.stop:
        return None
    logits = output.pieces.astype(np.float64)
    starts, ends = logits[pieces, START], logits[pieces, END]
    first, last, best = best_span(starts, ends)
    share = (softmax_share(starts, logits[:, START]) + softmax_share(ends, logits[:, END])) / 2
    score = float(np.add.reduce(logits[pieces, SENTENCE]) / len(starts))
    spans = output.pair.spans
    marked = Span(
        max(spans[pieces.start + first].start, sentence.start), min(spans[pieces.start + last].end, sentence.end)
    )
    features = (
        log_sigmoid(output.here),
        share,
        log_sigmoid(score),
        log_sigmoid(best - output.nowhere),
        output.here / 10,
        output.relevance / RELEVANCE_SCALE,
    )
    return features, marked


def best_span(starts: Logits, ends: Logits) -> tuple[int, int, float]:
    """The first and last piece of the span with the highest sum of logits, of at most `LONGEST` pieces."""
    scores = starts[:, None] + ends[None, :]
    far = np.arange(len(ends))[None, :] - np.arange(len(starts))[:, None]
    scores = np.where((far >= 0) & (far < LONGEST), scores, -np.inf)
    first, last = divmod(int(scores.argmax()), len(ends))
    return first, last, float(scores[first, last])


def softmax_share(some: Logits, every: Logits) -> float:
    """The logarithm of the share of `some` in the softmax over `every`."""
    return log_sum(some) - log_sum(every)


def log_sum(logits: Logits) -> float:
    top = float(logits.max())
    return top + float(np.log(np.add.reduce(np.exp(logits - top))))


def log_sigmoid(logit: float) -> float:
    return float(-np.logaddexp(0.0, -logit))


def table(evidence: Sequence[Evidence]) -> Floats:
    """[evidence, FEATURES]."""
    return np.array([each.features for each in evidence], np.float64).reshape(len(evidence), FEATURES)
